"""Which transmitters count, their modes, and the planning values they get."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from scene import CHANNEL, GRID, config, scene

from pipeline.coverage.channel import split_blocks, write_servers
from pipeline.coverage.inputs import Planning, channel_inputs, planning_values
from pipeline.coverage.network import (
    outline_m,
    select_channel,
    with_countries,
    with_default_mode,
    within_reach,
)
from pipeline.errors import InputError
from pipeline.reference.ratio_tables import ModeValues

MODES = {("DVB-T", "64QAM 2/3"): ModeValues(20.0, 7.61), ("DVB-T2", "256QAM 2/3"): ModeValues(20.0, 7.77)}


def stations(**columns):
    return xr.Dataset({name: ("transmitter", np.array(values)) for name, values in columns.items()})


def test_channel_and_neighbours_are_selected_in_order_of_id():
    data = stations(id=["b", "a", "d", "c"], channel=[30, 31, 32, 29])
    assert select_channel(data, 30)["id"].values.tolist() == ["a", "b", "c"]


def test_empty_mode_becomes_the_default_with_its_system():
    data = stations(system=["", "DVB-T2", "DVB-T2"], mode=["", "", "256QAM 2/3"])
    filled = with_default_mode(data, ("DVB-T", "64QAM 2/3"))
    assert filled["mode"].values.tolist() == ["64QAM 2/3", "64QAM 2/3", "256QAM 2/3"]
    assert filled["system"].values.tolist() == ["DVB-T", "DVB-T", "DVB-T2"]


def test_reach_counts_from_the_edge_of_the_grid():
    # the grid lies between about 13.96 and 14.94 deg E at 46.2 deg N; 1 deg of longitude is 77 km
    data = stations(lon_deg=[14.5, 16.0, 17.0], lat_deg=[46.2, 46.2, 46.2])
    assert within_reach(data, outline_m(GRID), 100.0).tolist() == [True, True, False]
    assert within_reach(data, outline_m(GRID), 1.0).tolist() == [True, False, False]


def test_planning_values_by_mode_and_offset():
    data = stations(channel=[30, 31], system=["DVB-T", "DVB-T2"], mode=["64QAM 2/3", "256QAM 2/3"])
    ratio = {("DVB-T", 0): 20.0, ("DVB-T", 1): -30.0, ("DVB-T2", 0): 21.0, ("DVB-T2", 1): -31.0}
    found = planning_values(
        data, 30, 546.0, config().coverage, MODES, lambda mode, offset: ratio[mode[0], offset]
    )
    assert found.modes == (("DVB-T", "64QAM 2/3"), ("DVB-T2", "256QAM 2/3"))
    assert found.ratio_db.tolist() == [[20.0, -30.0], [21.0, -31.0]]
    # kTB of 7.61 MHz -105.16 dBm, + 6 + 20 - 9.15 + 77.216 + 54.74
    assert found.noise_dbuvm[0] == pytest.approx(43.65, abs=0.02)
    assert found.noise_dbuvm[1] - found.noise_dbuvm[0] == pytest.approx(10 * np.log10(7.77 / 7.61))


def test_unknown_mode_is_refused():
    data = stations(channel=[30], system=["DVB-T"], mode=["1024QAM 9/9"])
    with pytest.raises(InputError, match="1024QAM 9/9"):
        planning_values(data, 30, 546.0, config().coverage, MODES, lambda mode, offset: 0.0)


def test_without_polygons_stations_belong_to_the_territory():
    data = with_countries(config(), stations(country=["", "AT"]))
    assert data["country"].values.tolist() == ["SI", "AT"]


def test_guard_interval_and_power_reach_the_kernels():
    made = scene()
    inputs = channel_inputs(made.transmitters, made.sweeps, made.planning, config(), CHANNEL)
    assert inputs.stations.guard_km[0] == pytest.approx(60.0 * 0.299792458)
    assert inputs.stations.guard_km[1] == pytest.approx(224.0 * 0.299792458)
    assert 10 ** (inputs.stations.erp_dbkw / 10) == pytest.approx(made.transmitters["erp_kw"].values)
    assert inputs.stations.network.tolist() == [0 if k in (0, 2, 4, 12) else -1 for k in range(14)]


def test_blocks_split_into_two_files_keep_their_values():
    rng = np.random.default_rng(1)
    blocks = [
        (
            slice(k, k + 1),
            slice(0, 4),
            rng.random((6, 1, 4)).astype(np.float32),
            rng.integers(0, 65536, (3, 1, 4)).astype(np.uint16),
        )
        for k in range(3)
    ]
    levels, classes = split_blocks(iter(blocks))
    for (rows, _, expected, _), (found_rows, _, found) in zip(blocks, list(levels), strict=True):
        assert found_rows == rows
        assert np.array_equal(found, expected)
    for (_, cols, _, expected), (_, found_cols, found) in zip(blocks, list(classes), strict=True):
        assert found_cols == cols
        assert np.array_equal(found, expected)


def test_servers_file_lists_transmitters_and_modes_in_order(tmp_path):
    made = scene()
    data = made.transmitters.assign(site=made.transmitters["id"])
    planning = Planning(made.planning.modes, made.planning.noise_dbuvm, made.planning.ratio_db)
    write_servers(tmp_path / "ch30_servers.json", data, planning)
    content = json.loads((tmp_path / "ch30_servers.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in content["transmitters"]] == data["id"].values.tolist()
    assert [row["polarisation"] for row in content["transmitters"]] == data["polarisation"].values.tolist()
    assert content["modes"] == [list(mode) for mode in made.planning.modes]
