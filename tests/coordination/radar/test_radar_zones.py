"""Zones of registered radars and the administrations they concern."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from cr372 import record
from islands import BOX, COUNTRIES, GEOD, STEP_DEG, Paths

from pipeline.coordination.radar.borders import CountryPolygon, foreign_borders
from pipeline.coordination.radar.cr372_records import Radar
from pipeline.coordination.radar.ground import Clearance, clearance, land_mask
from pipeline.coordination.radar.resolution612 import Noise, RequiredSeparation, required_separation
from pipeline.coordination.radar.zones import (
    RegisteredRadar,
    affected,
    affected_frame,
    sea_profile_km,
    stations,
    zone,
    zone_intervals,
    zones_frame,
)

LAND = land_mask([country.shape for country in COUNTRIES], BOX, STEP_DEG)
ROOM = clearance(LAND, BOX[0], BOX[3], STEP_DEG)
BORDERS = foreign_borders(COUNTRIES, "HHH", BOX)
STATION = RegisteredRadar("test", "HHH", 10.5, 45.0, RequiredSeparation(42.0, 60.0, 180.0), ())


def radar(**changes: str) -> Radar:
    return Radar(*record(**changes).split(","))


@pytest.mark.parametrize(
    ("sea_km", "intervals"),
    [
        (30, [(0, 480)]),
        (100, [(0, 480)]),
        (200, [(0, 100), (200, 480)]),
        (math.inf, [(0, 100)]),
        (480, [(0, 100)]),
    ],
)
def test_zone_of_one_azimuth(sea_km, intervals):
    assert zone_intervals(sea_km, 100, 480) == intervals


def uniform(land: bool) -> Clearance:
    return clearance(np.full((800, 1600), land), 6.0, 49.0, 0.01)


@pytest.mark.parametrize(("land", "radius_km"), [(True, 60.0), (False, 180.0)])
def test_zone_over_one_kind_of_ground_is_a_disc(land, radius_km):
    shape = zone(STATION, uniform(land))
    area_km2 = abs(GEOD.geometry_area_perimeter(shape)[0]) / 1e6
    earth_km = 6371.0
    assert area_km2 == pytest.approx(
        2 * math.pi * earth_km**2 * (1 - math.cos(radius_km / earth_km)), rel=0.003
    )
    for azimuth in (0.0, 77.0, 233.0):
        for share, inside in ((0.999, True), (1.001, False)):
            lon, lat, _ = GEOD.fwd(10.5, 45.0, azimuth, 1000 * radius_km * share)
            assert shapely.contains_xy(shape, lon, lat) == inside


def test_zone_begins_again_at_the_first_sea():
    """South of the station the sea begins at 44 N, 111 km away: beyond the land limit."""
    shape = zone(STATION, ROOM)
    first_km = sea_profile_km(STATION, ROOM)[180]
    assert first_km == pytest.approx(GEOD.inv(10.5, 45.0, 10.5, 44.0)[2] / 1000, abs=4)
    for d_km, inside in (
        (59, True),
        (61, False),
        (first_km - 1, False),
        (first_km + 1, True),
        (179, True),
        (181, False),
    ):
        lon, lat, _ = GEOD.fwd(10.5, 45.0, 180.0, 1000 * d_km)
        assert shapely.contains_xy(shape, lon, lat) == inside, d_km
    assert np.isinf(sea_profile_km(STATION, ROOM)[0])


def test_zone_has_no_seams_between_its_sectors():
    """The land limit all around, and one piece beyond it for the sea in the south: no gap thin as a line."""
    shape = zone(STATION, ROOM)
    assert len(shape.geoms) == 2
    assert all(len(part.interiors) == 0 for part in shape.geoms)


def test_first_sea_agrees_with_every_sample():
    brute = Paths(LAND)
    found = sea_profile_km(STATION, ROOM)
    wrong = 0
    for azimuth in range(0, 360, 10):
        d_km = np.arange(1, 91) * 2.0
        lon, lat, _ = GEOD.fwd(np.full(90, 10.5), np.full(90, 45.0), np.full(90, float(azimuth)), 1000 * d_km)
        sea = np.flatnonzero(~brute.is_land(np.array(lon), np.array(lat)))
        expected_km = d_km[sea[0]] if len(sea) else math.inf
        wrong += not (found[azimuth] == expected_km or found[azimuth] == pytest.approx(expected_km, abs=0.01))
    assert wrong <= 1


def test_affected_administrations_agree_with_every_path():
    brute = Paths(LAND)
    lon, lat = BORDERS.lonlat_deg.T
    d_km = GEOD.inv(np.full_like(lon, 10.5), np.full_like(lat, 45.0), lon, lat)[2] / 1000
    within = np.flatnonzero(d_km <= 180)
    limit_km = np.full(len(lon), 60.0)
    limit_km[[i for i in within if brute.crosses_sea(10.5, 45.0, lon[i], lat[i])]] = 180.0
    found = {entry.administration: entry for entry in affected(STATION, BORDERS, ROOM)}
    owner = np.array(BORDERS.administrations)[BORDERS.points.administration]
    assert set(found) == set(owner[d_km <= limit_km])
    for name, entry in found.items():
        assert entry.least_km == pytest.approx(d_km[owner == name].min(), abs=1e-6)
        assert entry.margin_km == pytest.approx((d_km - limit_km)[owner == name].min(), abs=0.5)


def test_land_border_beyond_the_land_limit_is_not_affected():
    borders = foreign_borders([CountryPolygon("f", ("FFF",), shapely.box(11.5, 44, 12, 46))], "HHH")
    assert affected(STATION, borders, uniform(True)) == []
    (entry,) = affected(STATION, borders, uniform(False))
    assert entry.over_sea
    assert entry.margin_km == pytest.approx(entry.least_km - 180.0)


def test_layers_have_a_row_per_radar_and_administration():
    found = [STATION, STATION._replace(key="none", separation=None)]
    zones = zones_frame(found, ROOM)
    assert list(zones["radar"]) == ["test"]
    assert (zones["d_l_km"][0], zones["d_s_km"][0]) == (60, 180)
    assert zones.geometry.geom_type.tolist() == ["MultiPolygon"]
    assert zones.geometry.is_valid.all()
    assert zones.crs.to_epsg() == 4326
    rows = affected_frame(found, {"HHH": BORDERS}, ROOM)
    assert list(rows["adm"]) == [entry.administration for entry in affected(STATION, BORDERS, ROOM)]
    assert set(rows["path"]) <= {"land", "sea_or_mixed"}
    assert zones_frame([], ROOM).empty
    assert affected_frame([], BORDERS, ROOM).empty


def test_layers_can_be_written_and_read(tmp_path):
    path = tmp_path / "radar612.gpkg"
    zones_frame([STATION], ROOM).to_file(path, layer="radar612_zone", driver="GPKG")
    zones_frame([], ROOM).to_file(tmp_path / "empty.gpkg", layer="radar612_zone", driver="GPKG")
    assert path.exists()


def test_zone_is_cut_at_the_180th_meridian():
    station = STATION._replace(lon_deg=179.5)
    shape = zone(station, clearance(np.ones((800, 1600), bool), 172.0, 49.0, 0.01))
    west, _, east, _ = shape.bounds
    assert (west, east) == (-180.0, 180.0)
    disc_km2 = abs(GEOD.geometry_area_perimeter(zone(STATION, uniform(True)))[0])
    assert abs(GEOD.geometry_area_perimeter(shape)[0]) == pytest.approx(disc_km2, rel=1e-3)


def test_stations_of_a_register_carry_their_flags():
    found = stations(
        [
            radar(),
            radar(stn_type="RX", eirp_dBW=""),
            radar(eirp_dBW=""),
            radar(eirp_dBW="+25.1"),
            radar(freq_assgn="7"),
            radar(lat=""),
            radar(freq_assgn=""),
            radar(eirp_dBW="+25.0"),
        ]
    )
    assert [s.flags for s in found] == [
        (),
        ("RX_NO_COORD",),
        ("EIRP_MISSING",),
        ("EIRP_OVER_LIMIT",),
        ("RES612_NOT_APPLICABLE",),
        ("RES612_NOT_APPLICABLE",),
        (),
    ]
    assert [s.separation is None for s in found] == [False, True, False, False, True, True, False]
    assert found[0].separation == required_separation(4.463)
    assert stations([radar()], Noise.RURAL)[0].separation.sea_km == 790
    assert stations([radar(freq_assgn="7")], conservative_gap=True)[0].separation.row_mhz == 5
    assert (found[0].lat_deg, found[0].lon_deg) == pytest.approx((-31.218333, 115.328333), abs=1e-6)
