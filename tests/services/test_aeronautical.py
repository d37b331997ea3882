"""Aeronautical radionavigation: distances of Resolutions 749 and 760, and numbers that no source gives."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
import yaml
from pyproj import Geod
from service_scene import GRID, SIZE, lonlat_deg, make_context, whole, write_csv

from pipeline.errors import InputError
from pipeline.reference.arns_systems import largest_distance_km, read_arns_table
from pipeline.services import aeronautical
from pipeline.services.base import ServiceContext
from pipeline.services.table import service_code, service_row
from tests.asking import explain, prepare

TABLE = Path("configs/tables/arns_systems.yaml")
CHANNEL = 45  # 662-670 MHz
GEOD = Geod(ellps="WGS84")


def context_with(folder: Path, repository: Path, **settings: object) -> ServiceContext:
    return make_context(folder, repository, incumbents={"aeronautical": settings})


def borders(folder: Path, country: str, shape: shapely.Geometry) -> str:
    frame = geopandas.GeoDataFrame({"iso2": [country]}, geometry=[shape], crs=4326)
    frame.to_file(folder / "borders.gpkg")
    return str(folder / "borders.gpkg")


def limit_on(context: ServiceContext, channel: int = CHANNEL):
    limit = prepare("aeronautical", context, context.config.devices[0], channel)
    assert limit is not None
    return limit(*whole())


@pytest.mark.parametrize(
    ("code", "receiving", "transmitting"),
    [
        ("AA8", (50, 50), (125, 175)),
        ("BD", (410, 410), (432, 432)),
        ("BA", (50, 50), (250, 275)),
        ("BC", (150, 150), (432, 432)),
        ("AA2", (50, 75), (300, 325)),
        ("AB", (125, 175), (400, 450)),
        ("ground", (125, 175), (400, 450)),
        ("airborne", (410, 410), (432, 432)),
    ],
)
def test_distances_are_those_of_the_resolutions(
    repository: Path, code: str, receiving: tuple[int, int], transmitting: tuple[int, int]
) -> None:
    table = read_arns_table(repository / TABLE)
    for base, pair in (("receiving", receiving), ("transmitting", transmitting)):
        for share, expected in zip(("half_or_more", "less_than_half"), pair, strict=True):
            assert largest_distance_km(table, [code], base, share, file=TABLE) == expected


def test_administrations_are_those_of_5_312(repository: Path) -> None:
    table = read_arns_table(repository / TABLE)
    bands = {entry.country: entry.bands_mhz for entry in table.administrations}
    assert set(bands) == {"AM", "AZ", "BY", "RU", "GE", "KZ", "UZ", "KG", "TJ", "TM", "UA", "BG"}
    assert bands["BG"] == [(726, 753), (778, 811), (822, 852)]
    assert all(receiver.field_dbuvm is None for receiver in table.receivers)


def geodesic_square_km(lon: float, lat: float, row: int, col: int) -> float:
    """Smallest distance from a place to a dense lattice of points of the pixel's square."""
    inner = np.linspace(0, 1, 11)
    x = GRID.west_m + (col + inner) * GRID.resolution_m
    y = GRID.north_m - (row + inner) * GRID.resolution_m
    lons, lats = lonlat_deg(*np.meshgrid(x, y))
    return float(GEOD.inv(np.full_like(lons, lon), np.full_like(lats, lat), lons, lats)[2].min()) / 1000


@pytest.mark.parametrize(("share", "distance_km"), [("half_or_more", 125.0), ("less_than_half", 175.0)])
def test_station_closes_what_is_nearer_than_its_distance(
    tmp_path: Path, repository: Path, share: str, distance_km: float
) -> None:
    # A station so far east that its circle ends inside the grid.
    lon, lat, _ = GEOD.fwd(*lonlat_deg(506_000.0, 104_000.0), 80.0, distance_km * 1000)
    path = write_csv(
        tmp_path / "arns.csv", [{"id": "S", "lon": lon, "lat": lat, "code": "AA8", "country": "UA"}]
    )
    context = context_with(tmp_path, repository, stations=str(path), land_share=share)
    found = limit_on(context)
    closed = np.isneginf(found.eirp_dbm)
    assert 0.2 < closed.mean() < 0.8
    assert (found.label[closed] == service_code("aeronautical")).all()
    for row, col in [(r, c) for r in range(0, SIZE, 3) for c in range(0, SIZE, 3)]:
        d_km = geodesic_square_km(lon, lat, row, col)
        assert closed[row, col] or d_km > distance_km
        # The scale of the projection towards the station makes distances shorter by less than a kilometre.
        assert not closed[row, col] or d_km < distance_km + 1.0
    told = explain(
        "aeronautical", context, context.config.devices[0], CHANNEL, *map(int, np.argwhere(closed)[0])
    )
    assert told is not None
    assert told.victim["id"] == "S"


@pytest.mark.slow
def test_country_closes_what_is_nearer_than_the_largest_distance(tmp_path: Path, repository: Path) -> None:
    west, south = lonlat_deg(957_000.0, 60_000.0)
    land = shapely.box(west, south - 3, west + 2, south + 3)
    context = context_with(tmp_path, repository, borders=borders(tmp_path, "UA", land))
    closed = np.isneginf(limit_on(context).eirp_dbm)
    assert closed.any()
    assert not closed.all()
    edge = shapely.segmentize(land, 0.05).exterior.coords
    edge_deg = np.array([point for point in edge if point[0] == west])
    for row, col in [(0, 0), (0, 23), (12, 12), (23, 0), (23, 23), (10, 20), (20, 4), (5, 14), (5, 8)]:
        d_km = min(geodesic_square_km(x, y, row, col) for x, y in edge_deg)
        assert closed[row, col] or d_km > 450.0
        assert not closed[row, col] or d_km < 453.0
    limit = prepare("aeronautical", context, context.config.devices[0], CHANNEL)
    assert limit is not None
    assert np.array_equal(np.isneginf(limit(slice(3, 11), slice(5, 24)).eirp_dbm), closed[3:11, 5:24])


@pytest.mark.parametrize(
    ("country", "channel", "concerned"),
    # Channel 42 is 638-646 MHz, the first to overlap 645-862 MHz.
    [("UA", 41, False), ("UA", 42, True), ("UA", 48, True), ("BG", 48, False), ("AT", 48, False)],
)
def test_only_overlapping_bands_of_listed_countries_concern_a_channel(
    tmp_path: Path, repository: Path, country: str, channel: int, concerned: bool
) -> None:
    path = borders(tmp_path, country, shapely.box(15, 46, 17, 47))
    found = limit_on(context_with(tmp_path, repository, borders=path), channel)
    assert np.isneginf(found.eirp_dbm).all() == concerned
    assert np.isposinf(found.eirp_dbm).all() != concerned


def test_trigger_without_numbers_is_not_evaluated_where_it_could_concern(
    tmp_path: Path, repository: Path
) -> None:
    land = shapely.box(20.5, 43, 25, 49)
    context = context_with(tmp_path, repository, borders=borders(tmp_path, "UA", land), mode="field_trigger")
    near = limit_on(context)
    assert np.isposinf(near.eirp_dbm).all()
    closed = context_with(tmp_path, repository, borders=str(tmp_path / "borders.gpkg"))
    assert np.array_equal(near.not_evaluated, np.isneginf(limit_on(closed).eirp_dbm))
    assert near.not_evaluated.any()
    assert not limit_on(context, 30).not_evaluated.any()


def test_trigger_with_numbers_is_a_field_at_the_station(tmp_path: Path, repository: Path) -> None:
    content = yaml.safe_load((repository / TABLE).read_text())
    content["receivers"][0] |= {"field_dbuvm": 42.0, "bandwidth_mhz": 4.0}
    table = tmp_path / "systems.yaml"
    table.write_text(yaml.safe_dump(content))
    lon, lat = lonlat_deg(505_250.0, 104_250.0)
    rows = [{"id": "S", "lon": lon, "lat": lat, "code": "AA8", "country": "UA"}]
    path = write_csv(tmp_path / "arns.csv", rows)
    context = context_with(tmp_path, repository, stations=str(path), systems=str(table), mode="field_trigger")
    found = limit_on(context)
    assert not found.not_evaluated.any()
    # 42 dBuV/m in 4 MHz at 666 MHz, half of the power overlaps, 20 m and 20 m of rise in free space.
    field = 42 - 77.216 - 20 * math.log10(666)
    loss = 32.4 + 20 * math.log10(666) + 20 * math.log10(math.hypot(20, 20) / 1000)
    assert found.eirp_dbm[11, 10] == pytest.approx(field + loss + 10 * math.log10(2), abs=0.01)
    told = explain("aeronautical", context, context.config.devices[0], CHANNEL, 11, 10)
    assert told is not None
    assert sum(term.value_db for term in told.terms) == pytest.approx(found.eirp_dbm[11, 10], abs=1e-9)
    unknown = write_csv(tmp_path / "arns.csv", [rows[0] | {"code": "AB"}])
    context = context_with(
        tmp_path, repository, stations=str(unknown), systems=str(table), mode="field_trigger"
    )
    assert limit_on(context).not_evaluated.all()


def test_station_of_an_administration_without_bands_is_refused(tmp_path: Path, repository: Path) -> None:
    lon, lat = lonlat_deg(505_250.0, 104_250.0)
    row = {"id": "S", "lon": lon, "lat": lat, "code": "AA8", "country": "XX"}
    context = context_with(tmp_path, repository, stations=str(write_csv(tmp_path / "arns.csv", [row])))
    with pytest.raises(InputError, match="no band") as caught:
        list(aeronautical.check(service_row("aeronautical"), context.config, None))
    assert (caught.value.row, caught.value.field, caught.value.value) == (2, "country", "XX")


def test_without_polygons_or_section_nothing_is_evaluated(tmp_path: Path, repository: Path) -> None:
    content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text())
    territory = {key: value for key, value in content["territory"].items() if key != "world"}
    context = make_context(tmp_path, repository, incumbents={"aeronautical": {}}, territory=territory)
    device = context.config.devices[0]
    assert prepare("aeronautical", context, device, CHANNEL) is None
    assert prepare("aeronautical", context, device, 30) is not None  # below 645 MHz: no such service
    empty = replace(context, config=context.config.model_copy(update={"incumbents": None}))
    assert prepare("aeronautical", empty, device, CHANNEL) is None


def test_unknown_code_is_refused(tmp_path: Path, repository: Path) -> None:
    context = context_with(
        tmp_path, repository, codes=["XX"], borders=borders(tmp_path, "UA", shapely.box(15, 46, 17, 47))
    )
    with pytest.raises(InputError, match="no such system"):
        limit_on(context)
