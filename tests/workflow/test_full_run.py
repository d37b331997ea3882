"""`channelmaps run` on the tiny territory, for real: complete, repeatable, and only what changed again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rio_cogeo.cogeo import cog_validate

from pipeline import blocks
from pipeline.dtt import channel_files, victim_blocks
from pipeline.grid import raster, stacks
from pipeline.plan import run_files
from pipeline.plan.plan import load_plan
from pipeline.territory import masks, neighbours, population
from tests.jobs import run_from

Change = Callable[..., None]
pytestmark = pytest.mark.slow
STRIPS = (channel_files, victim_blocks, masks, population, neighbours, stacks)
SMALL_PX = 128


def run(
    repository: Path,
    *arguments: str,
    command: str = "run",
    config: str | None = "tiny.yaml",
    expected_code: int = 0,
) -> str:
    environment = os.environ | {"PYTHONPATH": str(repository)}
    line = [sys.executable, "-m", "pipeline", command, *filter(None, [config]), *arguments]
    done = subprocess.run(line, text=True, capture_output=True, env=environment, timeout=1500)
    assert done.returncode == expected_code, done.stdout + done.stderr
    return done.stdout + done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a run but manifest and report, which tell the time."""
    timed = {"manifest.json", "report.html", "report_annex.html", "report.pdf"}
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in timed]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_run_from_clean_then_after_changes(repository: Path, tiny: Path, change_station: Change) -> None:
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [22, 25]"))
    results = tiny.parent / "results/tiny"

    text = run(repository)
    assert "Results: results/tiny/latest" in text
    assert len(text.splitlines()) < 60
    first = (results / "latest").resolve()
    before = contents(first)
    assert set(before) == set(run_files.published_files(load_plan(tiny)))
    listed = {
        item["path"]: item["sha256"] for item in json.loads((first / "manifest.json").read_text())["outputs"]
    }
    pages = {f"{folder}report{kind}" for folder in ("", "internal/") for kind in (".html", "_annex.html")}
    assert set(listed) - {"report.pdf", "internal/report.pdf"} == {*before, *pages}
    assert all(cog_validate(path, strict=True, quiet=True)[0] for path in first.rglob("*.tif"))
    eirp = raster.read(first / "public/max_eirp_fixed30_ch25.tif").values
    assert (eirp != -32768).any()

    text = run(repository)
    assert "Nothing to be done" in text
    assert (results / "latest").resolve() == first
    # Snakemake would hash the inputs of a job once for each of its outputs.
    records = [json.loads(path.read_text()) for path in Path(".snakemake/metadata").iterdir()]
    assert len(records) > 20
    assert not any(record["input_checksums"] for record in records)

    change_station(3, erp_kw=5.0)
    run(repository)
    text = Path("logs/tiny/run.log").read_text()
    second = (results / "latest").resolve()
    assert second != first
    assert "coverage of channel 25" in text
    assert "coverage of channel 21" not in text
    changed = {name for name, data in contents(second).items() if before[name] != data}
    assert "internal/dtt_field_ch25.tif" in changed
    assert not any("ch21" in name or "ch23" in name for name in changed if name.startswith("internal"))
    assert contents(first) == before

    # The first run again, one of whose files was lost meanwhile.
    (first / "public/statistics.csv").unlink()
    change_station(3)
    run(repository)
    assert (results / "latest").resolve() == first
    assert contents(first) == before

    tiny.write_text(tiny.read_text().replace("height_m: 30.0", "height_m: -3.0"))
    text = run(repository, expected_code=2)
    assert "height_m" in text
    assert (results / "latest").resolve() == first


@pytest.fixture
def varied(tiny: Path) -> Path:
    """The tiny territory with hills, clearance angles, and a coast in reach; one device channel."""
    text = tiny.read_text().replace('wsd: ["21-30"]', "wsd: [21]")
    text = text.replace("territory:", "territory:\n  world: world.gpkg")
    tiny.write_text(text.replace("registers:", "terrain: {dem: [dem.tif]}\nregisters:"))
    land = gpd.GeoDataFrame(geometry=[shapely.box(0.0, 45.8, 30.0, 60.0)], crs="EPSG:4326")
    land.to_file(tiny.parent / "world.gpkg", driver="GPKG")
    x, y = np.meshgrid(np.arange(1900), np.arange(1500))
    heights_m = 500 + 250 * np.sin(x / 31) * np.cos(y / 23) + 90 * np.sin(0.3 * x + 0.2 * y)
    profile = {
        "driver": "GTiff",
        "width": 1900,
        "height": 1500,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:4326",
        "transform": Affine(0.002, 0, 12.3, 0, -0.002, 47.6),
    }
    with rasterio.open(tiny.parent / "dem.tif", "w", **profile) as sink:
        sink.write(heights_m[np.newaxis].astype(np.float32))
    return tiny


def run_stages(path: Path, build: Path, threads: int) -> dict[str, bytes]:
    """All stages that compute, one after the other in this process; the published rasters."""
    plan = load_plan(path)
    run_from("territory", path, build, threads=threads)
    run_from("heights", path, build, threads=threads)
    for tile in plan.tiles:
        run_from("terrain", path, build, tile=tile, threads=threads)
    for channel in plan.victims:
        run_from("coverage", path, build, channel=channel, threads=threads)
        run_from("protect", path, build, channel=channel, threads=threads)
    run_from("reception", path, build, threads=threads)
    for channel in plan.wsd:
        run_from("combine", path, build, channel=channel, threads=threads)
    run_from("availability", path, build, threads=threads)
    for device in plan.config.devices:
        run_from("query", path, build, device=device.id, threads=threads)
    return {name: (build / name).read_bytes() for name in run_files.raster_files(plan)}


def cut_small(monkeypatch: pytest.MonkeyPatch, side_px: int) -> list[int]:
    """Blocks and strips of ``side_px`` in all stages; the list: numbers of blocks of larger arrays."""
    whole = blocks.block_slices
    numbers: list[int] = []

    def small(shape: tuple[int, int], block_px: int | tuple[int, int]) -> list[tuple[slice, slice]]:
        high, wide = (block_px, block_px) if isinstance(block_px, int) else block_px
        found = whole(shape, (min(high, side_px), wide if wide >= shape[1] > high else min(wide, side_px)))
        if max(shape) > side_px:
            numbers.append(len(found))
        return found

    monkeypatch.setattr(blocks, "block_slices", small)
    for module in STRIPS:
        monkeypatch.setattr(module, "STRIP_PX", side_px)
    return numbers


def test_bytes_do_not_depend_on_repetition_or_cores(repository: Path, varied: Path) -> None:
    latest = varied.parent / "results/tiny/latest"
    run(repository, "--cores", "1")
    before = contents(latest.resolve())
    reached = raster.read(latest / "public/max_eirp_fixed30_ch21.tif").values
    assert len(np.unique(reached)) > 20, "the maps say little"
    for folder in ("build", "results", ".snakemake"):
        shutil.rmtree(folder)
    run(repository, "--cores", "2")
    assert contents(latest.resolve()) == before


def test_bytes_do_not_depend_on_blocks(varied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Strips are written in whole tiles of the files, which would be larger than this territory.
    monkeypatch.setattr(raster, "TILE_PX", SMALL_PX)
    before = run_stages(varied, varied.parent / "whole", threads=1)
    numbers = cut_small(monkeypatch, SMALL_PX)
    assert run_stages(varied, varied.parent / "cut", threads=3) == before
    assert min(numbers) > 1


@pytest.mark.parametrize("module", STRIPS)
def test_strips_are_whole_tiles(module: ModuleType) -> None:
    assert module.STRIP_PX % raster.TILE_PX == 0
