"""A made-up run for tests of the web map: the public layers of two devices, patchy, with all codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from pipeline.availability.classes import availability_class, count_available
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from tests.jobs import run_from
from tests.tiny import CONFIG, STATIONS, write_register

GRID = Grid("EPSG:3794", 500.0, 420_000.0, 130_000.0, 150, 190)
CHANNELS = (21, 22, 23)
DEVICES = {"fixed30": (0.0, 20.0, 36.0), "small": (0.0,)}
# Zgoraj and Dol lie on the territory, Tam does not.
PLACES = """name,latitude,longitude,population
Zgoraj,46.12,14.21,500
Dol,46.05,14.12,80
Tam,45.9,14.9,9000
"""
NOTICE = "Made up for a test."
SECOND_DEVICE = """  - id: small
    emission_class: 3
    height_m: 1.5
    min_separation_m: {value: 20.0, source: "test", verified: false}
    cap_dbm: 10.0
    min_eirp_dbm: -40.0
    load: loaded
levels_dbm:"""


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with ``territory.yaml`` and the layers of a run under ``build/public``."""
    monkeypatch.chdir(tmp_path)
    write_made_up(tmp_path)
    return tmp_path


def write_made_up(folder: Path, grid: Grid = GRID, inside: np.ndarray | None = None) -> None:
    """Write the territory file and the layers; ``inside`` bool[y, x], None: ``territory()``."""
    write_register(folder / "register.csv", STATIONS)
    text = CONFIG.replace('["21-30"]', '["21-23"]').replace("levels_dbm:", SECOND_DEVICE)
    (folder / "places.csv").write_text(PLACES, encoding="utf-8")
    head = f"title: Made-up land\nnotice: {NOTICE}\npopulation: {{places: places.csv}}\n"
    (folder / "territory.yaml").write_text(head + text, encoding="utf-8")
    inside = territory() if inside is None else inside
    for number, (device, levels_dbm) in enumerate(DEVICES.items()):
        stack = [levels(inside, seed=10 * number + channel) for channel in CHANNELS]
        for channel, raw in zip(CHANNELS, stack, strict=True):
            write_channel(folder / "build/public", device, channel, raw, grid)
        for level_dbm in levels_dbm:
            count = count_available(np.stack([availability_class(raw, level_dbm) for raw in stack]))
            path = folder / f"build/public/available_channels_{device}_{level_dbm:g}dbm.tif"
            write(path, count, 255, grid)


def territory() -> np.ndarray:
    """A disc with a bay, off the edges of the grid."""
    row, col = np.mgrid[: GRID.height, : GRID.width]
    disc = (row - 95) ** 2 + (col - 75) ** 2 < 68**2
    return disc & ~((row > 80) & (row < 100) & (col > 100))


def levels(inside: np.ndarray, seed: int) -> np.ndarray:
    """Raw maximum e.i.r.p.: single pixels unlike their neighbours, every code, the values on bounds."""
    chance = np.random.default_rng(seed)
    raw = chance.integers(-4000, 3601, inside.shape).astype(np.int16)
    bounds = chance.random(inside.shape) < 0.3
    raw[bounds] = chance.choice(
        np.array([-2000, -1000, -1, 0, 1999, 2000, 3600], dtype=np.int16), bounds.sum()
    )
    raw[chance.random(inside.shape) < 0.2] = -9999
    raw[chance.random(inside.shape) < 0.1] = -9998
    raw[~inside] = -32768
    return raw


def write_channel(public: Path, device: str, channel: int, raw: np.ndarray, grid: Grid = GRID) -> None:
    """Write the level and, as service, a code that follows from the pixel's place."""
    service = (np.arange(raw.size, dtype=np.int64).reshape(raw.shape) % 16).astype(np.uint8)
    service[raw == -9998] = 14
    service[raw == -32768] = 255
    write(public / f"max_eirp_{device}_ch{channel}.tif", raw, -32768, grid, scale_factor=0.01)
    write(public / f"limiting_service_{device}_ch{channel}.tif", service, 255, grid)


def write(path: Path, values: np.ndarray, nodata: int, grid: Grid = GRID, **attrs: object) -> None:
    data = raster.make_array(values, grid, units="", long_name=path.stem, nodata=nodata, **attrs)
    tags = {
        "notice": NOTICE,
        "product": "DTT only, not for licensing",
        "unverified": "coverage.q_min",
        "method": "degradation",
        "model": "p1546, p1546",
    }
    raster.write(path, data, tags=tags, publish=True)


def write_terrain(path: Path) -> None:
    """Waves of hills, 0 to 800 m, over the made-up land and beyond."""
    lat, lon = np.mgrid[0:360, 0:480]
    heights = (400.0 + 400.0 * np.sin(lat / 7.0) * np.cos(lon / 9.0)).astype(np.float32)
    place = rasterio.transform.from_origin(13.0, 47.5, 1 / 120, 1 / 120)
    options = {"driver": "GTiff", "height": 360, "width": 480, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", crs="EPSG:4326", transform=place, **options) as sink:
        sink.write(heights, 1)


def published(folder: Path, more: str = "") -> Path:
    """Folder ``public`` of a made-up run whose territory file says ``more``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fine = Grid(GRID.crs, 100.0, GRID.west_m, GRID.north_m, 750, 950)
        inside = np.kron(territory(), np.ones((5, 5), dtype=bool))
        inside[910:940, 700:740] = True  # an island: corners of the box have no pictures
        write_made_up(folder, fine, inside)
        write_terrain(folder / "dem.tif")
        file = folder / "territory.yaml"
        file.write_text(file.read_text() + "terrain: {dem: [dem.tif]}\n" + more, encoding="utf-8")
        run_from("web", Path("territory.yaml"), Path("build"))
    return folder / "build/public"
