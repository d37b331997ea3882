"""The service of a radio by hand: power control, losses over terrain, television that tables do not know."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod

from pipeline.coverage.loss_lookup import pack_losses, tables_of
from pipeline.links.base_stations import BaseStation, all_radios
from pipeline.links.link_terrain import LinkGround, link_ends, look_along
from pipeline.links.service_maps import ServiceRules, StationLimits, StationPixels, service_of
from pipeline.links.station_terrain import losses_to_clients, station_terrain
from pipeline.links.television_stations import _unknown_at
from pipeline.rates.client_radios import ClientRow
from pipeline.rates.link_modes import read_modes
from pipeline.terrain.loss_tables import UNKNOWN
from pipeline.terrain.path_profiles import profile_ground
from pipeline.terrain.records import LonLatRaster
from tests.coverage.test_loss_lookup import FULL, SECTOR, fields, tables_of_masts

CHANNEL = 30


@pytest.mark.parametrize("shape", [FULL, SECTOR])
def test_unknown_is_what_an_unknown_node_would_change(shape: tuple[float, float, int]) -> None:
    """Whatever stands at the unknown nodes, fields elsewhere are the same."""
    rng = np.random.default_rng(11)
    first_deg, step_deg, radials = shape
    width_deg = min(360.0, step_deg * (radials - 1 if shape == SECTOR else radials))
    d_km, az_deg = rng.uniform(7.3, 38.0, 4000), first_deg + rng.uniform(0.0, width_deg, 4000)
    for table in tables_of_masts(rng, shape):
        unknown = rng.random(table.codes.shape[1:]) < 0.05
        # Both ends of the circle, and the last range that places lie before.
        unknown[0, :9] = unknown[-1, -9:] = True
        seen = []
        for code in (0, 60_000):
            filled = table.codes.copy()
            filled[0, unknown] = code
            seen.append(fields(pack_losses(tables_of([table._replace(codes=filled)])), 0, 0, d_km, az_deg))
        codes = table.codes.copy()
        codes[0, unknown] = UNKNOWN
        found = _unknown_at(table._replace(codes=codes), d_km, az_deg % 360.0)
        assert found.tolist() == (seen[0] != seen[1]).tolist()
        assert 0.1 < found.mean() < 0.6


def test_power_control_of_both_directions_is_that_of_the_maps(tmp_path: Path) -> None:
    """7 Mbit/s from -90 dBm and 12 from -60, at most -40 dBm at the input, 10 dB down in steps of 2."""
    head = "table,mode,rate_mbps,sensitivity_dbm,bandwidth_mhz,noise_figure_db,scalable,max_input_dbm,"
    head += "tpc_step_db,tpc_range_db,source,verified"
    rows = [f"own,{name},{level},8,6,no,-40,2,10,test,false" for name, level in (("a,7", -90), ("b,12", -60))]
    (tmp_path / "own.csv").write_text("\n".join([head, *rows]) + "\n")
    sector = {"id": "A", "gain_dbi": 9, "power_dbm": 27, "radios": [{"id": "1", "channel": str(CHANNEL)}]}
    station = BaseStation.model_validate({"id": "s", "lon": 0, "lat": 0, "height_m": 30, "sectors": [sector]})
    (radio,) = all_radios([station])
    client = ClientRow(id="c", gain_dbi=9, height_m=10, power_dbm=20)
    rules = ServiceRules(read_modes(str(tmp_path / "own.csv")), client, 0.0)
    # Down 45 dBm less the loss, up 38: 1 dB above the range, the whole of it, down alone, neither.
    loss_db = np.array([74.0, 75.0, 80.0, 100.0, 80.0])
    television_dbm = np.array([-math.inf] * 4 + [-55.0])
    count = np.full(5, 1.0)
    pixels = StationPixels(
        np.arange(5),
        0.0 * count,
        {CHANNEL: loss_db},
        {CHANNEL: 99.0 * count},
        {CHANNEL: television_dbm},
        count,
    )
    found = service_of(radio, CHANNEL, StationLimits({CHANNEL: 36.0}, {}), pixels, rules)
    assert found.rate_mbps.tolist() == [0.0, 12.0, 12.0, 7.0, 0.0]
    # Power control leaves television as strong as it is, here -46 dBm beside a level of -41 dBm.
    noise_dbm = -173.9752 + 10.0 * math.log10(8e6) + 6.0
    harmed_dbm = -41.0 - 10.0 * math.log10(1.0 + 10.0 ** (0.1 * (-46.0 - noise_dbm)))
    assert found.margin_db.tolist() == pytest.approx(
        [math.nan, 49.0, 48.0, 28.0, harmed_dbm + 90.0], abs=1e-3, nan_ok=True
    )


def test_losses_of_all_channels_are_those_of_paths_of_their_own() -> None:
    """Tables at four frequencies serve channels between them; within 5 km paths are not from a table."""
    y, x = np.mgrid[:400, :400]
    hills_m = (300.0 + 120.0 * np.sin(x / 9.0) * np.cos(y / 13.0)).astype(np.float32)
    elevation = LonLatRaster(hills_m, 14.0, 46.2, 0.001, 0.001)
    profiles = profile_ground(elevation, elevation._replace(values=np.ones(hills_m.shape, np.uint8)))
    ground = LinkGround(profiles, 0.1, 45.0, 325.0)
    sector = {"id": "A", "gain_dbi": 9, "power_dbm": 27, "radios": [{"id": "1"}]}
    station = BaseStation.model_validate(
        {"id": "s", "lon": 14.2, "lat": 46, "height_m": 30, "sectors": [sector]}
    )
    f_mhz = {channel: 474.0 + 8.0 * (channel - 21) for channel in (21, 25, 35, 48)}
    terrain = station_terrain(ground, station, 10.0, f_mhz, 12.0)
    assert [round(table.f_mhz) for table in terrain.tables] == [474, 537, 609, 690]
    rng = np.random.default_rng(6)
    d_km, azimuth_deg = rng.uniform(0.05, 12.0, 400), rng.uniform(0.0, 360.0, 400)
    site = np.full(400, 14.2), np.full(400, 46.0)
    lon_deg, lat_deg, _ = Geod(ellps="WGS84").fwd(*site, azimuth_deg, 1e3 * d_km)
    found = losses_to_clients(terrain, (lon_deg, lat_deg), d_km, azimuth_deg)
    ends = link_ends(
        np.stack([site[0], lon_deg], axis=1),
        np.stack([site[1], lat_deg], axis=1),
        np.tile([30.0, 10.0], (400, 1)),
    )
    expected_db = look_along(ground, ends, list(f_mhz.values()), sight=False).loss_db
    near = d_km < 5.0
    for c, channel in enumerate(f_mhz):
        away_db = np.abs(found[channel] - expected_db[:, c])
        assert away_db[near].max() < 1e-9
        assert np.median(away_db[~near]) < 0.2
        assert np.percentile(away_db[~near], 90) < 1.5
    # Beyond the radius nothing is known.
    assert np.isnan(
        losses_to_clients(terrain, (lon_deg, lat_deg), d_km + 6.0, azimuth_deg)[21][d_km > 6.2]
    ).all()
