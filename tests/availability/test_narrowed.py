"""What narrowed offsets hide, counted from stored maps, against counting the limits by the whole table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.availability.limit_tags import limit_file
from pipeline.availability.narrowed import channels_without_maps, narrowing_effects
from pipeline.config.protection import MANDATORY_OFFSETS
from pipeline.grid import raster
from pipeline.grid.layer_files import make_layer
from pipeline.plan.territory_file import load_config
from pipeline.reference.limiting_channels import with_all_offsets
from tests.dtt.test_protection_maps import CHANNEL, HOME, Case
from tests.jobs import run_from

# Rows at +-1 to +-3 and +9; 5 channels away the row of the third counts.
AWAY = CHANNEL + 5


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Case:
    case = Case(tmp_path_factory.mktemp("narrowed"), repository, 200.0, {"height_m": 10.0})
    content = yaml.safe_load(case.config_path.read_text())
    content["channels"]["wsd"] = [CHANNEL, AWAY]
    content["protection"]["offsets"] = list(MANDATORY_OFFSETS)
    content["levels_dbm"] = [0.0, 20.0, 36.0]
    case.config_path.write_text(yaml.safe_dump(content))
    case.config = load_config(case.config_path)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    for channel in (CHANNEL, AWAY):
        centi = np.where(case.surface == HOME, 3600, -32768).astype(np.int16)
        fields = {"device": "fixed30", "bandwidth_mhz": 8.0, "channel": channel}
        layer = make_layer("max_eirp", centi, case.grid, fields)
        path = case.folder / limit_file("fixed30", channel)
        path.parent.mkdir(exist_ok=True)
        raster.write(path, layer, tags={}, publish=False)
    return case


def test_effect_counts_what_the_whole_table_takes_away(case: Case) -> None:
    """Both channels are published as permitted everywhere; only the one 5 away has victims left out."""
    whole = with_all_offsets(case.config)
    narrow, case.config = case.config, whole
    limit_dbm = case.limit(AWAY).eirp_dbm[case.surface == HOME]
    case.config = narrow
    found = narrowing_effects(narrow, case.folder, [CHANNEL])
    pixels = int((case.surface == HOME).sum())
    taken = {level: int((limit_dbm < level).sum()) for level in (0.0, 20.0, 36.0)}
    assert found == [("fixed30", level, 2 * pixels, taken[level]) for level in (0.0, 20.0, 36.0)]
    assert len(set(taken.values()) - {0}) > 1


def test_nothing_is_counted_where_nothing_is_narrowed(case: Case) -> None:
    assert narrowing_effects(with_all_offsets(case.config), case.folder, [CHANNEL]) == []


def test_channels_without_maps_are_named(case: Case) -> None:
    """Offsets +8 and +4 from the nearer one have a row or take one; -12 lies beyond the rows -3 to +9."""
    occupied = [CHANNEL - 8, CHANNEL - 4, CHANNEL, CHANNEL + 12]
    assert channels_without_maps(case.config, occupied, [CHANNEL]) == [CHANNEL - 8, CHANNEL - 4]
