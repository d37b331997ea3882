"""Files that belong to a file: parts of a shapefile, side files of a raster, sources of a virtual raster.

What they hold decides what is read, so they are inputs as the file itself is.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

_SHAPEFILE = (".cpg", ".dbf", ".prj", ".shx")
# Of rasters: CRS, header and place beside the values. Masks, and headers of ENVI, may have the name of the
# file and one ending more; values under a header of ENVI have any name, or no ending at all.
_RASTER = (".hdr", ".prj", ".tfw", ".wld")
_ENVI = (".hdr", b"ENVI")
_RASTER_NAMES = frozenset((".asc", ".bil", ".bip", ".bsq", ".flt", ".hgt", ".img", ".tif", ".tiff", ".vrt"))
_MASK = ".msk"
# GDAL's side file, and its elements that say nothing of place and values.
AUXILIARY = ".aux.xml"
_STATISTICS = frozenset(
    [
        "PAMDataset",
        "PAMRasterBand",
        "Metadata",
        "Histograms",
        "HistItem",
        "HistMin",
        "HistMax",
        "BucketCount",
        "IncludeOutOfRange",
        "Approximate",
        "HistCounts",
    ]
)
_HEAD_BYTES = 4096
_MOST_BYTES = 50_000_000
_SOURCES = ("SourceFilename", "SourceDataset")


class VirtualSource(NamedTuple):
    """A file that a virtual raster takes values from: the name as it stands there, and its path."""

    name: str
    path: Path


def is_virtual(path: Path) -> bool:
    """True for a GDAL virtual raster (VRT), by its content: any name does for GDAL."""
    try:
        with path.open("rb") as file:
            return b"<VRTDataset" in file.read(_HEAD_BYTES)
    except OSError:
        return False


def virtual_sources(path: Path) -> list[VirtualSource]:
    """Sources that a virtual raster names itself, in its order; ValueError if it cannot be understood."""
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"is larger than {_MOST_BYTES} bytes")
    content = path.read_bytes()
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("defines entities")
    try:
        root = ET.fromstring(content)
    except ET.ParseError as error:
        raise ValueError(f"is not valid XML ({error})") from None
    if not root.get("subClass"):  # those of a kind of its own name their sources once for all bands
        for band in root.iter("VRTRasterBand"):
            if not any(item.tag in _SOURCES for item in band.iter()):
                raise ValueError(f"has a band without a source: {band.get('band', 'a mask')}")
    found = []
    for item in root.iter():
        if item.tag in _SOURCES:
            name = (item.text or "").strip()
            beside = item.get("relativeToVRT", item.get("relativetoVRT", "0")) == "1"
            found.append(VirtualSource(name, path.parent / name if beside else Path(name)))
    return found


def files_of(path: Path) -> list[Path]:
    """A file and those that belong to it and exist; sources of virtual rasters through all levels."""
    files: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop(0)
        if file in files:
            continue
        files[file] = None
        files |= dict.fromkeys(_beside(file))
        if is_virtual(file):
            waiting += [source for source in _existing_sources(file) if source not in files]
    return list(files)


def label(path: Path, part: Path) -> str:
    """What tells a part from its file in a list: the suffix of a file beside it, else its path from there."""
    if part.parent == path.parent and part.stem == path.stem:
        return part.suffix
    return f".{Path(os.path.relpath(part, path.parent)).as_posix()}"


def _existing_sources(path: Path) -> list[Path]:
    try:
        return [source.path for source in virtual_sources(path) if source.path.is_file()]
    except (ValueError, OSError):
        return []


def _beside(path: Path) -> list[Path]:
    kind = path.suffix.lower()
    if kind == ".shp":
        return [part for suffix in _SHAPEFILE if (part := path.with_suffix(suffix)).is_file()]
    suffix, start = _ENVI
    headers = [
        header for header in {path.with_suffix(suffix), path.with_name(path.name + suffix)} if header != path
    ]
    if kind not in _RASTER_NAMES:
        return sorted(header for header in headers if _begins(header, start))
    longer = [path.with_name(path.name + ending) for ending in (suffix, _MASK)]
    sides = [*(path.with_suffix(suffix) for suffix in _RASTER), *longer]
    found = [part for part in sides if part.is_file()]
    auxiliary = path.with_name(path.name + AUXILIARY)
    return [*found, auxiliary] if auxiliary.is_file() and _says_more(auxiliary) else found


def _begins(path: Path, start: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False


def _says_more(auxiliary: Path) -> bool:
    """Whether a side file has more than statistics, which programs write that only look at a raster."""
    try:
        root = ET.fromstring(auxiliary.read_bytes() if auxiliary.stat().st_size <= _MOST_BYTES else b"")
    except (ET.ParseError, OSError):
        return True
    items = [item for item in root.iter() if item.tag not in _STATISTICS]
    keys = [item.get("key", "") for item in items if item.tag == "MDI"]
    return any(item.tag != "MDI" for item in items) or not all(key.startswith("STATISTICS_") for key in keys)
