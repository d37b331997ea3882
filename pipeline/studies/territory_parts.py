"""``channelmaps parts``: a territory too large for one grid as territory files that are computed one by one.

The files differ in ``name`` and ``territory.bbox_deg`` alone. Land of the own country beyond a box is
protected as within it, and each part has a margin of its own, so that every pixel gets what the whole would
give it; over hills nearly (docs/parts.md). ``channelmaps join`` shows the runs as one map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
import yaml
from pydantic import TypeAdapter, ValidationError

from pipeline.config.base import Identifier
from pipeline.config.config import Config
from pipeline.config.load import read_yaml
from pipeline.errors import InputError
from pipeline.files import check_output_folder, kind_of_start, write_output
from pipeline.grid.grid import GEOD, Box
from pipeline.grid.polygons import Boundaries
from pipeline.plan.territory_file import files_read, load_config
from pipeline.territory.codes import Surface
from pipeline.territory.masks import compute_masks
from pipeline.territory.rasters import boundaries_of, grid_of

_MOST_BOXES = 10_000
_DECIMALS = 4  # of a degree: 11 m
_HEAD = "# Part of a territory: "
_PART_FILE = kind_of_start("a part of a territory", _HEAD.encode())


class TerritoryPart(NamedTuple):
    """A part of a territory: its name, its box and how many pixels its land has."""

    name: str
    bbox_deg: Box
    land_px: int

    @property
    def file(self) -> str:
        """Name of its territory file."""
        return f"{self.name}.yaml"


def parts_command(config_path: Path, side_km: float, out: Path) -> None:
    """Write a territory file for each part that has land, and print them with what to say next."""
    config, content = load_config(config_path), read_yaml(config_path)
    assert isinstance(content, dict)
    found = list(parts_of(config, side_km))
    for part in found:
        _check_name(config_path, part.name)
    products = {part.file: _PART_FILE for part in found}
    check_output_folder("--out", out, products, files_read(config))
    refuse_filled("--out", out)
    out.mkdir(parents=True, exist_ok=True)
    for part in found:
        write_output(out / part.file, _text_of(config_path, content, part))
    print("\n".join(_lines(config, found, out)))


def refuse_filled(option: str, folder: Path) -> None:
    """InputError for a folder that holds anything: earlier files must not mix with new ones."""
    if folder.is_dir() and next(folder.iterdir(), None) is not None:
        raise InputError("is not empty", file=folder, row=option, allowed="a new folder, or an empty one")


def parts_of(config: Config, side_km: float) -> Iterator[TerritoryPart]:
    """The parts with land of a territory, from the north-west; their boxes share edges and nothing else.

    The box of the territory, or that around its land, is cut along meridians and parallels that go all
    through it: at a corner within the edge of another box two parts would draw the edge a little differently.
    The width of the boxes, ``side_km`` or a little less, is that at the latitude in the middle.
    """
    boundaries = boundaries_of(config.territory)
    lons, lats = _lattice(_box_of(config, boundaries), side_km)
    shapely.prepare(boundaries.territory)
    for row, (north, south) in enumerate(pairwise(reversed(lats)), 1):
        for col, (west, east) in enumerate(pairwise(lons), 1):
            box = (west, south, east, north)
            if land_px := _land_px(config, boundaries, box):
                yield TerritoryPart(f"{config.name}-{row}-{col}", box, land_px)


def _box_of(config: Config, boundaries: Boundaries) -> Box:
    """The box that is cut: that of the settings, or one around the land."""
    if config.territory.bbox_deg is not None:
        return config.territory.bbox_deg
    bounds = [round(float(bound) * 10**_DECIMALS, 3) for bound in shapely.total_bounds(boundaries.territory)]
    outward = [*map(math.floor, bounds[:2]), *map(math.ceil, bounds[2:])]
    west, south, east, north = (bound / 10**_DECIMALS for bound in outward)
    return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)


def _lattice(box_deg: Box, side_km: float) -> tuple[list[float], list[float]]:
    """Longitudes and latitudes of the edges, ascending; InputError for a side that makes too many boxes."""
    west, south, east, north = box_deg
    middle = (south + north) / 2.0
    width_km = (east - west) * GEOD.inv(0.0, middle, 1.0, middle)[2] / 1000.0
    height_km = GEOD.inv(west, south, west, north)[2] / 1000.0
    counts = [max(math.ceil(km / side_km - 1e-9), 1) for km in (width_km, height_km)]
    if counts[0] * counts[1] > _MOST_BOXES:
        raise InputError(
            f"makes more than {_MOST_BOXES} boxes",
            field="--side-km",
            value=side_km,
            allowed=f"more than {math.sqrt(width_km * height_km / _MOST_BOXES):.1f}",
        )
    lons, lats = (
        [low, *np.linspace(low, high, count + 1)[1:-1].round(_DECIMALS).tolist(), high]
        for low, high, count in ((west, east, counts[0]), (south, north, counts[1]))
    )
    return lons, lats


def _land_px(config: Config, boundaries: Boundaries, box_deg: Box) -> int:
    """Pixels of the territory's land in a box."""
    shape = shapely.intersection(boundaries.territory, shapely.box(*box_deg))
    if shape.is_empty or shape.area == 0.0:
        return 0
    part = boundaries._replace(territory=shape)
    try:
        masks = compute_masks(part, grid_of(config, part, 0.0))
    except InputError as error:
        if error.problem.startswith("territory is empty"):
            return 0
        raise
    return int(np.count_nonzero(masks.surface == Surface.HOME))


def _check_name(path: Path, name: str) -> None:
    try:
        TypeAdapter(Identifier).validate_python(name)
    except ValidationError:
        fault = "is too long for its parts"
        raise InputError(
            fault, file=path, field="name", value=name, allowed="40 characters with the part's numbers"
        ) from None


def _text_of(config_path: Path, content: dict[str, Any], part: TerritoryPart) -> str:
    """A part's territory file. Relative paths stay as they are: they hold from the working folder."""
    territory = content["territory"] | {"bbox_deg": list(part.bbox_deg)}
    settings = {"name": part.name} | content | {"name": part.name, "territory": territory}
    head = f"{_HEAD}{config_path.name}, cut by `channelmaps parts`. Run it where that one is run.\n"
    return head + yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)


def _lines(config: Config, found: Sequence[TerritoryPart], out: Path) -> Iterator[str]:
    """What was written, and the commands that follow, for the folder in which this one was said."""
    square_km = (config.grid.resolution_m / 1000.0) ** 2
    yield f"{len(found)} parts of {config.name} in {out}"
    for part in found:
        box = ", ".join(f"{bound:g}" for bound in part.bbox_deg)
        yield f"  {part.name}: {box} degrees, {part.land_px * square_km:.0f} km2 of land"
    yield from (f"channelmaps run {out / part.file}" for part in found)
    runs = " ".join(f"results/{part.name}/latest" for part in found)
    yield f"channelmaps join {runs} --out {config.name}-joined"
