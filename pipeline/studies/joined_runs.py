"""Published runs of parts of a territory, checked for being shown as one map.

They must differ in name and box alone: same settings, inputs and code, pixels of one lattice, and where the
land of two of them meets in a pixel, the same values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.dtt.neighbour_rules import ForeignData
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.boxes import shifted
from pipeline.grid.grid import Grid
from pipeline.plan.plan import Plan
from pipeline.plan.published_layers import LayerFile, published_layers
from pipeline.publish.manifest_changes import changed_inputs
from pipeline.publish.release import MANIFEST
from pipeline.query.results import Run, config_of, published_file, read_public_run, read_run
from pipeline.territory.rasters import window_with_values

# Jobs whose rasters have values on the land of the territory, which mean the same in every part. Coordination
# numbers pairs and administrations run by run; point queries are answered from the runs.
_JOBS = frozenset({"combine", "availability", "reach", "allotments"})
# Settings in which parts may differ: none decides a value.
_OWN_SETTINGS = frozenset({"name", "title", "results", "keep_runs", "territory.bbox_deg"})
_WORDS = {"input": "input file", "setting": "setting", "code": "version of the program"}
_PART_NUMBERS = re.compile(r"(-\d+){2}$")
# Of a pixel: coordinates are floats.
_OFFSET_PX = 1e-6


class JoinedPart(NamedTuple):
    """A run with the facts that everybody may see, its grid, and the window that holds its land."""

    run: Run
    grid: Grid
    rows: slice
    cols: slice

    @property
    def name(self) -> str:
        """The territory of the run."""
        return str(self.run.manifest["territory"])

    def layout(self, layer: LayerFile) -> raster.Layout:
        """Everything of one of its rasters but the values."""
        return raster.read_layout(self.run.folder / layer.file)


class JoinedRuns(NamedTuple):
    """The parts in their order, the grid that just holds their land, the rasters that all have.

    ``plan``: names and settings as those of a run of the whole, without registers.
    """

    parts: tuple[JoinedPart, ...]
    grid: Grid
    layers: tuple[LayerFile, ...]
    plan: Plan


def read_joined(folders: Sequence[Path], build: Path) -> JoinedRuns:
    """Runs that can be joined, checked but for the values; ``build``: folder of the plan's files."""
    runs = [read_run(folder) for folder in folders]
    _check_twice(folders, runs)
    for run in runs[1:]:
        _check_same(runs[0], run)
    configs = [config_of(run) for run in runs]
    layers = tuple(_layers_of(configs[0], runs))
    first = next((layer.file for layer in layers if layer.layer.family == "max_eirp"), None)
    if first is None:
        raise InputError("have no layer of maximum e.i.r.p. in common", file=runs[0].folder)
    public = [read_public_run(run.folder) for run in runs]
    parts = tuple(_part_of(run, first) for run in public)
    for part in parts[1:]:
        _check_lattice(parts[0], part, first)
    return JoinedRuns(parts, _common_grid(parts), layers, _plan_of(configs, parts, build))


def check_values(joined: JoinedRuns) -> None:
    """InputError for a damaged raster, and for a pixel to which two parts give different values."""
    for part in joined.parts:
        for layer in joined.layers:
            published_file(part.run, layer.file)
    for first, second in combinations(joined.parts, 2):
        _check_pair(first, second, joined)


def family_of(layer: LayerFile) -> str:
    """Name of a raster without folder and ending."""
    return Path(layer.file).stem


# --- checks -------------------------------------------------------------------------------------------------


def _check_twice(folders: Sequence[Path], runs: Sequence[Run]) -> None:
    """InputError for fewer than two runs, and for two of one territory."""
    if len(runs) < 2:
        raise InputError("is a single run", file=folders[0], allowed="two or more, one of each part")
    known: dict[str, Path] = {}
    for folder, run in zip(folders, runs, strict=True):
        name = str(run.manifest["territory"])
        if name in known:
            raise InputError(
                "is given twice, or is another run of one part",
                file=folder,
                field="territory",
                value=name,
                allowed=f"one run of each part; {known[name]} is the other",
            )
        known[name] = folder


def _check_same(first: Run, other: Run) -> None:
    """InputError for the first difference that decides values, or may."""
    for change in changed_inputs(first.manifest, other.manifest):
        a, b = (text.rpartition(" sha256:")[2] for text in (change.run_a, change.run_b))
        if change.kind not in _WORDS or change.key in _OWN_SETTINGS or a == b:
            continue
        raise InputError(
            f"part was computed with another {_WORDS[change.kind]}",
            file=other.folder / MANIFEST,
            field=change.key,
            value=b or "none",
            allowed=f"{a or 'none'}, as in {first.folder}; run the parts again with one territory file",
        )


def _check_lattice(first: JoinedPart, other: JoinedPart, file: str) -> None:
    """InputError for pixels that are not those of the first part."""
    a, b, path = first.grid, other.grid, other.run.folder / file
    for field in ("crs", "resolution_m"):
        if getattr(a, field) != getattr(b, field):
            raise InputError(
                "part has other pixels",
                file=path,
                field=field,
                value=getattr(b, field),
                allowed=str(getattr(a, field)),
            )
    offset = a.row_col(b.west_m, b.north_m)
    if any(abs(value - round(value)) > _OFFSET_PX for value in offset):
        raise InputError(
            "part has pixels between those of the others",
            file=path,
            field="row, column of its corner",
            value=tuple(round(value, 6) for value in offset),
            allowed="whole numbers",
        )


def _check_pair(first: JoinedPart, second: JoinedPart, joined: JoinedRuns) -> None:
    """InputError where two parts have land in one pixel and different values there."""
    shared = _shared_window(first, second, joined.grid)
    if shared is None:
        return
    # Where the land of two boxes meets there is hardly ever a pixel of both: one layer tells.
    for layer in sorted(joined.layers, key=lambda layer: layer.layer.family != "max_eirp"):
        a, b = (_values(part, layer, shared, joined.grid) for part in (first, second))
        nodata = first.layout(layer).nodata
        both = (a != nodata) & (b != nodata)
        if layer.layer.family == "max_eirp" and not both.any():
            return
        different = both & (a != b)
        if different.any():
            band, row, col = np.argwhere(different)[0].tolist()
            raise InputError(
                "parts have different values in one pixel",
                file=second.run.folder / layer.file,
                field=f"row {shared[0].start + row}, column {shared[1].start + col} of the joined grid",
                value=b[band, row, col].item(),
                allowed=f"{a[band, row, col].item()}, as in {first.run.folder}",
            )


def _shared_window(first: JoinedPart, second: JoinedPart, grid: Grid) -> tuple[slice, slice] | None:
    """Rows and columns of the joined grid in both windows of land."""
    a, b = (_window_on(part, grid) for part in (first, second))
    rows, cols = (
        slice(max(one.start, other.start), min(one.stop, other.stop)) for one, other in zip(a, b, strict=True)
    )
    return (rows, cols) if rows.start < rows.stop and cols.start < cols.stop else None


def _window_on(part: JoinedPart, grid: Grid) -> tuple[slice, slice]:
    row, col = grid.offset_px(part.grid)
    return shifted(part.rows, row), shifted(part.cols, col)


def _values(part: JoinedPart, layer: LayerFile, window: tuple[slice, slice], grid: Grid) -> NDArray[Any]:
    """Values[band, y, x] of a part in a window of the joined grid that its own grid holds."""
    row, col = grid.offset_px(part.grid)
    with raster.reading(part.run.folder / layer.file) as opened:
        return raster.read_window(opened, shifted(window[0], -row), shifted(window[1], -col))


# --- what is joined -----------------------------------------------------------------------------------------


def _layers_of(config: Config, runs: Sequence[Run]) -> Iterator[LayerFile]:
    """Public rasters of devices and allotments that every run has, in the order of the table."""
    listed = [{entry["path"] for entry in run.manifest["outputs"]} for run in runs]
    for found in published_layers(config):
        public = found.file.startswith("public/") and found.file.endswith(".tif")
        if public and found.layer.job in _JOBS and all(found.file in files for files in listed):
            yield found


def _part_of(run: Run, file: str) -> JoinedPart:
    """A run with the window of its land: where its maximum e.i.r.p. is not nodata."""
    with raster.reading(run.folder / file) as opened:
        window = window_with_values(opened)
    if window is None:
        raise InputError("has no land", file=run.folder / file)
    return JoinedPart(run, opened.grid, *window)


def _common_grid(parts: Sequence[JoinedPart]) -> Grid:
    """The smallest grid that holds the land of all parts."""
    first = parts[0].grid
    windows = [_window_on(part, first) for part in parts]
    rows, cols = (
        slice(min(window[axis].start for window in windows), max(window[axis].stop for window in windows))
        for axis in (0, 1)
    )
    return first.window(rows, cols)


def _plan_of(configs: Sequence[Config], parts: Sequence[JoinedPart], build: Path) -> Plan:
    """The plan of the whole for names, titles and times: no registers are read, no relief is drawn."""
    config, manifest = configs[0], parts[0].run.manifest
    whole = config.model_copy(
        update={
            "name": _name_of([part.name for part in parts]),
            "title": config.title if {each.title for each in configs} == {config.title} else "",
            "territory": config.territory.model_copy(update={"bbox_deg": _box_of(configs)}),
            "terrain": config.terrain.model_copy(update={"dem": None}),
        }
    )
    return Plan(
        config_path=parts[0].run.folder / MANIFEST,
        config=whole,
        register=xr.Dataset(),
        foreign=ForeignData((), ()),
        bookings=None if manifest["bookings"] is None else xr.Dataset(),
        victims=[],
        wsd=sorted(whole.channels.wsd),
        tiles=[],
        slices=[],
        build=build,
        results=build,
    )


def _name_of(names: Sequence[str]) -> str:
    """The name before the numbers of the parts, where all have one and the same."""
    stems: Mapping[str, None] = dict.fromkeys(_PART_NUMBERS.sub("", name) for name in names)
    return next(iter(stems)) if len(stems) == 1 else "joined"


def _box_of(configs: Sequence[Config]) -> tuple[float, float, float, float] | None:
    """The box around all boxes; None where a part has none."""
    boxes = [config.territory.bbox_deg for config in configs]
    if any(box is None for box in boxes):
        return None
    west, south, east, north = np.array(boxes, dtype=np.float64).T
    return float(west.min()), float(south.min()), float(east.max()), float(north.max())
