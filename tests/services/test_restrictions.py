"""Limits by decision: reserved channels, polygons, caps, relay sites, manual adjustments."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod, Transformer
from service_scene import GRID, SIZE, lonlat_deg, make_context, whole, write_csv

from pipeline.availability.combine import combine
from pipeline.budget import Budget, Term
from pipeline.errors import InputError
from pipeline.quantise import NOT_PERMITTED
from pipeline.radio.emission import device_cap_dbm
from pipeline.registers.areas import parse_channels, read_adjustments, read_exclusions, read_masks
from pipeline.services import exclusion_areas, relay_sites
from pipeline.services.adjustments import adjusted_budget, adjusted_limit
from pipeline.services.base import ServiceContext, ServiceLimit, unlimited
from pipeline.services.evaluated import prepare_services, settled_flags
from pipeline.services.table import service_code, service_row
from tests.asking import explain, prepare

OUT = {
    name: {"status": "out_of_scope", "reason": "test"}
    for name in ("dtt", "foreign_dtt", "pmse", "radio_astronomy", "aeronautical", "mobile", "ppdr", "fixed")
}


def context_with(folder: Path, repository: Path, **settings: object) -> ServiceContext:
    return make_context(folder, repository, areas=settings, services=OUT)


def published(context: ServiceContext, channel: int):
    device = context.config.devices[0]
    limits = [(s.flags, s.limit(*whole())) for s in prepare_services(context, device, channel)]
    return combine(
        limits,
        np.ones((SIZE, SIZE), np.bool_),
        cap_dbm=device_cap_dbm(device),
        settled_flags=settled_flags(context.config, device),
    )


def polygon_deg(points_m: list[tuple[float, float]]) -> shapely.Polygon:
    return shapely.Polygon([lonlat_deg(x, y) for x, y in points_m])


def polygon_csv(path: Path, rows: list[dict[str, object]]) -> str:
    return str(write_csv(path, rows))


# --- reserved channels and caps -----------------------------------------------------------------------------


def test_reserved_channel_is_closed_everywhere_and_its_neighbour_is_not(
    tmp_path: Path, repository: Path
) -> None:
    context = context_with(tmp_path, repository, reserved=[{"channels": ["37-38"], "reason": "PMSE"}])
    closed = published(context, 38)
    assert (closed.limit_centi_dbm == NOT_PERMITTED).all()
    assert (closed.limiting_service == 10).all()
    free = published(context, 39)
    assert (free.limit_centi_dbm == 3600).all()
    assert (free.limiting_service == 9).all()
    told = explain("reserved_channel", context, context.config.devices[0], 38, 3, 4)
    assert told is not None
    assert told.terms[0].note == "PMSE"
    assert explain("reserved_channel", context, context.config.devices[0], 39, 3, 4) is None


def test_decisions_are_always_evaluated(tmp_path: Path, repository: Path) -> None:
    flags = published(context_with(tmp_path, repository), 30).eval_flags
    for bit in (9, 10, 11, 15):
        assert (flags & (1 << bit) != 0).all()


def test_channel_cap_holds_for_the_class_and_keeps_the_label_of_the_cap(
    tmp_path: Path, repository: Path
) -> None:
    table = tmp_path / "caps.csv"
    rows = ["channel,emission_class,cap_dbm,source,verified", "37,*,20,made up,false"]
    rows += ["37,1,12.5,made up,false", "39,5,-10,made up,false"]
    table.write_text("\n".join(rows) + "\n")
    context = context_with(tmp_path, repository, channel_caps=str(table))
    assert (published(context, 37).limit_centi_dbm == 1250).all()
    assert (published(context, 37).limiting_service == service_code("device_cap")).all()
    assert (published(context, 39).limit_centi_dbm == 3600).all()  # class 5 only
    told = explain("channel_caps", context, context.config.devices[0], 37, 0, 0)
    assert told is not None
    assert sum(term.value_db for term in told.terms) == 12.5


# --- exclusion polygons -------------------------------------------------------------------------------------


def test_exclusion_closes_every_pixel_that_the_polygon_touches(tmp_path: Path, repository: Path) -> None:
    rng = np.random.default_rng(11)
    for case in range(12):
        centre = rng.uniform([500_500, 98_500], [511_500, 109_500])
        radius = rng.uniform(100, 4000, 9)
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        points = centre + radius[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
        path = tmp_path / f"zone{case}.csv"
        shape = polygon_deg([tuple(p) for p in points])
        if not shape.is_valid:
            continue
        polygon_csv(path, [{"channels": "21-23;38", "reason": "quiet zone", "wkt": shape.wkt}])
        context = context_with(tmp_path, repository, exclusions=[str(path)])
        limit = prepare("exclusion_area", context, context.config.devices[0], 38)(*whole())
        expected = touched_by_definition(shape)
        found = np.isneginf(limit.eirp_dbm)
        assert not (expected & ~found).any()
        # A pixel that is touched in a corner only may be closed or not by a hair: never more than a few.
        assert (found & ~expected).sum() <= 2
        assert (limit.label[found] == service_code("exclusion_area")).all()
        open_channel = prepare("exclusion_area", context, context.config.devices[0], 24)(*whole())
        assert np.isposinf(open_channel.eirp_dbm).all()


def touched_by_definition(shape_deg: shapely.Polygon) -> np.ndarray:
    to_grid = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True)
    shape = shapely.transform(
        shapely.segmentize(shape_deg, 0.001),
        lambda xy: np.column_stack(to_grid.transform(xy[:, 0], xy[:, 1])),
    )
    row, col = np.mgrid[0:SIZE, 0:SIZE]
    west = GRID.west_m + col * GRID.resolution_m
    north = GRID.north_m - row * GRID.resolution_m
    squares = shapely.box(west, north - GRID.resolution_m, west + GRID.resolution_m, north)
    return shapely.intersects(squares, shape)


MASKED = [(502_030, 101_040), (506_050, 101_570), (505_020, 106_030)]


def mask(path: Path, **values: object) -> Path:
    shape = polygon_deg(MASKED)
    row = {
        "channels": "21-30",
        "cap_dbm": "",
        "cap_density_dbm_per_100khz": "",
        "reason": "radar",
        "source": "MoD",
    }
    return Path(polygon_csv(path, [{**row, **values, "wkt": shape.wkt}]))


def test_mask_caps_the_pixels_that_it_touches(tmp_path: Path, repository: Path) -> None:
    path = mask(tmp_path / "masks.csv", cap_dbm=12.5)
    inside = touched_by_definition(polygon_deg(MASKED))
    context = context_with(tmp_path, repository, masks=[str(path)])
    found = published(context, 22)
    sure = inside & (found.limit_centi_dbm == 1250)
    assert (inside ^ sure).sum() <= 2
    assert (found.limit_centi_dbm[~inside] == 3600).sum() >= (~inside).sum() - 2
    assert (found.limiting_service[sure] == service_code("exclusion_area")).all()
    assert (published(context, 31).limit_centi_dbm == 3600).all()
    row, col = np.argwhere(sure)[0]
    told = explain("exclusion_area", context, context.config.devices[0], 22, int(row), int(col))
    assert told is not None
    assert [(term.value_db, term.note) for term in told.terms] == [(12.5, "radar (MoD)")]


@pytest.mark.parametrize("channel", [22, 31])
def test_licensed_channels_are_closed_outside_their_service_contours(
    tmp_path: Path, repository: Path, channel: int
) -> None:
    """Channel 22 in pixels wholly inside the contour, 31 nowhere: no licence names it."""
    shape = polygon_deg(MASKED)
    row = {"channels": "21-30", "reason": "licence 7", "wkt": shape.wkt}
    contour = polygon_csv(tmp_path / "licensed.csv", [row])
    context = context_with(tmp_path, repository, licensed=[contour])
    found = published(context, channel).limit_centi_dbm
    projected = shapely.Polygon(MASKED)
    west_m, north_m = GRID.transform.c, GRID.transform.f
    size_m = GRID.resolution_m
    inside = np.zeros((SIZE, SIZE), bool)
    surely_not = np.zeros((SIZE, SIZE), bool)
    for y in range(SIZE):
        for x in range(SIZE):
            square = shapely.box(
                west_m + x * size_m,
                north_m - (y + 1) * size_m,
                west_m + (x + 1) * size_m,
                north_m - y * size_m,
            )
            inside[y, x] = projected.buffer(-5.0).contains(square) and channel == 22
            surely_not[y, x] = not projected.buffer(5.0).contains(square) or channel == 31
    assert (found[inside] == 3600).all()
    assert (found[surely_not] == NOT_PERMITTED).all()
    assert (inside | surely_not).mean() > 0.95
    assert inside.any() == (channel == 22)
    row, col = np.argwhere(surely_not)[0]
    told = explain("exclusion_area", context, context.config.devices[0], channel, int(row), int(col))
    assert told is not None
    assert "service contours" in told.terms[0].note


def test_density_of_a_mask_counts_in_the_bandwidth_of_the_device(tmp_path: Path) -> None:
    """-5 dBm in 100 kHz: 14.03 dBm in 8 MHz, 11.99 dBm in 5 MHz; the smaller of both caps holds."""
    (wide,) = read_masks([mask(tmp_path / "a.csv", cap_density_dbm_per_100khz=-5.0)])
    assert wide.eirp_dbm(8.0) == pytest.approx(14.031, abs=1e-3)
    assert wide.eirp_dbm(5.0) == pytest.approx(11.990, abs=1e-3)
    (both,) = read_masks([mask(tmp_path / "b.csv", cap_dbm=13.0, cap_density_dbm_per_100khz=-5.0)])
    assert (both.eirp_dbm(8.0), both.eirp_dbm(5.0)) == (13.0, pytest.approx(11.990, abs=1e-3))


def test_stricter_of_exclusion_and_mask_holds(tmp_path: Path, repository: Path) -> None:
    shape = polygon_deg(MASKED)
    zone = polygon_csv(tmp_path / "z.csv", [{"channels": "22", "reason": "observatory", "wkt": shape.wkt}])
    path = mask(tmp_path / "masks.csv", cap_dbm=12.5)
    context = context_with(tmp_path, repository, masks=[str(path)], exclusions=[str(zone)])
    found = published(context, 22)
    assert not (found.limit_centi_dbm == 1250).any()
    assert (found.limit_centi_dbm == NOT_PERMITTED).any()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "mask without a cap"),
        ({"cap_dbm": 36.5}, "above the cap of every device"),
        ({"cap_density_dbm_per_100khz": 40.0}, "above the cap of every device"),
        ({"cap_dbm": 10.0, "source": ""}, "source"),
        ({"cap_dbm": 10.0, "channels": "70"}, "not in the plan"),
        ({"cap_dbm": "nan"}, "cap_dbm"),
    ],
)
def test_mask_that_means_nothing_is_refused(tmp_path: Path, repository: Path, values, said: str) -> None:
    context = context_with(tmp_path, repository, masks=[str(mask(tmp_path / "masks.csv", **values))])
    with pytest.raises(InputError, match=said):
        list(exclusion_areas.check(service_row("exclusion_area"), context.config, None))


def test_exclusions_of_geojson_and_geopackage_are_the_same(tmp_path: Path, repository: Path) -> None:
    shape = polygon_deg([(502_000, 101_000), (506_000, 101_500), (505_000, 106_000)])
    feature = {
        "type": "Feature",
        "geometry": json.loads(shapely.to_geojson(shape)),
        "properties": {"channels": "*", "reason": "observatory"},
    }
    geojson = tmp_path / "zones.geojson"
    geojson.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    import geopandas

    geopackage = tmp_path / "zones.gpkg"
    frame = geopandas.GeoDataFrame({"channels": ["*"], "reason": ["observatory"]}, geometry=[shape], crs=4326)
    frame.to_crs(3794).to_file(geopackage)
    masks = []
    for path in (geojson, geopackage):
        context = context_with(tmp_path, repository, exclusions=[str(path)])
        device = context.config.devices[0]
        limit = prepare("exclusion_area", context, device, 48)
        masks.append(np.isneginf(limit(*whole()).eirp_dbm))
        part = np.isneginf(limit(slice(4, 19), slice(7, 9)).eirp_dbm)
        assert np.array_equal(part, masks[-1][4:19, 7:9])
        row, col = np.argwhere(masks[-1])[0]
        told = explain("exclusion_area", context, device, 48, int(row), int(col))
        assert told is not None
        assert told.victim["reasons"] == ["observatory"]
        assert explain("exclusion_area", context, device, 48, 23, 23) is None
    assert masks[0].any()
    assert np.array_equal(*masks)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"channels": "21-x", "reason": "a", "wkt": "POLYGON((14 46,15 46,15 47,14 46))"}, "channels"),
        ({"channels": "*", "reason": "", "wkt": "POLYGON((14 46,15 46,15 47,14 46))"}, "reason"),
        ({"channels": "*", "reason": "a", "wkt": "POINT(14 46)"}, "geometry"),
        ({"channels": "*", "reason": "a", "wkt": "POLYGON((14 46,"}, "wkt"),
        (
            {"channels": "*", "reason": "a", "wkt": "POLYGON((500000 1e5,500100 1e5,500100 2e5,500000 1e5))"},
            "geometry",
        ),
    ],
)
def test_faulty_area_is_refused(tmp_path: Path, row: dict[str, object], said: str) -> None:
    path = write_csv(tmp_path / "zones.csv", [row])
    with pytest.raises(InputError, match=said):
        read_exclusions([path])


def test_channels_are_numbers_ranges_or_all() -> None:
    assert parse_channels("21-23;38") == {21, 22, 23, 38}
    assert parse_channels("*") is None


# --- relay sites --------------------------------------------------------------------------------------------


def keyhole_table(folder: Path) -> str:
    path = folder / "keyhole.csv"
    rows = ["kind,circle_km,arc_km,half_angle_deg,source,verified", "co,2,9,30,made up,false"]
    path.write_text("\n".join([*rows, "adjacent,0.5,3,30,made up,false"]) + "\n")
    return str(path)


@pytest.mark.parametrize(("channel", "circle_km", "arc_km"), [(30, 2.0, 9.0), (31, 0.5, 3.0), (29, 0.5, 3.0)])
def test_keyhole_is_the_circle_and_the_arc_towards_the_parent(
    tmp_path: Path, repository: Path, channel: int, circle_km: float, arc_km: float
) -> None:
    lon, lat = lonlat_deg(504_230.0, 102_120.0)
    parent = lonlat_deg(530_000.0, 120_000.0)
    path = write_csv(
        tmp_path / "relays.csv",
        [
            {
                "id": "K",
                "lon": lon,
                "lat": lat,
                "channel": 30,
                "parent_lon": parent[0],
                "parent_lat": parent[1],
            }
        ],
    )
    context = context_with(
        tmp_path, repository, relay_sites=str(path), relay_distances=keyhole_table(tmp_path)
    )
    device = context.config.devices[0]
    limit = prepare("relay_sites", context, device, channel)(*whole())
    found = np.isneginf(limit.eirp_dbm)
    geod = Geod(ellps="WGS84")
    axis = geod.inv(lon, lat, *parent)[0]
    to_lonlat = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
    inner = np.linspace(0, 1, 9)
    for row in range(SIZE):
        for col in range(SIZE):
            x = GRID.west_m + (col + inner) * GRID.resolution_m
            y = GRID.north_m - (row + inner) * GRID.resolution_m
            lons, lats = to_lonlat.transform(*np.meshgrid(x, y))
            azimuth, _, d_m = geod.inv(np.full_like(lons, lon), np.full_like(lats, lat), lons, lats)
            off_axis = np.abs((azimuth - axis + 180) % 360 - 180)
            d_km = d_m / 1000
            inside = (d_km <= circle_km) | ((d_km <= arc_km) & (off_axis <= 30))
            if inside.any():
                assert found[row, col], (row, col)
            # Beyond by more than the corners of the pixel's circumscribed circle: free.
            clear = (d_km.min() > circle_km + 0.01) and (
                d_km.min() > arc_km + 0.01 or off_axis.min() > 30 + math.degrees(0.3 / d_km.min())
            )
            if clear:
                assert not found[row, col], (row, col)
    told = explain("relay_sites", context, device, channel, *map(int, np.argwhere(found)[0]))
    assert told is not None
    assert told.victim["id"] == "K"
    assert not np.isneginf(prepare("relay_sites", context, device, 33)(*whole()).eirp_dbm).any()


def test_site_without_parent_keeps_the_whole_circle_of_the_arc_free(tmp_path: Path, repository: Path) -> None:
    lon, lat = lonlat_deg(506_000.0, 104_000.0)
    row = {"id": "K", "lon": lon, "lat": lat, "channel": 30, "parent_lon": "", "parent_lat": ""}
    path = write_csv(tmp_path / "relays.csv", [row])
    context = context_with(
        tmp_path, repository, relay_sites=str(path), relay_distances=keyhole_table(tmp_path)
    )
    limit = prepare("relay_sites", context, context.config.devices[0], 30)(*whole())
    assert np.isneginf(limit.eirp_dbm).all()


@pytest.mark.parametrize(
    ("lon", "lat", "problem"),
    [
        ("", 46.2, "half a place"),
        (14.6, "", "half a place"),
        (46.2, 14.6, "out of reach"),  # exchanged
        (-14.6, 46.2, "out of reach"),  # the wrong sign
        (0, 0, "out of reach"),
    ],
)
def test_parent_from_which_nothing_is_received_is_refused(
    tmp_path: Path, repository: Path, lon: object, lat: object, problem: str
) -> None:
    at = lonlat_deg(506_000.0, 104_000.0)
    row = {"id": "K", "lon": at[0], "lat": at[1], "channel": 30, "parent_lon": lon, "parent_lat": lat}
    path = write_csv(tmp_path / "relays.csv", [row])
    context = context_with(
        tmp_path, repository, relay_sites=str(path), relay_distances=keyhole_table(tmp_path)
    )
    with pytest.raises(InputError, match=problem) as caught:
        list(relay_sites.check(service_row("relay_sites"), context.config, None))
    assert (caught.value.row, caught.value.field) == (2, "parent_lon")


# --- manual adjustments -------------------------------------------------------------------------------------


def adjustments_csv(folder: Path, changes: list[tuple[str, float, shapely.Polygon]]) -> str:
    rows = [
        {
            "channels": channels,
            "adjustment_db": change,
            "who": "A. Officer",
            "when": "2026-11-21",
            "why": "complaint 7",
            "wkt": shape.wkt,
        }
        for channels, change, shape in changes
    ]
    return str(write_csv(folder / "adjustments.csv", rows))


def dtt_of(value_dbm: float):
    def limit(rows: slice, cols: slice) -> ServiceLimit:
        empty = unlimited(rows, cols)
        return ServiceLimit(
            np.full(empty.eirp_dbm.shape, value_dbm), np.full_like(empty.label, 1), empty.not_evaluated
        )

    return limit


@pytest.mark.parametrize(
    ("dtt_dbm", "change_db", "expected_dbm"),
    [
        (10.0, -3.0, 7.0),
        (10.0, 4.0, 14.0),
        (50.0, -3.0, 33.0),  # below the cap, as the DTT layer is capped
        (math.inf, -3.0, 33.0),
        (34.0, 10.0, 44.0),  # the cap itself is taken afterwards
        (10.0, -100.0, -math.inf),
    ],
)
def test_adjustment_is_added_to_the_limit_by_dtt(
    tmp_path: Path, repository: Path, dtt_dbm: float, change_db: float, expected_dbm: float
) -> None:
    shape = polygon_deg([(502_100, 100_100), (508_100, 100_100), (508_100, 106_100), (502_100, 106_100)])
    path = adjustments_csv(tmp_path, [("30", change_db, shape)])
    context = context_with(tmp_path, repository, adjustments=[path])
    device = context.config.devices[0]
    limit = adjusted_limit(dtt_of(dtt_dbm), context, device, 30)(*whole())
    inside, outside = (14, 10), (2, 2)
    assert limit.eirp_dbm[inside] == expected_dbm
    assert limit.label[inside] == service_code("manual_adjustment")
    assert limit.eirp_dbm[outside] == dtt_dbm
    assert limit.label[outside] == 1
    other_channel = adjusted_limit(dtt_of(dtt_dbm), context, device, 31)(*whole())
    assert (other_channel.eirp_dbm == dtt_dbm).all()


def test_raise_holds_only_wholly_inside_and_a_cut_wherever_it_touches(
    tmp_path: Path, repository: Path
) -> None:
    shape = polygon_deg([(502_100, 100_100), (508_100, 100_100), (508_100, 106_100), (502_100, 106_100)])
    masks = []
    for change_db in (5.0, -5.0):
        path = adjustments_csv(tmp_path, [("*", change_db, shape)])
        context = context_with(tmp_path, repository, adjustments=[path])
        limit = adjusted_limit(dtt_of(0.0), context, context.config.devices[0], 30)(*whole())
        masks.append(limit.eirp_dbm != 0.0)
    raised, cut = masks
    # 12.x pixels of 500 m: 11 whole ones each way, 13 touched.
    assert raised.sum() == 11 * 11
    assert cut.sum() == 13 * 13
    assert (cut | ~raised).all()


def test_overlapping_adjustments_add_up_and_are_explained(tmp_path: Path, repository: Path) -> None:
    shape = polygon_deg([(500_000, 98_000), (512_000, 98_000), (512_000, 110_000), (500_000, 110_000)])
    smaller = polygon_deg([(503_000, 101_000), (509_000, 101_000), (509_000, 107_000), (503_000, 107_000)])
    path = adjustments_csv(tmp_path, [("*", -2.5, shape), ("30", 1.25, smaller)])
    context = context_with(tmp_path, repository, adjustments=[path])
    device = context.config.devices[0]
    limit = adjusted_limit(dtt_of(12.0), context, device, 30)(*whole())
    assert limit.eirp_dbm[12, 12] == 12.0 - 2.5 + 1.25

    by_dtt = Budget({"server": 1}, (Term("made up", 12.0),), 1)
    told = adjusted_budget(by_dtt, context, device, 30, 12, 12)
    assert told is not None
    assert sum(term.value_db for term in told.terms) == limit.eirp_dbm[12, 12]
    assert "A. Officer" in told.terms[-1].note
    nothing = adjusted_budget(None, context, device, 30, 12, 12)
    assert nothing is not None
    assert sum(term.value_db for term in nothing.terms) == 36.0 - 2.5 + 1.25


def test_adjustment_holds_where_dtt_is_not_evaluated(tmp_path: Path, repository: Path) -> None:
    shape = polygon_deg([(499_000, 97_000), (513_000, 97_000), (513_000, 111_000), (499_000, 111_000)])
    path = adjustments_csv(tmp_path, [("30", -6.0, shape)])
    context = context_with(tmp_path, repository, adjustments=[path])
    found = published(context, 30)
    assert (found.limit_centi_dbm == 3000).all()
    assert (found.limiting_service == service_code("manual_adjustment")).all()
    assert (published(context, 31).limit_centi_dbm == 3600).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"adjustment_db": "-101"}, "adjustment_db"),
        ({"adjustment_db": "much"}, "adjustment_db"),
        ({"when": "yesterday"}, "when"),
        ({"who": ""}, "who"),
    ],
)
def test_faulty_adjustment_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    row = {
        "channels": "*",
        "adjustment_db": -3,
        "who": "A",
        "when": "2026-11-21",
        "why": "b",
        "wkt": "POLYGON((14 46,15 46,15 47,14 46))",
    }
    with pytest.raises(InputError, match=said):
        read_adjustments([write_csv(tmp_path / "a.csv", [row | change])])
