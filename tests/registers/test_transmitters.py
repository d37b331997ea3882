"""The register as a dataset: formats agree, real files parse, gaps and counts are as documented."""

import csv
import json
import math
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register, read_transmitters, summary
from tests.channel_plans import named_plan

PLAN = named_plan("8MHz")
SLOVENIA = Path("data") / "slovenia" / "transmitters.csv"
NUMBERS = {"channel", "centre_mhz", "bandwidth_mhz", "erp_kw", "antenna_height_agl_m", "site_height_asl_m"}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def frame_of(rows: list[dict[str, str]], *, coordinates: bool) -> gpd.GeoDataFrame:
    """The rows as a spatial table with typed columns, as a GIS would hold them."""
    points = [shapely.Point(float(row["lon"]), float(row["lat"])) for row in rows]
    columns = {
        name: [(float(row[name]) if row[name] else None) if name in NUMBERS else row[name] for row in rows]
        for name in rows[0]
        if coordinates or name not in {"lon", "lat"}
    }
    return gpd.GeoDataFrame(columns, geometry=points, crs="EPSG:4326")


@pytest.fixture(scope="module")
def table(repository) -> list[dict[str, str]]:
    return rows_of(repository / SLOVENIA)


@pytest.fixture(scope="module")
def from_csv(repository) -> xr.Dataset:
    return read_transmitters([repository / SLOVENIA], PLAN, lenient=False)[0]


@pytest.mark.shared_data
def test_lithuanian_register_has_94_assignments_on_26_channels(shared):
    path = shared / "data" / "real" / "lithuania" / "transmitters.csv"
    dataset, rejected = read_transmitters([path], PLAN, lenient=False)
    assert dataset.sizes["transmitter"] == 94
    assert len(np.unique(dataset["channel"])) == 26
    assert rejected == []
    counts = summary(dataset)
    assert (counts["default_mode"], counts["country_from_polygon"], counts["rejected_rows"]) == (94, 94, 0)
    # By hand from the file: Alytus on channel 47, azimuths 40, 45 (between 3.0 and 3.0), 50 and 65 degrees.
    first = dataset.sel(transmitter=0)
    assert (str(first["id"].values), float(first["erp_kw"])) == ("LT001", 0.77625)
    np.testing.assert_allclose(
        first["attenuation_db"].values[[40, 45, 50, 65]], [3.0, 3.0, 3.0, 1.9], atol=1e-6
    )


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "rows", "no_height"),
    [
        ("transmitters.csv", 2074, 78),
        ("transmitters_2015.csv", 2252, 98),
        ("transmitters_ca_mx_2015.csv", 1075, 1075),
    ],
)
def test_fcc_records_parse_with_haat_where_the_height_above_ground_is_missing(shared, name, rows, no_height):
    path = shared / "data" / "real" / "usa" / name
    dataset, rejected = read_transmitters([path], named_plan("6MHz"), lenient=True)
    assert dataset.sizes["transmitter"] + len(rejected) == rows
    assert rejected == []
    counts = summary(dataset)
    assert (counts["without_antenna_height_agl"], counts["polarisation_unknown"]) == (no_height, rows)
    assert np.isfinite(dataset["haat_m"]).all()
    assert set(dataset["system"].to_numpy()) == {"ATSC"}


@pytest.mark.shared_data
def test_records_outside_a_plan_are_counted_leniently_and_refused_strictly(shared):
    path = shared / "data" / "real" / "usa" / "transmitters.csv"
    plan = [segment for segment in named_plan("6MHz") if segment.first_channel == 14]
    expected = sum(int(row["channel"]) < 14 for row in rows_of(path))
    dataset, rejected = read_transmitters([path], plan, lenient=True)
    assert summary(dataset)["rejected_rows"] == len(rejected) == expected > 0
    assert {entry.field for entry in rejected} == {"channel"}
    with pytest.raises(InputError, match=f"and {expected - 1} more"):
        read_transmitters([path], plan, lenient=False)


@pytest.mark.parametrize("coordinates", [True, False])
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_geopackage_and_geojson_equal_the_csv(tmp_path, table, from_csv, suffix, coordinates):
    path = tmp_path / f"register{suffix}"
    frame_of(table, coordinates=coordinates).to_file(path, engine="pyogrio")
    dataset, rejected = read_transmitters([path], PLAN, lenient=False)
    assert rejected == []
    xr.testing.assert_identical(dataset, from_csv)


def test_projected_geopackage_is_brought_to_wgs84(tmp_path, table, from_csv):
    path = tmp_path / "register.gpkg"
    frame_of(table, coordinates=False).to_crs("EPSG:3794").to_file(path, engine="pyogrio")
    dataset, _ = read_transmitters([path], PLAN, lenient=False)
    # 1e-8 degree is about a millimetre: the rounding of the projection and back.
    np.testing.assert_allclose(dataset["lon_deg"], from_csv["lon_deg"], atol=1e-8)
    np.testing.assert_allclose(dataset["lat_deg"], from_csv["lat_deg"], atol=1e-8)


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_geopackage_without_crs_is_refused(tmp_path, table):
    path = tmp_path / "register.gpkg"
    frame_of(table, coordinates=False).set_crs(None, allow_override=True).to_file(path, engine="pyogrio")
    with pytest.raises(InputError, match="wrong CRS"):
        read_transmitters([path], PLAN, lenient=True)


def test_metres_declared_as_degrees_are_refused_as_a_place(tmp_path, table):
    path = tmp_path / "register.gpkg"
    frame = frame_of(table[:2], coordinates=False).to_crs("EPSG:3794")
    frame.set_crs("EPSG:4326", allow_override=True).to_file(path, engine="pyogrio")
    with pytest.raises(InputError) as refused:
        read_transmitters([path], PLAN, lenient=False)
    assert (refused.value.row, refused.value.field) == (1, "lon")


def test_moved_point_with_stale_columns_is_refused(tmp_path, table):
    path = tmp_path / "register.gpkg"
    frame = frame_of(table, coordinates=True)
    frame.loc[4, "geometry"] = shapely.Point(14.9, 46.2)
    frame.to_file(path, engine="pyogrio")
    with pytest.raises(InputError, match="contradicts the geometry") as refused:
        read_transmitters([path], PLAN, lenient=False)
    assert (refused.value.row, refused.value.field) == (5, "lon")


@pytest.mark.parametrize(
    ("change", "row", "words"),
    [
        (
            lambda content: content["features"][1].update(geometry={"type": "LineString", "coordinates": []}),
            2,
            "not a point",
        ),
        (lambda content: content["features"][1]["properties"].update(erp_kw=math.nan), 2, "not a number"),
        (lambda content: content["features"][1]["properties"].update(erp_kw="strong"), 2, "not a number"),
        (lambda content: content["features"][1].update(properties=[[1]]), None, "properties"),
        (lambda content: content.pop("features"), None, "feature collection"),
        (lambda content: content.update(crs={"properties": {"name": "nowhere"}}), None, "wrong CRS"),
    ],
)
def test_bad_geojson_is_refused(tmp_path, table, change, row, words):
    path = tmp_path / "register.geojson"
    content = json.loads(frame_of(table[:3], coordinates=False).to_json())
    content.pop("crs", None)
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=words) as refused:
        read_transmitters([path], PLAN, lenient=False)
    assert refused.value.row == row


@pytest.mark.parametrize(
    ("name", "content"), [("a.gpkg", b"id,site\n"), ("a.geojson", b"{"), ("a.xlsx", b"PK")]
)
def test_file_of_another_kind_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        read_transmitters([path], PLAN, lenient=True)


def test_byte_order_mark_line_ends_and_blank_lines_do_not_matter(tmp_path, repository, from_csv):
    text = (repository / SLOVENIA).read_text(encoding="utf-8")
    path = tmp_path / "register.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (text.replace("\n", "\r\n") + "\r\n\r\n").encode())
    xr.testing.assert_identical(read_transmitters([path], PLAN, lenient=False)[0], from_csv)


def test_order_of_rows_files_and_columns_does_not_matter(tmp_path, table, from_csv):
    halves = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path, rows in zip(halves, (table[40:], table[:40]), strict=True):
        with path.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, fieldnames=["note", *reversed(table[0])])
            writer.writeheader()
            writer.writerows({**row, "note": "unknown columns are ignored"} for row in reversed(rows))
    xr.testing.assert_identical(read_transmitters(halves, PLAN, lenient=False)[0], from_csv)


def test_id_used_in_two_files_is_refused(repository):
    path = repository / SLOVENIA
    with pytest.raises(InputError, match="id occurs twice") as refused:
        read_transmitters([path, path], PLAN, lenient=False)
    assert refused.value.row == 2


def test_lower_case_polarisation_and_country_are_understood(tmp_path, table):
    path = tmp_path / "register.csv"
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, fieldnames=list(table[0]))
        writer.writeheader()
        writer.writerow({**table[0], "polarisation": "v", "country": "si"})
    dataset, _ = read_transmitters([path], PLAN, lenient=False)
    assert (dataset["polarisation"].item(), dataset["country"].item()) == ("V", "SI")


def test_row_number_counts_lines_inside_quoted_cells(tmp_path, repository):
    lines = (repository / SLOVENIA).read_text(encoding="utf-8").splitlines()
    path = tmp_path / "register.csv"
    quoted = lines[1].replace("Krvavec", '"Krvavec"').replace("SI-A-WEST,SI", 'SI-A-WEST,"SI\n"')
    path.write_text("\n".join([lines[0], quoted, lines[2].replace("562", "570")]) + "\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_transmitters([path], PLAN, lenient=False)
    assert (refused.value.row, refused.value.field) == (4, "centre_mhz")


def test_masts_are_shared_by_assignments_with_the_same_antenna_place(from_csv, table):
    places = {
        (row["lon"], row["lat"], row["antenna_height_agl_m"], row["site_height_asl_m"]) for row in table
    }
    assert len(np.unique(from_csv["mast"])) == len(places)


@settings(max_examples=100, deadline=None)
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, 2999), st.integers(0, 5), st.binary(max_size=4)), min_size=1, max_size=4
    )
)
def test_damaged_file_is_read_or_refused_in_one_printable_line(tmp_path_factory, repository, cuts):
    content = bytearray((repository / SLOVENIA).read_bytes()[:3000])
    for start, length, junk in cuts:
        content[start : start + length] = junk
    path = tmp_path_factory.mktemp("damaged") / "register.csv"
    path.write_bytes(bytes(content))
    try:
        read_transmitters([path], PLAN, lenient=True)
    except InputError as error:
        message = str(error)
    else:
        message = ""
    assert message.isprintable()


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_multipoint_of_one_point_is_its_point_and_of_several_is_refused(tmp_path, table, from_csv, suffix):
    frame = frame_of(table, coordinates=False)
    frame["geometry"] = [shapely.MultiPoint([point]) for point in frame.geometry]
    frame.to_file(tmp_path / f"one{suffix}", engine="pyogrio")
    dataset, _ = read_transmitters([tmp_path / f"one{suffix}"], PLAN, lenient=False)
    xr.testing.assert_identical(dataset, from_csv)
    frame.loc[2, "geometry"] = shapely.MultiPoint([(14.5, 46.0), (14.6, 46.0)])
    frame.to_file(tmp_path / f"two{suffix}", engine="pyogrio")
    with pytest.raises(InputError, match="MultiPoint of 2 points") as refused:
        read_transmitters([tmp_path / f"two{suffix}"], PLAN, lenient=False)
    assert (refused.value.row, refused.value.field) == (3, "geometry")


@pytest.mark.parametrize(
    ("cells", "method", "field"),
    [
        ({"protection": "none", "station_type": "gap filler"}, "separation", None),
        ({"protection": "threshold", "threshold_dbuvm": "55"}, "degradation", None),
        ({"protection": "degradation", "dq_pct": "0.5"}, "degradation", None),
        ({"protection": "separation"}, "degradation", "protection"),
        ({"protection": "degradation"}, "threshold", "protection"),
        ({"protection": "threshold"}, "separation", "protection"),
        ({"protection": "always"}, "degradation", "protection"),
        ({"dq_pct": "0.5"}, "degradation", "dq_pct"),
        ({"protection": "none", "threshold_dbuvm": "55"}, "degradation", "threshold_dbuvm"),
        ({"station_type": "gapfiller"}, "degradation", "station_type"),
    ],
)
def test_rule_of_a_station_fits_the_method_of_the_territory(tmp_path, table, cells, method, field):
    config = load_config(Path("configs/slovenia.yaml"))
    rows = [dict(table[0]) | cells, *table[1:]]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (tmp_path / "register.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    changed = {
        "registers": config.registers.model_copy(update={"transmitters": [tmp_path / "register.csv"]}),
        "protection": config.protection.model_copy(update={"method": method}),
    }
    config = config.model_copy(update=changed)
    if field is not None:
        with pytest.raises(InputError) as refused:
            read_register(config)
        assert refused.value.field == field
        return
    counts = summary(read_register(config)[0])
    own = cells["protection"] != "none"
    assert (counts["protected_by_a_rule_of_their_own"], counts["not_protected"]) == (own, not own)
