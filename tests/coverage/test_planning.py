"""Which transmitters count, their modes, and the planning values they get."""

from __future__ import annotations

import json
import weakref

import numpy as np
import pytest
import xarray as xr
from scene import CHANNEL, GRID, config, scene, sweep

from pipeline.blocks import block_slices
from pipeline.config.channels import Channels
from pipeline.config.protection import Protection
from pipeline.coverage.channel import write_results, write_servers
from pipeline.coverage.inputs import (
    Planning,
    channel_inputs,
    channel_slots,
    pack_paths,
    pack_stations,
    planning_values,
)
from pipeline.coverage.network import (
    load_paths,
    select_channels,
    station_details,
    with_countries,
    with_default_mode,
    within_reach,
)
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.geodesy import outline_m
from pipeline.grid.grid import Grid
from pipeline.radio.channel_plan import plan_neighbours
from pipeline.reference.ratio_tables import ModeValues, read_protection_tables
from pipeline.reference.ratios import dtt_overlap_ratio_db
from pipeline.terrain.records import write_sweeps

MODE = ("DVB-T", "64QAM 2/3")
MODES = {("DVB-T", "64QAM 2/3"): ModeValues(20.0, 7.61), ("DVB-T2", "256QAM 2/3"): ModeValues(20.0, 7.77)}


def stations(**columns):
    return xr.Dataset({name: ("transmitter", np.array(values)) for name, values in columns.items()})


def test_profiles_of_files_are_those_of_memory_in_order_of_mast(tmp_path):
    rng = np.random.default_rng(8)
    made = {key: sweep(rng, sea=key != "m3", terrain=key != "m2") for key in ("m1", "m2", "m3")}
    write_sweeps(tmp_path / "terrain" / "a.npz", [{key: made[key] for key in ("m1", "m3")}])
    write_sweeps(tmp_path / "terrain" / "b.npz", [{"m2": made["m2"]}])
    masts = {"mast": ["m3", "m2", "m1", "m3"], "tile": ["a", "b", "a", "a"]}
    found = load_paths(config(), tmp_path, stations(**masts, antenna_height_agl_m=[30.0, 20.0, 10.0, 30.0]))
    for k, key in enumerate(("m1", "m2", "m3")):
        for name in ("heff_m", "hb_m", "sea_pieces", "tca_counts"):
            start, values = getattr(found, f"{name.split('_')[0]}_start"), getattr(found, name)
            table = getattr(made[key], name)
            assert start[k + 1] - start[k] == table.size
            assert np.array_equal(values[start[k] : start[k + 1]], table.ravel())
        assert found.radials[k] == made[key].heff_m.size
        assert found.highest_m[k] == max(
            10.0 * (k + 1), made[key].heff_m.max(), made[key].hb_m.max(initial=0)
        )
    assert len(found.sea_start) == 4
    assert found.sea_pieces.size == made["m1"].sea_pieces.size + made["m2"].sea_pieces.size


def test_one_profile_at_a_time_is_held_while_they_are_packed():
    rng, held = np.random.default_rng(9), []

    def profiles():
        for _ in range(5):
            assert sum(table() is not None for table in held) <= 2, "the sea and hb of the one before"
            made = sweep(rng, sea=True, terrain=True)
            held.extend(weakref.ref(table) for table in (made.sea_pieces, made.hb_m))
            yield made

    assert pack_paths(profiles(), [50.0] * 5).sea_start.size == 6
    assert not any(table() is not None for table in held)


def test_channel_and_neighbours_are_selected_in_order_of_id():
    data = stations(id=["b", "a", "d", "c"], channel=[30, 31, 32, 29])
    assert select_channels(data, [29, 30, 31])["id"].values.tolist() == ["a", "b", "c"]


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
    ratio = {("DVB-T", 30): 20.0, ("DVB-T", 31): -30.0, ("DVB-T2", 30): 21.0, ("DVB-T2", 31): -31.0}
    found = planning_values(
        data, 546.0, config().coverage, MODES, lambda mode, channel: ratio[mode[0], channel]
    )
    assert found.modes == (("DVB-T", "64QAM 2/3"), ("DVB-T2", "256QAM 2/3"))
    assert found.ratio_db.tolist() == [[20.0, -30.0], [21.0, -31.0]]
    # kTB of 7.61 MHz -105.16 dBm, + 6 + 20 - 9.15 + 77.216 + 54.74
    assert found.noise_dbuvm[0] == pytest.approx(43.65, abs=0.02)
    assert found.noise_dbuvm[1] - found.noise_dbuvm[0] == pytest.approx(10 * np.log10(7.77 / 7.61))


def test_unknown_mode_is_refused():
    data = stations(channel=[30], system=["DVB-T"], mode=["1024QAM 9/9"])
    with pytest.raises(InputError, match="1024QAM 9/9"):
        planning_values(data, 546.0, config().coverage, MODES, lambda mode, offset: 0.0)


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


def test_levels_and_classes_are_written_together_whatever_the_blocks(tmp_path):
    """Tiles without values are left out of the files and read as before."""
    grid, rng = Grid("EPSG:3794", 200.0, 400_000.0, 200_000.0, 1200, 1100), np.random.default_rng(1)
    levels = rng.random((6, *grid.shape)).astype(np.float32)
    levels[:, :512, 512:1024] = np.nan
    classes = rng.integers(0, 65536, (3, *grid.shape)).astype(np.uint16)
    for side in (512, 1024):
        places = block_slices(grid.shape, side)
        blocks = ((*place, levels[:, *place], classes[:, *place]) for place in places)
        write_results(tmp_path / f"by{side}", grid, blocks)
    assert np.array_equal(raster.read(tmp_path / "by512.tif").values, levels, equal_nan=True)
    assert np.array_equal(raster.read(tmp_path / "by512_class.tif").values, classes)
    for ending in (".tif", "_class.tif"):
        first, second = (tmp_path / f"by{side}{ending}" for side in (512, 1024))
        assert first.read_bytes() == second.read_bytes()
    tiles_bytes = 4 * 6 * (grid.height * grid.width - 512 * 512)
    assert (tmp_path / "by512.tif").stat().st_size < tiles_bytes


def test_servers_file_lists_transmitters_and_modes_in_order(tmp_path):
    made = scene()
    data = made.transmitters.assign(site=made.transmitters["id"])
    planning = Planning(made.planning.modes, made.planning.noise_dbuvm, made.planning.ratio_db)
    write_servers(tmp_path / "ch30_servers.json", data, planning)
    content = json.loads((tmp_path / "ch30_servers.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in content["transmitters"]] == data["id"].values.tolist()
    assert [row["polarisation"] for row in content["transmitters"]] == data["polarisation"].values.tolist()
    assert content["modes"] == [list(mode) for mode in made.planning.modes]


def test_station_of_unknown_height_above_ground_is_listed_without_one(tmp_path):
    made = scene()
    data, count = (
        made.transmitters.assign(site=made.transmitters["id"]),
        made.transmitters.sizes["transmitter"],
    )
    columns = dict.fromkeys(("tile", "station_type", "protection"), np.full(count, ""))
    columns |= dict.fromkeys(("dq_pct", "threshold_dbuvm", "guard_fraction", "fft"), np.full(count, np.nan))
    data = data.assign(
        {name: ("transmitter", values) for name, values in columns.items() if name not in data}
    )
    data["antenna_height_agl_m"][0] = np.nan
    details = station_details(config(), data, np.full(count, np.nan))
    write_servers(tmp_path / "ch30_servers.json", data, made.planning, details)
    rows = json.loads((tmp_path / "ch30_servers.json").read_text(encoding="utf-8"))["transmitters"]
    assert ["antenna_agl_m" in row for row in rows] == [False] + [True] * (count - 1)
    assert not any("ground_asl_m" in row for row in rows)


# 174-181, 181-188 MHz of 7 MHz, 181-189, 189-197 MHz of 8 MHz, and 470-478 MHz numbered on.
TWO_RASTERS = [
    {"first_channel": 5, "last_channel": 6, "first_centre_mhz": 177.5, "width_mhz": 7.0},
    {"first_channel": 7, "last_channel": 8, "first_centre_mhz": 185.0, "width_mhz": 8.0},
    {"first_channel": 9, "last_channel": 9, "first_centre_mhz": 474.0, "width_mhz": 8.0},
]


@pytest.mark.parametrize(
    ("channel", "slots"), [(5, [5, 6, 7]), (6, [5, 6, 7]), (7, [5, 6, 7, 8]), (8, [7, 8]), (9, [9])]
)
def test_channels_of_two_rasters_that_touch_or_overlap_are_neighbours(channel, slots):
    channels = Channels(plan=TWO_RASTERS, wsd=[5])
    found = channel_slots(channels, channel)
    assert sorted(set(found)) == slots
    assert found[1] == channel
    assert len(found) >= 3


def test_ratios_of_two_rasters_are_those_of_touching_and_of_common_width():
    """Channel 7 (181-189): 5 touches, 6 (181-188) lies wholly inside, 8 touches, 9 is far away."""
    channels, tables, key = Channels(plan=TWO_RASTERS, wsd=[5]), read_protection_tables(Protection()), MODE
    near = plan_neighbours(channels, 7)
    found = {n: dtt_overlap_ratio_db(tables, key, *place) for n, place in near.items()}
    assert found == {5: -30.0, 6: 20.0, 7: 20.0, 8: -30.0}
    # Channel 6 loses an eighth of the interference of the wider channel 7: 20 + 10 log10(7/8).
    overlapping = dtt_overlap_ratio_db(tables, key, *plan_neighbours(channels, 6)[7])
    assert overlapping == pytest.approx(20 - 0.580, abs=1e-3)


def test_stations_of_another_channel_never_serve_however_they_overlap():
    slots = channel_slots(Channels(plan=TWO_RASTERS, wsd=[5]), 7)
    made = scene().transmitters
    data = made.isel(transmitter=slice(0, 4)).assign(channel=("transmitter", np.array([7, 6, 5, 8])))
    masts = sorted({str(key) for key in data["mast"].values})
    modes = sorted(
        {(str(s), str(m)) for s, m in zip(data["system"].values, data["mode"].values, strict=True)}
    )
    stations_of = pack_stations(data, slots, ["SI"], modes, masts, np.full(data.sizes["transmitter"], 224.0))
    assert (stations_of.offset == 0).tolist() == [True, False, False, False]
    assert [slots[offset + 1] for offset in stations_of.offset] == [7, 6, 5, 8]
