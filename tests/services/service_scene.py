"""A small territory in files for tests of services: everything is land of the territory unless told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from pyproj import Transformer

from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.raster import make_array
from pipeline.plan.territory_file import load_config
from pipeline.services.base import ServiceContext

SIZE = 24
GRID = Grid("EPSG:3794", 500.0, 500_000.0, 110_000.0, SIZE, SIZE)
HOME = 1


def make_context(
    folder: Path,
    repository: Path,
    *,
    grid: Grid = GRID,
    coastal: np.ndarray | None = None,
    surface: np.ndarray | None = None,
    **sections: object,
) -> ServiceContext:
    """Context with the settings of the default territory but its terrain, changed by ``sections``."""
    content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
    del content["protection"]["device_path"]
    for name, section in sections.items():
        content[name] = section
    path = folder / "case.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    shape = grid.shape
    layers = {
        "surface": np.full(shape, HOME, np.uint8) if surface is None else surface,
        "coastal": np.zeros(shape, np.uint8) if coastal is None else coastal,
    }
    for name, values in layers.items():
        data = make_array(values, grid, units="", long_name=name, nodata=None)
        raster.write(folder / "territory" / f"{name}.tif", data, tags={}, publish=False)
    return ServiceContext(load_config(path), folder, grid, ())


def whole(grid: Grid = GRID) -> tuple[slice, slice]:
    """All rows and columns."""
    return slice(0, grid.height), slice(0, grid.width)


def lonlat_deg(x_m: float, y_m: float, grid: Grid = GRID) -> tuple[float, float]:
    """Geographic place of projected metres."""
    return Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x_m, y_m)


def write_csv(path: Path, rows: list[dict[str, object]]) -> Path:
    """A register with the columns of the first row; texts with a comma are quoted."""
    lines = [",".join(rows[0])]
    lines += [",".join(f'"{v}"' if "," in str(v) else str(v) for v in row.values()) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
