"""Published layers of a channel's reception, and the manifest's lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.layers import LAYERS
from pipeline.plan import run_files
from pipeline.plan.plan import load_plan
from pipeline.propagation.models import model_named
from pipeline.publish import manifest as manifests
from pipeline.publish.reception import write_channel
from pipeline.terrain.loss_tables import MastLosses, SquareLosses, table_name, write_losses
from pipeline.terrain.polar_nodes import LossLattice, even_ranges, stored_lattice
from tests.jobs import run_from
from tests.studies.test_validate_field import with_hills

GRID = Grid("EPSG:3794", 500.0, 400_000.0, 100_000.0, 3, 1)
# 480 m south of the centre of the first pixel, as pyproj has it.
PLACE = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True).transform(400_250.0, 99_270.0)


def write_coverage(build: Path) -> None:
    """One row of three pixels in each channel: served, not served, off land."""
    bands = [
        "wanted_dbuvm",
        "field_dbuvm",
        "nuisance_dbuvm",
        "nuisance_sigma_db",
        "azimuth_deg",
        "probability",
    ]
    levels = np.full((6, 1, 3), np.nan, np.float32)
    levels[1, 0] = [61.237, 40.0, np.nan]
    levels[5, 0] = [0.98766, 0.25, np.nan]
    classes = np.array([[[1, 0, 65535]], [[2, 1, 0]], [[0, 0, 65535]]], np.uint16)
    arrays = [("", bands, levels, np.nan), ("_class", ["served", "server", "mode"], classes, None)]
    for channel, (ending, names, values, nodata) in product((21, 22, 23, 25), arrays):
        data = raster.make_array(values, GRID, units="1", long_name="x", nodata=nodata, band_names=names)
        raster.write(build / f"coverage/ch{channel}{ending}.tif", data, tags={}, publish=False)


def test_reception_layers_have_the_published_types_and_codes(tiny: Path) -> None:
    build = load_plan(tiny).build
    write_coverage(build)
    run_from("reception", tiny, build)
    expected = {
        "field": ("int16", [6124, 4000, -32768], -32768, 0.01),
        "q": ("uint16", [9877, 2500, 65535], 65535, 0.0001),
        "served": ("uint8", [1, 0, 255], 255, 1.0),
        "server": ("uint16", [2, 1, 0], 0, 1.0),
    }
    for layer, (dtype, values, nodata, scale) in expected.items():
        read = raster.read(build / f"internal/dtt_{layer}_ch21.tif")
        assert read.dtype == dtype
        assert read.values[0].tolist() == values
        assert read.attrs["nodata"] == nodata
        assert read.attrs.get("scale_factor", 1.0) == scale
        assert read.attrs["tags"]["channel"] == "21"


def test_reception_layers_have_the_same_bytes_again(tiny: Path) -> None:
    plan = load_plan(tiny)
    build = plan.build
    write_coverage(build)
    paths = [build / name for name in run_files.written_by(plan, "reception", dtt_channel=21)]
    run_from("reception", tiny, build)
    before = [path.read_bytes() for path in paths]
    run_from("reception", tiny, build)
    assert [path.read_bytes() for path in paths] == before


def write_stations(build: Path, regimes: np.ndarray) -> None:
    """A station and the table of its mast in channel 21, in steps of 0.5 km and 90 degrees."""
    lattice = LossLattice(0.0, 90.0, 4, 0.5, even_ranges(0.0, 0.5, 3))
    losses = MastLosses(np.zeros((2, 4, 3), np.uint16), regimes)
    square = SquareLosses({"m": stored_lattice(lattice)}, {table_name("m", 21, True): losses})
    write_losses(build / "losses/n40e008.npz", [square])
    row = {"lon": PLACE[0], "lat": PLACE[1], "mast": "m", "tile": "n40e008"}
    row |= {"channel": 21, "polarisation": "V"}
    for channel in (21, 22, 23, 25):
        listed = {"transmitters": [{**row, "mast": "none"}, row], "modes": []}
        (build / f"coverage/ch{channel}_servers.json").write_text(json.dumps(listed))


def test_mechanism_is_that_of_the_server_by_p1812_alone(tiny: Path) -> None:
    """The station, 480 m south of the first pixel, is the second of the list, and serves that pixel alone."""
    plan = load_plan(tiny)
    write_coverage(plan.build)
    assert "internal/dtt_mechanism_ch21.tif" not in run_files.written_by(plan, "reception")
    with_hills(tiny, "p1812")
    config = load_plan(tiny).config
    regimes = np.zeros((4, 3), np.uint8)
    regimes[0, 1] = 3
    classes = raster.read(plan.build / "coverage/ch21_class.tif")
    classes.values[1] = [[2, 0, 0]]
    raster.write(plan.build / "coverage/ch21_class.tif", classes, tags={}, publish=False)
    hashes = []
    for value in (3, 4):
        regimes[0, 1] = value
        write_stations(plan.build, regimes)
        write_channel(config, plan.build, 21, "code")
        read = raster.read(plan.build / "internal/dtt_mechanism_ch21.tif")
        assert read.values[0].tolist() == [value, 0, 0]
        assert (read.dtype, read.attrs["nodata"]) == ("uint8", 0)
        hashes.append(read.attrs["tags"]["hash"])
    assert hashes[0] != hashes[1]
    assert "internal/dtt_mechanism_ch21.tif" in run_files.written_by(load_plan(tiny), "reception")


def test_codes_of_the_mechanism_are_the_words_of_the_model() -> None:
    row = LAYERS["dtt_mechanism"].raster
    assert row is not None
    words = model_named("p1812").regimes
    assert [words[code] for code, _ in row.codes] == ["los", "diffraction", "troposcatter", "ducting"]
    assert row.nodata == words.index("undefined")


def test_hash_of_a_layer_follows_the_coverage_alone(tiny: Path, change_station: Callable[..., None]) -> None:
    """What else the register says is of no account, another level of the coverage is."""
    build = load_plan(tiny).build
    field = build / "internal/dtt_field_ch21.tif"
    write_coverage(build)
    run_from("reception", tiny, build)
    first = raster.read(field).attrs["tags"]["hash"]
    change_station(0, erp_kw=2.0)
    run_from("reception", tiny, build)
    assert raster.read(field).attrs["tags"]["hash"] == first
    stored = raster.read(build / "coverage/ch21.tif")
    stored.values[1, 0, 0] += 1.0
    raster.write(build / "coverage/ch21.tif", stored, tags={}, publish=False)
    run_from("reception", tiny, build)
    assert raster.read(field).attrs["tags"]["hash"] != first


def test_manifest_tells_what_went_in_and_what_was_left_out(tiny: Path) -> None:
    plan = load_plan(tiny)
    output = tiny.parent / "a.tif"
    output.write_bytes(b"abc")
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    facts = manifests.make_manifest(plan, "run1", {"public/a.tif": output}, {"public/a.tif": "00ff"}, now)
    assert facts["outputs"] == [{"path": "public/a.tif", "sha256": "00ff", "bytes": 3}]
    assert facts["valid"] == {"from": "2026-11-21T12:00:00+00:00", "until": "2026-11-22T12:00:00+00:00"}
    register = next(entry for entry in facts["inputs"] if entry["key"] == "registers.transmitters.0")
    assert register["bytes"] == (tiny.parent / "register.csv").stat().st_size
    left_out = {entry["service"]: entry["status"] for entry in facts["not_evaluated"]}
    assert left_out == dict.fromkeys(
        ["foreign_dtt", "pmse", "radio_astronomy", "mobile", "ppdr", "fixed"], "out_of_scope"
    )
    keys = [str(entry["key"]) for entry in facts["unverified"]]
    assert {"coverage.q_min", "devices.0.min_separation_m"} <= set(keys)
    assert any(key.startswith("configs/tables/protection_ratios.csv:") for key in keys)
    # What the device gives with its source is verified, the penalty of the territory is from memory.
    assert not any(key.startswith("devices.0.idle_penalty_db") for key in keys)
    assert "protection.idle_penalty_db" in keys


def test_unverified_rows_name_the_line_of_the_file(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("class,value,source,verified\n1,5,book,true\n2,6,memory,false\n")
    assert manifests.unverified_rows([table, tmp_path / "x.tif"]) == [
        {"key": "t.csv:3", "value": {"class": "2", "value": "6"}, "source": "memory"}
    ]


def test_notes_name_a_level_above_the_cap(tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace("cap_dbm: 36.0", "cap_dbm: 30.0"))
    notes = manifests.notes(load_plan(tiny).config)
    assert any("36 dBm" in note and "fixed30" in note for note in notes)


@pytest.mark.parametrize(
    ("curves", "said"),
    [("fcc", "with the FCC's curves."), ("p1546", "by Rec. ITU-R P.1546, not by the curves of the FCC.")],
)
def test_notes_say_by_which_curves_protected_contours_are_made(tiny: Path, curves: str, said: str) -> None:
    config = load_plan(tiny).config
    separation = config.protection.separation.model_copy(update={"curves": curves})
    protection = config.protection.model_copy(update={"method": "separation", "separation": separation})
    notes = manifests.notes(config.model_copy(update={"protection": protection}))
    assert [note for note in notes if "contours" in note] == [f"Protected contours are computed {said}"]


@pytest.mark.parametrize("name", ["wanted_dbuvm", "field_dbuvm", "probability"])
def test_bands_that_are_published_exist_in_coverage(name: str) -> None:
    from pipeline.coverage.tiles import LEVEL_BANDS

    assert name in LEVEL_BANDS
