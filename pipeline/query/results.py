"""A published run as the tools read it: its folder, its manifest, and the settings it was computed with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pipeline.config.base import Section
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.hashing import file_sha256
from pipeline.publish.release import INTERNAL_MANIFEST, LATEST, MANIFEST, WITHHELD
from pipeline.query.manifest_check import read_manifest
from pipeline.shipped import shipped

_AnySection = TypeVar("_AnySection", bound=Section)


class Run(NamedTuple):
    """One run under results/; ``root`` the folder that holds results/ and build/."""

    folder: Path
    root: Path
    manifest: dict[str, Any]

    @property
    def build(self) -> Path:
        """Where the intermediates of the newest run of this territory, or of its what-ifs, are."""
        name = self.manifest["config"]["settings"].get("results") or self.manifest["territory"]
        return self.root / "build" / str(name)


def read_run(results: Path) -> Run:
    """The run in ``results/<territory>/<run_id>``, or the latest one of ``results/<territory>``.

    With all facts, those of protected stations too: ``internal/manifest.json``, which not everybody may read.
    """
    public = read_public_run(results)
    if WITHHELD not in public.manifest:  # made before there were two manifests
        return public
    path = public.folder / INTERNAL_MANIFEST
    try:
        found = path.is_file()
    except PermissionError:
        found = False
    if not found:
        raise InputError(
            "is not here or not for you to read", file=path, allowed="the run's whole folder, with internal/"
        )
    return public._replace(manifest=read_manifest(path))


def read_public_run(results: Path) -> Run:
    """The same with the facts of ``manifest.json`` alone, for answers that must disclose no station."""
    places = (results, results / LATEST)
    try:
        folder = next((place for place in places if (place / MANIFEST).is_file()), None)
    except (OSError, ValueError) as error:  # a name that no file can have, a loop of links
        problem = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise InputError(problem, file=results, allowed="a folder such as results/x/latest") from None
    if folder is None:
        raise InputError("holds no published run", file=results, allowed="a folder such as results/x/latest")
    folder = folder.resolve()
    return Run(folder, folder.parent.parent.parent, read_manifest(folder / MANIFEST))


def published_file(run: Run, name: str) -> Path:
    """A file of the run for an answer; InputError unless its content is what the manifest says.

    A file that stays as it is is read once in a process.
    """
    path = run.folder / name
    known = {entry["path"]: entry["sha256"] for entry in run.manifest.get("outputs", ())}
    if name not in known:
        raise InputError("is no file of this run", file=path, allowed=f"one that {MANIFEST} lists")
    try:
        found = file_sha256(path)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or type(error).__name__})", file=path) from None
    if found != known[name]:
        raise InputError(
            "is damaged: its content is not what was published",
            file=path,
            value=f"SHA-256 {found[:16]}...",
            allowed=f"{known[name][:16]}... of {MANIFEST}; publish again with `channelmaps run`",
        )
    return path


def config_of(run: Run) -> Config:
    """The settings of a run, with its files looked up beside the run's results, then in the program."""
    try:
        config = Config.model_validate(run.manifest["config"]["settings"])
    except (ValidationError, KeyError, TypeError):
        raise InputError(
            "settings of the run do not fit this version of the program",
            file=run.folder / MANIFEST,
            allowed="the version that made the run, or a new run",
        ) from None
    return located(config, (run.root, shipped("")))


def population_of(run: Run, grid: Grid) -> NDArray[np.float32] | None:
    """Persons per pixel of a grid, NaN beyond the run's own; None without population or with another one.

    The raster is not published: the one in the build folder counts if the territory's latest run, which made
    it, had the same population, boundaries and pixels.
    """
    path = run.build / "territory" / "population.tif"
    try:
        latest = read_run(run.root / "results" / run.build.name)
    except InputError:
        return None
    if not path.is_file() or _people(latest) != _people(run):
        return None
    own = raster.read_grid(path)
    if (own.crs, own.resolution_m) != (grid.crs, grid.resolution_m):
        return None
    return read_onto(path, grid, np.nan)


def _people(run: Run) -> object:
    """What the raster of persons is made from."""
    settings = run.manifest["config"]["settings"]
    parts = ("population", "territory")
    files = [(entry["key"], entry["sha256"]) for entry in run.manifest["inputs"]]
    return [file for file in files if file[0].startswith(parts)], settings.get("territory", {}).get(
        "bbox_deg"
    )


def read_onto(path: Path, grid: Grid, fill: float, band: str | None = None) -> NDArray[Any]:
    """Values of a file on a larger or smaller grid with the same pixels, ``fill`` where it has none.

    ``band`` by its description, None of a file with a single one.
    """
    layer = raster.read(path, bands=None if band is None else [band])
    own: Grid = layer.attrs["grid"]
    row, col = grid.offset_px(own)
    whole = np.full(grid.shape, fill, dtype=layer.dtype)
    rows, cols = slice(max(row, 0), row + own.height), slice(max(col, 0), col + own.width)
    target = whole[rows, cols]
    first_row, first_col = max(-row, 0), max(-col, 0)
    height, width = target.shape
    target[:] = layer.values[first_row : first_row + height, first_col : first_col + width]
    return whole


def located(section: _AnySection, roots: tuple[Path, ...]) -> _AnySection:
    """The section with each relative path under the first of ``roots`` where it exists."""
    found = {name: _located(getattr(section, name), roots) for name in type(section).model_fields}
    return section.model_copy(update=found)


def _located(value: Any, roots: tuple[Path, ...]) -> Any:  # noqa: ANN401 - any value of a setting
    if isinstance(value, Path):
        return next((root / value for root in roots if (root / value).exists()), value)
    if isinstance(value, Section):
        return located(value, roots)
    if isinstance(value, dict):
        return {key: _located(item, roots) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_located(item, roots) for item in value)
    return value
