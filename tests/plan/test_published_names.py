"""Names that would be those of two things are refused when a territory file is read."""

from __future__ import annotations

import copy
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import InputError
from pipeline.plan import run_files
from pipeline.plan.plan import load_plan
from pipeline.plan.territory_file import load_config
from tests.tiny import CONFIG


def write(path: Path, ids: tuple[str, ...] = ("fixed30",), **settings: object) -> Path:
    """The tiny territory with devices of these ids, and other settings."""
    content: dict[str, Any] = copy.deepcopy(yaml.safe_load(CONFIG))
    content["devices"] = [content["devices"][0] | {"id": name} for name in ids]
    path.write_text(yaml.safe_dump(content | settings), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (("fixed30", "slave_fixed30"), "slave_fixed30"),
        (("b_a", "a"), "b_a"),
        (("collection",), r"stac/collection\.json"),
        (("a", "a_ch21"), "a_ch21"),
        (("a_ch21", "a"), "a_ch21"),
        (("a", "a_label"), "a_label"),
        (("a", "a"), "devices: two have the same id: a"),
        (("a", "A"), "A"),
    ],
)
def test_devices_with_one_name_are_refused(tiny: Path, ids: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=rf"tiny\.yaml, devices.*{said}|two devices.*{said}|{said}"):
        load_config(write(tiny, ids))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"levels_dbm": [20.0, 20.0000001]}, r"levels_dbm\.1: level does not stand in full"),
        ({"levels_dbm": [12.3456789]}, "allowed: up to six digits, such as 12.3457"),
        ({"name": "tiny-what-if"}, "name: is the name of the results of `channelmaps what-if`"),
        ({"name": "tiny", "results": "other"}, "results: would publish in place of another territory"),
    ],
)
def test_levels_and_territories_with_one_name_are_refused(
    tiny: Path, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        load_config(write(tiny, **settings))


def test_other_names_are_taken(tiny: Path) -> None:
    settings = {"name": "tiny", "results": "tiny-what-if", "levels_dbm": [-0.5, 20.0, 20.01, 36]}
    assert load_config(write(tiny, ("fixed30", "slave30", "fixed", "a-b", "collection2"), **settings))


PARTS = ("a", "b", "ch21", "label", "20dbm", "collection", "max_eirp")


def test_no_file_item_or_intermediate_of_a_territory_that_is_taken_has_two_owners(tiny: Path) -> None:
    """All pairs of ids made of parts of the names, against the names that the jobs use."""
    ids = ["a", *PARTS[1:], *(f"a_{part}" for part in PARTS), *(f"{part}_a" for part in PARTS)]
    taken = refused = 0
    pairs = [pair for pair in permutations(dict.fromkeys(ids), 2) if "a" in pair]
    for pair in pairs:
        write(tiny, pair, levels_dbm=[20.0])
        try:
            plan = load_plan(tiny)
        except InputError:
            refused += 1
            continue
        taken += 1
        files = run_files.published_files(plan)
        files += [name for channel in ("21", "22") for name in run_files.protection_files(plan, channel)]
        assert max(Counter(name.casefold() for name in files).values()) == 1, pair
        stems = Counter(Path(name).stem for name in run_files.raster_files(plan))
        # A stack is shown by its channels' files: only it may share a name, with nothing but its style.
        assert max(stems.values()) == 1, pair
        for item, names in run_files.stac_items(plan).items():
            device, _, channel = item.rpartition("_ch")
            own = {f"public/{kind}_{item}.tif" for kind in ("max_eirp", "limiting_service", "eval_flags")}
            if channel.isdigit() and device in pair:
                assert set(names) == own, item
            else:
                assert item in pair
                assert all(f"_{item}" in name for name in names)
    assert min(taken, refused) > 15
