"""`channelmaps validate-field` on synthetic measurements: known bias and spread on independent predictions.

The independent side is `predict_table` (P.1546 and free space on a table of links) with geodesic distances
of pyproj; the territory has no terrain, so that the effective height is the antenna's above ground.
"""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyproj import Geod
from rasterio.transform import from_origin
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from pipeline.studies.field_statistics import difference_db, residual_db, statistics
from pipeline.studies.measured_fields import Measurement, Predicted, predict_rows, read_measurements
from pipeline.studies.predict import predict_table
from tests.propagation.p1812_reference import loss
from tests.rasters import write_raster
from tests.tiny import STATIONS, write_register

MAST_M = 100.0


def independent_dbuvm(station: str, lon: np.ndarray, lat: np.ndarray, h2_m: float, model: str = "p1546"):
    """Field of a station of the tiny register and distance in km, from a table of links."""
    _, site_lon, site_lat, channel, erp_kw = next(entry for entry in STATIONS if entry[0] == station)
    sites = np.full(lon.size, site_lon), np.full(lon.size, site_lat)
    d_km = np.asarray(Geod(ellps="WGS84").inv(*sites, lon, lat)[2]) / 1000.0
    links = pd.DataFrame({"f_mhz": 474.0 + 8 * (channel - 21), "d_km": d_km, "h2_m": h2_m, "ptx_kw": erp_kw})
    if model == "p1546":
        links = links.assign(heff_m=MAST_M, ha_m=MAST_M, path_c="Land", d_v_km=d_km)
    else:
        links["d_km"] = np.hypot(d_km, (MAST_M - h2_m) / 1000.0)
    return predict_table(links, model)["field_dbuvm"].to_numpy(), d_km


def places(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    return rng.uniform(14.0, 14.3, count), rng.uniform(46.0, 46.2, count)


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def predicted(tiny: Path, rows: list[dict[str, object]]) -> list[Predicted]:
    config = load_config(tiny)
    register, _ = read_register(config)
    path = write(tiny.parent / "m.csv", rows)
    model = config.propagation.coverage_model
    return predict_rows(config, register, read_measurements(path, register), [model], path)[model]


@pytest.mark.parametrize(("model", "h2_m"), [("p1546", 10.0), ("p1546", 3.0), ("free_space", 10.0)])
def test_prediction_equals_the_table_of_links(tiny: Path, model: str, h2_m: float) -> None:
    tiny.write_text(tiny.read_text() + f"propagation: {{coverage_model: {model}}}\n")
    lon, lat = places(40)
    rows = [
        {"lon": x, "lat": y, "field_dbuvm": 50, "transmitter": "B", "h2_m": h2_m}
        for x, y in zip(lon, lat, strict=True)
    ]
    found = predicted(tiny, rows)
    expected_dbuvm, d_km = independent_dbuvm("B", lon, lat, h2_m, model)
    assert [entry.d_km for entry in found] == pytest.approx(d_km, rel=1e-4, abs=2e-4)
    assert [entry.field_dbuvm for entry in found] == pytest.approx(expected_dbuvm, abs=0.02)


STEP_DEG, WEST_DEG, NORTH_DEG = 1.0 / 240.0, 13.7, 46.5


def hills_m() -> np.ndarray:
    """Ridges across all paths, some hundred metres over the valleys."""
    y, x = np.mgrid[0:200, 0:220].astype(float)
    ridges_m = 350.0 + 250.0 * np.sin(x / 5.0 + y / 9.0) + 80.0 * np.cos(y / 3.0)
    return ridges_m.astype(np.float32)


def height_m(heights_m: np.ndarray, lon_deg: float, lat_deg: float) -> float:
    """Bilinear between the centres of pixels."""
    row, col = (NORTH_DEG - lat_deg) / STEP_DEG - 0.5, (lon_deg - WEST_DEG) / STEP_DEG - 0.5
    i, j = math.floor(row), math.floor(col)
    weights = np.outer([1 - (row - i), row - i], [1 - (col - j), col - j])
    return float((heights_m[i : i + 2, j : j + 2].astype(float) * weights).sum())


def with_hills(tiny: Path, model: str) -> None:
    """Give the territory the hills as its terrain model, and a model of coverage."""
    place = from_origin(WEST_DEG, NORTH_DEG, STEP_DEG, STEP_DEG)
    write_raster(tiny.parent / "dem.tif", hills_m(), place)
    air = "climate: {lapse_n_per_km: 50}"
    more = f"terrain: {{dem: [dem.tif]}}\npropagation: {{coverage_model: {model}, {air}}}\n"
    tiny.write_text(tiny.read_text() + more)


def with_column(tiny: Path, name: str, values: dict[str, str]) -> None:
    """Give the register a column, with values by id of the station."""
    header, *lines = (tiny.parent / "register.csv").read_text().splitlines()
    changed = [f"{header},{name}"] + [f"{line},{values.get(line.split(',')[0], '')}" for line in lines]
    (tiny.parent / "register.csv").write_text("\n".join(changed) + "\n")


@pytest.mark.parametrize("model", ["p1812", "p1546"])
def test_vertical_pattern_is_seen_from_the_ground_at_the_place(tiny: Path, model: str) -> None:
    """2 dB a degree, by the depression of method.md, section 3, from the heights of the terrain model."""
    with_hills(tiny, model)
    lon, lat = places(12)
    rows = [
        {"lon": x, "lat": y, "field_dbuvm": 50, "transmitter": "B"} for x, y in zip(lon, lat, strict=True)
    ]
    plain = predicted(tiny, rows)
    with_column(tiny, "vertical_pattern_deg_attenuation_db", {"B": "-10:0;20:60"})
    shaped, heights_m = predicted(tiny, rows), hills_m()
    _, site_lon, site_lat, _, _ = STATIONS[1]
    top_m = height_m(heights_m, site_lon, site_lat) + MAST_M
    expected_db, by_effective_height_db = [], []
    for before, x, y in zip(plain, lon, lat, strict=True):
        over_m = top_m - height_m(heights_m, x, y) - 10.0
        down_deg = math.degrees(math.atan(over_m / 1000.0 / before.d_km) + before.d_km / (2 * 4 / 3 * 6370.0))
        expected_db.append(2.0 * (10.0 + min(max(down_deg, -10.0), 20.0)))
        by_effective_height_db.append(20.0 + 2.0 * math.degrees(math.atan(0.09 / before.d_km)))
    found_db = [before.field_dbuvm - after.field_dbuvm for before, after in zip(plain, shaped, strict=True)]
    assert found_db == pytest.approx(expected_db, abs=0.02)
    assert np.ptp(expected_db) > 5.0
    assert np.abs(np.subtract(expected_db, by_effective_height_db)).max() > 1.0


def test_p1812_follows_the_profile_to_each_place(tiny: Path) -> None:
    """Against the naive twin along the geodesic; valleys lie up to tens of dB below free space."""
    heights_m, geod = hills_m(), Geod(ellps="WGS84")
    with_hills(tiny, "p1812")
    lon, lat = places(12)
    rows = [
        {"lon": x, "lat": y, "field_dbuvm": 50, "transmitter": "B", "h2_m": 10.0}
        for x, y in zip(lon, lat, strict=True)
    ]
    found, excess_db = predicted(tiny, rows), []
    _, site_lon, site_lat, channel, _ = STATIONS[1]
    f_mhz = 474.0 + 8 * (channel - 21)
    for entry, x, y in zip(found, lon, lat, strict=True):
        azimuth_deg, _, length_m = geod.inv(site_lon, site_lat, x, y)
        # Steps as long as those of the terrain model, or a little shorter.
        count = max(math.ceil(length_m / 1000.0 / (STEP_DEG * math.pi * 6371.0 / 180.0)), 4)
        d_km = [length_m / 1000.0 * i / count for i in range(count + 1)]
        along = [geod.fwd(site_lon, site_lat, azimuth_deg, 1000.0 * d)[:2] for d in d_km]
        profile_m = [height_m(heights_m, *each) for each in along]
        half = geod.fwd(site_lon, site_lat, azimuth_deg, 0.5 * length_m)[1]
        loss_db, _ = loss(
            d_km,
            profile_m,
            [0.0] * len(d_km),
            [4] * len(d_km),
            f_mhz=f_mhz,
            p=50.0,
            htg=MAST_M,
            hrg=10.0,
            vertical=False,
            phi=half,
            dn=50.0,
            n0=325.0,
        )
        # Heights are float32, and radials go straight between knots 2 km apart.
        assert entry.field_dbuvm == pytest.approx(139.36 + 20 * math.log10(f_mhz) - loss_db, abs=0.05)
        excess_db.append(106.96 - 20.0 * math.log10(length_m / 1000.0) - entry.field_dbuvm)
    assert max(excess_db) > 20.0


def test_strongest_transmitter_of_a_channel_is_compared(tiny: Path) -> None:
    register = tiny.parent / "register.csv"
    weak = register.read_text().splitlines()[2].replace("B,B,14.11,46.11", "W,W,14.25,46.02").split(",")
    weak[7] = "0.001"
    register.write_text(register.read_text() + ",".join(weak) + "\n")
    rows = [
        {"lon": 14.12, "lat": 46.12, "field_dbuvm": 50, "channel": 22},
        {"lon": 14.2501, "lat": 46.0201, "field_dbuvm": 50, "channel": 22},
    ]
    assert [entry.transmitter for entry in predicted(tiny, rows)] == ["B", "W"]


def test_bias_and_sigma_of_synthetic_measurements_come_back(tiny: Path) -> None:
    """Measured = independent prediction - 3 dB + noise of 6 dB: bias 3, sigma that of the noise drawn."""
    lon, lat = places(300)
    noise_db = np.random.default_rng(4).normal(0.0, 6.0, 300)
    rows = []
    for i, station in enumerate(np.tile(["A", "D"], 150)):
        field, _ = independent_dbuvm(station, lon[i : i + 1], lat[i : i + 1], 10.0)
        rows.append(
            {
                "lon": lon[i],
                "lat": lat[i],
                "field_dbuvm": field[0] - 3.0 + noise_db[i],
                "transmitter": station,
                "h2_m": "",
            }
        )
    path = write(tiny.parent / "m.csv", rows)
    out = tiny.parent / "out"
    command = ["validate-field", str(path), "--config", str(tiny), "--out", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    numbers = list(csv.DictReader((out / "statistics.csv").open()))
    found = {row["group"]: row for row in numbers if row["by"] in ("all", "transmitter")}
    assert {name: int(row["n"]) for name, row in found.items()} == {"all": 300, "A": 150, "D": 150}
    for name, chosen in (("all", slice(None)), ("A", slice(0, None, 2)), ("D", slice(1, None, 2))):
        drawn_db = noise_db[chosen]
        assert float(found[name]["bias_db"]) == pytest.approx(3.0 - drawn_db.mean(), abs=0.02)
        assert float(found[name]["sigma_db"]) == pytest.approx(drawn_db.std(ddof=1), abs=0.02)
        assert float(found[name]["rms_db"]) == pytest.approx(
            math.sqrt(((3.0 - drawn_db) ** 2).mean()), abs=0.02
        )
    lines = list(csv.DictReader((out / "rows.csv").open()))
    assert float(lines[7]["difference_db"]) == pytest.approx(3.0 - noise_db[7], abs=0.02)
    assert (out / "fields.png").read_bytes().startswith(b"\x89PNG")
    assert "bias" in result.output


TWINS = {"twin": ("B2", 14.13, 46.09, 22, 0.5)}


def with_twin(tiny: Path, sfn: str) -> None:
    """A second station on the channel of B, in a single-frequency network with it or in none."""
    write_register(tiny.parent / "register.csv", [*STATIONS, TWINS["twin"]])
    with_column(tiny, "sfn", {"B": sfn, "B2": sfn})


@pytest.mark.parametrize("named", ["B", "B2", ""])
@pytest.mark.parametrize("sfn", ["N", ""])
def test_powers_of_a_single_frequency_network_add(tiny: Path, sfn: str, named: str) -> None:
    """10 log10 of the sum of 10^(E/10); without a network the one named, or the strongest, stands alone."""
    with_twin(tiny, sfn)
    lon, lat = places(20)
    rows = [
        {"lon": x, "lat": y, "field_dbuvm": 50, "channel": 22, "transmitter": named}
        for x, y in zip(lon, lat, strict=True)
    ]
    alone = {"B": independent_dbuvm("B", lon, lat, 10.0)[0], "B2": of_twin_dbuvm(lon, lat)}
    strongest = np.maximum(alone["B"], alone["B2"])
    of_one = alone[named] if named else strongest
    total = 10.0 * np.log10(10.0 ** (alone["B"] / 10.0) + 10.0 ** (alone["B2"] / 10.0))
    expected_dbuvm = total if sfn else of_one
    found = predicted(tiny, rows)
    assert [p.field_dbuvm for p in found] == pytest.approx(expected_dbuvm, abs=0.02)
    assert [p.network_db for p in found] == pytest.approx(expected_dbuvm - of_one, abs=0.02)
    assert not sfn or min(p.network_db for p in found) > 0.0
    if not named:
        assert {p.transmitter for p in found} == {"B", "B2"}


def of_twin_dbuvm(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Field of the second station: that of B (same channel) from its place and with its power."""
    _, x, y, channel, erp_kw = TWINS["twin"]
    d_km = np.asarray(Geod(ellps="WGS84").inv(np.full(lon.size, x), np.full(lon.size, y), lon, lat)[2]) / 1e3
    links = pd.DataFrame({"f_mhz": 474.0 + 8 * (channel - 21), "d_km": d_km, "h2_m": 10.0, "ptx_kw": erp_kw})
    links = links.assign(heff_m=MAST_M, ha_m=MAST_M, path_c="Land", d_v_km=d_km)
    return predict_table(links, "p1546")["field_dbuvm"].to_numpy()


def test_station_out_of_reach_does_not_add_and_is_not_the_strongest(tiny: Path) -> None:
    with_twin(tiny, "N")
    tiny.write_text(tiny.read_text().replace("channels:\n", "channels:\n  reach_km: 10\n"))
    rows = [{"lon": 14.11, "lat": 46.195, "field_dbuvm": 50, "channel": 22}]
    (found,) = predicted(tiny, rows)
    # B stands 9.4 km away, its twin, of the same network, 11.8 km.
    assert (found.transmitter, found.network_db) == ("B", 0.0)


def measured(*fields_dbuvm: float) -> list[Measurement]:
    rules = {"channels": {"A": 21, "B": 22, "C": 23}}["channels"]
    row = {"lon": "14.1", "lat": "46.1", "transmitter": "A"}
    return [Measurement.model_validate(row | {"field_dbuvm": str(x)}, context=rules) for x in fields_dbuvm]


def test_offsets_distances_and_branches_by_hand() -> None:
    """A: differences 1, 3, 5 (offset 3, left -2, 0, 2); B: -4, 0 (offset -2, left -2, 2); C one row, -1."""
    rows = measured(60, 60, 60, 60, 60, 60)
    values = [("A", 2.0, 61), ("A", 2.1, 63), ("A", 90, 65), ("B", 4, 56), ("B", 20.0, 60), ("C", 100, 59)]
    of_rows = [Predicted(name, 21, d_km, field) for name, d_km, field in values]
    branches = ["los", "los", "diffraction", "diffraction", "diffraction", "troposcatter"]
    found = {(s.by, s.group, s.offset): s for s in statistics(rows, of_rows, branches, fit_offset=True)}
    assert found["all", "all", "kept"][3:] == pytest.approx((6, 4 / 6, 3.141125, math.sqrt(52 / 6)), abs=1e-5)
    masts = {group: s[3:5] for (by, group, _), s in found.items() if by == "transmitter"}
    assert masts == {"A": (3, 3.0), "B": (2, -2.0), "C": (1, -1.0)}
    # Five rows less two offsets: 16 / 3; the row of C has nothing left.
    left = found["all", "all", "removed"]
    assert left[3:] == pytest.approx((5, 0.0, math.sqrt(16 / 3), math.sqrt(16 / 5)))
    kept = {group: (s.n, s.bias_db) for (by, group, o), s in found.items() if (by, o) == ("distance", "kept")}
    assert kept == {"0-2 km": (1, 1.0), "2-5 km": (2, -0.5), "10-20 km": (1, 0.0), "over 80 km": (2, 2.0)}
    assert list(kept) == ["0-2 km", "2-5 km", "10-20 km", "over 80 km"]
    assert found["distance", "over 80 km", "removed"][3:5] == (1, 2.0)
    assert found["branch", "los", "kept"][3:] == pytest.approx((2, 2.0, math.sqrt(2.0), math.sqrt(5.0)))
    assert found["branch", "diffraction", "removed"][3:5] == pytest.approx((3, 2 / 3))
    assert ("branch", "troposcatter", "removed") not in found
    assert {s.offset for s in statistics(rows, of_rows)} == {"kept"}
    assert residual_db(difference_db(rows, of_rows), of_rows) == pytest.approx(
        [-2, 0, 2, -2, 2, math.nan], nan_ok=True
    )


def test_models_stand_side_by_side_with_offsets_removed(tiny: Path) -> None:
    """Measured = free space + 7 dB from A; one row of D. Branches are those of P.1812, for every model."""
    with_hills(tiny, "p1546")
    lon, lat = places(6)
    free, _ = independent_dbuvm("A", lon, lat, 10.0, "free_space")
    rows = [
        {"lon": x, "lat": y, "field_dbuvm": e + 7.0, "transmitter": "A"}
        for x, y, e in zip(lon, lat, free, strict=True)
    ]
    path = write(tiny.parent / "m.csv", [*rows, {**rows[0], "transmitter": "D"}])
    out = tiny.parent / "out"
    command = f"validate-field {path} --config {tiny} --out {out} --models p1812,free_space --fit-offset"
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 0, result.output
    assert "leaves nothing: D" in result.output
    assert "1 offsets" in result.output
    assert "nan" not in result.output
    # The one row of D; mechanisms belong to P.1812 also below the heading of another model.
    assert re.search(r"\n  D +n +1 .* sigma      - dB", result.output)
    assert "  P.1812: diffraction" in result.output.split("free_space, predicted less measured")[1]
    numbers = list(csv.DictReader((out / "statistics.csv").open()))
    one = {(r["model"], r["by"], r["group"], r["offset"]): r for r in numbers}
    left = one["free_space", "all", "all", "removed"]
    # The antennas stand on hills: the slant is a little longer than that of a table without terrain.
    assert (int(left["n"]), float(left["sigma_db"])) == (6, pytest.approx(0.0, abs=0.05))
    assert float(one["free_space", "transmitter", "A", "kept"]["bias_db"]) == pytest.approx(-7.0, abs=0.1)
    lines = list(csv.DictReader((out / "rows.csv").open()))
    assert [row["model"] for row in lines] == ["p1812"] * 7 + ["free_space"] * 7
    told = [row["branch"] for row in lines if row["model"] == "p1812"]
    assert "diffraction" in told
    of_free_space = {
        r["group"]: int(r["n"])
        for r in numbers
        if (r["model"], r["by"], r["offset"]) == ("free_space", "branch", "kept")
    }
    assert of_free_space == {word: told.count(word) for word in told}
    assert lines[6]["residual_db"] == ""


@pytest.mark.parametrize(
    ("models", "allowed"), [("p1812", "terrain model"), ("p1546,hatta", "p1546"), ("", "p1546")]
)
def test_models_that_cannot_be_computed_are_refused(tiny: Path, models: str, allowed: str) -> None:
    path = write(tiny.parent / "m.csv", [{"lon": 14.1, "lat": 46.1, "field_dbuvm": 60, "transmitter": "A"}])
    command = ["validate-field", str(path), "--config", str(tiny), "--models", models]
    error = CliRunner().invoke(app, command).exception
    assert (error.field, allowed in str(error.allowed)) == ("--models", True)


def test_one_row_has_no_sigma(tiny: Path) -> None:
    register, _ = read_register(load_config(tiny))
    path = write(tiny.parent / "m.csv", [{"lon": 14.1, "lat": 46.0, "field_dbuvm": 60.0, "transmitter": "A"}])
    (row, *_) = statistics(read_measurements(path, register), [Predicted("A", 21, 1.0, 62.5)])
    assert (row.n, row.bias_db, row.rms_db) == (1, 2.5, 2.5)
    assert math.isnan(row.sigma_db)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"lon": 200}, "lon"),
        ({"lat": "x"}, "lat"),
        ({"field_dbuvm": "nan"}, "field_dbuvm"),
        ({"h2_m": 0}, "h2_m"),
        ({"transmitter": "Z"}, "transmitter"),
        ({"channel": 40, "transmitter": ""}, "channel"),
        ({"channel": 21, "transmitter": "B"}, "channel"),
        ({"channel": "", "transmitter": ""}, "channel"),
        ({"channel": 21.5, "transmitter": ""}, "channel"),
    ],
)
def test_faulty_rows_are_refused_by_field_and_line(tiny: Path, changed: dict, field: str) -> None:
    good = {"lon": 14.1, "lat": 46.1, "field_dbuvm": 60, "h2_m": "", "channel": "", "transmitter": "A"}
    path = write(tiny.parent / "m.csv", [good, good | changed])
    result = CliRunner().invoke(app, ["validate-field", str(path), "--config", str(tiny)])
    assert result.exit_code == 1
    error = result.exception
    assert (error.row, error.field) == (3, field)


@pytest.mark.parametrize("model", ["p1546", "p1812"])
def test_place_without_terrain_is_refused_by_row(tiny: Path, model: str) -> None:
    """The model of terrain ends between both places; what reads it does not know the rows."""
    with_hills(tiny, model)
    good = {"lon": 14.2, "lat": 46.05, "field_dbuvm": 60, "transmitter": "B"}
    path = write(tiny.parent / "m.csv", [good, good | {"lon": WEST_DEG + 220 * STEP_DEG + 0.3}])
    error = CliRunner().invoke(app, ["validate-field", str(path), "--config", str(tiny)]).exception
    assert (error.file, error.row, error.field) == (str(path), 3, "lon, lat")
    assert "dem.tif" in error.allowed
    assert "padded" not in str(error)


def test_path_over_unknown_cover_is_refused_by_row(tiny: Path) -> None:
    with_hills(tiny, "p1812")
    classes = np.ones((200, 220), np.uint8)
    classes[:, 150:] = 255
    place = from_origin(WEST_DEG, NORTH_DEG, STEP_DEG, STEP_DEG)
    write_raster(tiny.parent / "cover.tif", classes, place, nodata=255)
    heights = "code,land_cover,clutter_height_m,source,verified\n1,grass,0,test,true\n"
    (tiny.parent / "cover.csv").write_text(heights)
    clutter = "clutter: {raster: [cover.tif], table: cover.csv}"
    tiny.write_text(tiny.read_text().replace("dem: [dem.tif]", f"dem: [dem.tif], {clutter}"))
    known_deg = WEST_DEG + 150 * STEP_DEG
    rows = [
        {"lon": lon, "lat": 46.05, "field_dbuvm": 60, "transmitter": "B"}
        for lon in (known_deg - 0.05, known_deg + 0.05)
    ]
    path = write(tiny.parent / "m.csv", rows)
    error = CliRunner().invoke(app, ["validate-field", str(path), "--config", str(tiny)]).exception
    assert (error.file, error.row, error.field) == (str(path), 3, "lon, lat")
    assert "land cover" in error.allowed
