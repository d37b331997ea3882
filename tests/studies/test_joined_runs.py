"""`channelmaps join` refuses runs that are not parts of one whole, by file, field and value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.publish.release import MANIFEST
from pipeline.studies.joined_maps import join_command
from pipeline.studies.joined_runs import JoinedRuns, check_values, read_joined
from tests import published
from tests.published import publish

Part = Callable[..., Path]
BOXES = {"land-1-1": "[14.0, 46.0, 14.15, 46.2]", "land-1-2": "[14.15, 46.0, 14.3, 46.2]"}


@pytest.fixture
def part(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    """A function that publishes a part, on the same land as all others; one device channel."""
    text = tiny.read_text().replace('wsd: ["21-30"]', "wsd: [21]")

    def made(name: str, *, gaps: Mapping[str, float] = published.GAPS, **changed: str) -> Path:
        path = tiny.parent / f"{name}.yaml"
        its = text.replace("[14.0, 46.0, 14.3, 46.2]", BOXES[name])
        for old, new in changed.values():
            assert old in its
            its = its.replace(old, new)
        path.write_text(its, encoding="utf-8")
        return publish(path, run_id=f"{name}-run", gaps=gaps)

    return made


def joined(*runs: Path) -> JoinedRuns:
    found = read_joined(runs, Path("out"))
    check_values(found)
    return found


def test_runs_with_equal_values_in_common_pixels_are_joined(part: Part) -> None:
    found = joined(part("land-1-1"), part("land-1-2"))
    assert found.plan.config.name == "land"
    assert found.plan.config.territory.bbox_deg == (14.0, 46.0, 14.3, 46.2)
    assert [layer.file for layer in found.layers] == ["public/max_eirp_fixed30_ch21.tif"]
    raw = published.random_levels(21, 0.1)
    rows, cols = np.nonzero(raw != published.OUTSIDE)
    assert (found.grid.height, found.grid.width) == (np.ptp(rows) + 1, np.ptp(cols) + 1)


def test_other_values_in_common_pixels_are_refused(part: Part) -> None:
    runs = part("land-1-1"), part("land-1-2", gaps={"fixed30": 0.3})
    with pytest.raises(InputError, match=r"row \d+, column \d+ of the joined grid: parts have different"):
        joined(*runs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("q_min: {value: 0.70", "q_min: {value: 0.80"), r"field coverage.q_min.value: .*another setting"),
        (("resolution_m: 500.0", "resolution_m: 400.0"), "field grid.resolution_m"),
        (("EPSG:3794", "EPSG:3035"), "field grid.crs"),
        (("levels_dbm: [0.0, 20.0, 36.0]", "levels_dbm: [0.0, 20.0]"), "field levels_dbm"),
        (("wsd: [21]", "wsd: [22]"), "field channels.wsd"),
        (("id: fixed30", "id: other30"), "field devices.*"),
    ],
)
def test_other_settings_are_refused(part: Part, change: tuple[str, str], said: str) -> None:
    first, second = part("land-1-1"), part("land-1-2", change=change)
    with pytest.raises(InputError, match=said) as fault:
        joined(first, second)
    assert fault.value.file == str(second.resolve() / MANIFEST)
    assert fault.value.allowed is not None


def test_title_may_differ(part: Part) -> None:
    found = joined(part("land-1-1"), part("land-1-2", title=("\ngrid:", "\ntitle: East\ngrid:")))
    assert found.plan.config.title == ""


def test_other_inputs_and_other_code_are_refused(part: Part, tiny: Path) -> None:
    first, second = part("land-1-1"), part("land-1-2")
    path = second / MANIFEST
    facts = json.loads(path.read_text())
    for change, said in (
        ({"software": {**facts["software"], "code": {"combine": "x"}}}, "another version of the program"),
        ({"inputs": [{**entry, "sha256": "0" * 64} for entry in facts["inputs"]]}, "another input file"),
    ):
        path.chmod(0o644)
        path.write_text(json.dumps({**facts, **change}))
        with pytest.raises(InputError, match=said):
            joined(first, second)


@pytest.mark.parametrize(("step_m", "said"), [(100.0, "pixels between"), (200.0, None)])
def test_pixels_between_those_of_the_others_are_refused(
    part: Part, monkeypatch: pytest.MonkeyPatch, step_m: float, said: str | None
) -> None:
    first = part("land-1-1")
    monkeypatch.setattr(published, "WEST_M", published.WEST_M + step_m)
    second = part("land-1-2")
    # Moved by a whole pixel the values of the two fall on one another, and differ.
    with pytest.raises(InputError, match=said or "different values in one pixel"):
        joined(first, second)


def test_one_part_twice_and_a_single_one_are_refused(part: Part) -> None:
    first = part("land-1-1")
    with pytest.raises(InputError, match=r"territory: is given twice.*found 'land-1-1'"):
        joined(first, first.parent / "latest")
    with pytest.raises(InputError, match="single run"):
        joined(first)


def test_damaged_raster_is_refused_before_anything_is_written(part: Part) -> None:
    first, second = part("land-1-1"), part("land-1-2")
    damaged = second / "public/max_eirp_fixed30_ch21.tif"
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes() + b"0")
    with pytest.raises(InputError, match="is damaged"):
        join_command([first, second], Path("out"))
    assert not Path("out").exists()


def test_folder_that_holds_something_is_refused(part: Part) -> None:
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        join_command([part("land-1-1"), part("land-1-2")], Path("out"))
    assert [path.name for path in Path("out").iterdir()] == ["notes.txt"]
