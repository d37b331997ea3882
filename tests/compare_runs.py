"""Compare two published runs raster by raster: ``.venv/bin/python tests/compare_runs.py RUN_A RUN_B``.

A change of the code that must not change a map is proven by this comparison: compute the run before and after
it, then compare the two folders ``results/<territory>/<run_id>`` (``latest`` will do). Compared are of every
GeoTIFF and VRT the pixels of every band and of every overview, CRS and transform, descriptions, units, scale
and offset, nodata value, types, colours and all tags but ``hash``, which stands for the code itself. With
``--all`` the other files have to be equal byte by byte as well; the manifest and the reports, which name code
and times, are left out. One line for each difference; exit code 0 without any, else 1.
"""

from __future__ import annotations

import argparse
import filecmp
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window

STRIP_PX = 512
RASTERS = {".tif", ".vrt"}
# What names the code or a time, in any folder of a run.
UNCOMPARED = {"manifest.json", "report.html", "report_annex.html", "report.pdf"}


def differences(first: Path, second: Path, *, everything: bool = False) -> Iterator[str]:
    """One line for each difference between the files of two runs."""
    known = [{path.relative_to(run).as_posix() for path in files_of(run)} for run in (first, second)]
    yield from (f"{name}: only in {first}" for name in sorted(known[0] - known[1]))
    yield from (f"{name}: only in {second}" for name in sorted(known[1] - known[0]))
    for name in sorted(known[0] & known[1]):
        if Path(name).suffix in RASTERS:
            yield from (f"{name}: {line}" for line in raster_differences(first / name, second / name))
        elif everything and Path(name).name not in UNCOMPARED and bytes_differ(first / name, second / name):
            yield f"{name}: bytes differ"


def files_of(run: Path) -> list[Path]:
    """All files below the folder of a run."""
    return [path for path in run.rglob("*") if path.is_file()]


def bytes_differ(first: Path, second: Path) -> bool:
    """Whether two files differ in their content."""
    return not filecmp.cmp(first, second, shallow=False)


def raster_differences(first: Path, second: Path) -> Iterator[str]:
    """One line for each difference between two raster files, overviews included."""
    with rasterio.open(first) as a, rasterio.open(second) as b:
        facts, others = facts_of(a), facts_of(b)
        for name, value in facts.items():
            if value != others[name]:
                yield f"{name}: {value} and {others[name]}"
        if (a.shape, a.count) != (b.shape, b.count):
            return
        yield from pixel_differences(a, b)
        levels = range(min(len(a.overviews(1)), len(b.overviews(1))))
    for level in levels:
        with (
            rasterio.open(first, overview_level=level) as a,
            rasterio.open(second, overview_level=level) as b,
        ):
            yield from (f"overview {level}: {line}" for line in pixel_differences(a, b))


def facts_of(source: DatasetReader) -> dict[str, object]:
    """Everything of a file but its pixels, by name, as texts: so a NaN equals a NaN."""
    bands = source.indexes
    tags = source.tags()
    tags.pop("hash", None)
    return {
        "size": (source.count, *source.shape),
        "CRS": source.crs.to_wkt() if source.crs else None,
        "transform": tuple(source.transform),
        "types": source.dtypes,
        "descriptions": source.descriptions,
        "units": source.units,
        "scales": source.scales,
        "offsets": source.offsets,
        "nodata": repr(source.nodatavals),
        "colours": [(source.colorinterp[band - 1].name, colours_of(source, band)) for band in bands],
        "tags": tags,
        "tags of bands": [source.tags(band) for band in bands],
        "storage": (source.tags(ns="IMAGE_STRUCTURE"), source.block_shapes),
        "overviews": [source.overviews(band) for band in bands],
    }


def colours_of(source: DatasetReader, band: int) -> dict[int, tuple[int, ...]] | None:
    """The colour table of a band; None without one."""
    try:
        return source.colormap(band)
    except ValueError:
        return None


def pixel_differences(a: DatasetReader, b: DatasetReader) -> Iterator[str]:
    """One line for each band with different raw values: how many, and the first of them."""
    count = np.zeros(a.count, dtype=np.int64)
    places: dict[int, tuple[int, int]] = {}
    for row in range(0, a.height, STRIP_PX):
        window = Window(0, row, a.width, min(STRIP_PX, a.height - row))
        different = unequal(a.read(window=window), b.read(window=window))
        count += different.sum(axis=(1, 2))
        for band in np.flatnonzero(different.any(axis=(1, 2))).tolist():
            y, x = np.argwhere(different[band])[0].tolist()
            places.setdefault(band, (row + y, x))
    for band, (y, x) in sorted(places.items()):
        yield f"band {band + 1}: {count[band]} pixels differ, the first in row {y}, column {x}"


def unequal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where two arrays differ in their bits: NaN equals NaN, 0.0 is not -0.0."""
    if first.dtype != second.dtype:
        return np.ones(first.shape, dtype=bool)
    bits = f"u{first.dtype.itemsize}"
    return first.view(bits) != second.view(bits)


def main() -> int:
    """Compare what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs=2, type=Path, metavar="RUN")
    parser.add_argument("--all", action="store_true", help="other files too, byte by byte")
    arguments = parser.parse_args()
    first, second = arguments.runs
    for run in arguments.runs:
        if not any(path.suffix in RASTERS for path in files_of(run)):
            parser.error(f"{run} holds no raster")
    found = 0
    for line in differences(first, second, everything=arguments.all):
        print(line, flush=True)
        found += 1
    print(f"{found} differences" if found else "no difference", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
