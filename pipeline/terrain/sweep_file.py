"""Radial terrain profiles of a batch of masts in one file: NumPy arrays in a zip, one folder per mast."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.files import whole_file
from pipeline.terrain.records import Sweep, SweepFacts, TerrainSource

ARRAYS = ("heff_m", "theta_eff1_deg", "hb_m", "sea_km", "tca_counts")
SCALARS = tuple(name for name in Sweep._fields if name not in ARRAYS)
# Clearance angles are nearly noise: harder compression costs seconds per mast and saves a few per cent.
COMPRESSION_LEVEL = 1
# The archive's clock, so that equal profiles give equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def write_sweeps(path: str | Path, sweeps: Mapping[str, Sweep]) -> None:
    """Write profiles by mast key, the whole file or none; equal profiles give equal bytes."""
    with whole_file(Path(path)) as ready, _new_archive(ready) as archive:
        for key in sorted(sweeps):
            sweep = sweeps[key]
            scalars = np.array([getattr(sweep, name) for name in SCALARS], dtype=np.float64)
            _add(archive, f"{key}/scalars", scalars)
            for name in ARRAYS:
                _add(archive, f"{key}/{name}", getattr(sweep, name))


def read_sweeps(path: str | Path, masts: Iterable[str] | None = None) -> dict[str, Sweep]:
    """Profiles of a file by mast key: all, or those asked for."""
    with _opened(path) as archive:
        known = _masts(archive)
        wanted = known if masts is None else set(masts)
        if missing := sorted(wanted - known):
            raise InputError("no sweep of this mast", file=path, field="mast", value=missing[0])
        return {key: _sweep(archive, key) for key in sorted(wanted)}


def read_facts(path: str | Path) -> dict[str, SweepFacts]:
    """What the manifest reports of the profiles of a file, by mast key; no clearance angle is unpacked."""
    with _opened(path) as archive:
        return {key: _facts(archive, key) for key in sorted(_masts(archive))}


def facts_of(sweep: Sweep) -> SweepFacts:
    """What the manifest reports of a mast's profiles."""
    return SweepFacts(
        TerrainSource(sweep.terrain_source), sweep.tca_counts.shape[1] > 0, sweep.sea_km.shape[1] > 0
    )


def _new_archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL)


def _opened(path: str | Path) -> zipfile.ZipFile:
    if not Path(path).is_file():
        raise InputError("file not found", file=path, allowed="sweeps written by the terrain stage")
    return zipfile.ZipFile(path)


def _masts(archive: zipfile.ZipFile) -> set[str]:
    return {name.split("/")[0] for name in archive.namelist()}


def _facts(archive: zipfile.ZipFile, key: str) -> SweepFacts:
    scalars = dict(zip(SCALARS, _load(archive, f"{key}/scalars").tolist(), strict=True))
    source = TerrainSource(int(scalars["terrain_source"]))
    angles, sea = (_columns(archive, f"{key}/{name}") > 0 for name in ("tca_counts", "sea_km"))
    return SweepFacts(source, with_clearance_angles=angles, with_sea=sea)


def _columns(archive: zipfile.ZipFile, name: str) -> int:
    """Columns of an array, from its header alone."""
    with archive.open(f"{name}.npy") as stream:
        np.lib.format.read_magic(stream)
        shape, _, _ = np.lib.format.read_array_header_1_0(stream)
    return int(shape[1])


def _sweep(archive: zipfile.ZipFile, key: str) -> Sweep:
    fields: dict[str, Any] = dict(zip(SCALARS, _load(archive, f"{key}/scalars").tolist(), strict=True))
    fields["terrain_source"] = int(fields["terrain_source"])
    fields |= {name: _load(archive, f"{key}/{name}") for name in ARRAYS}
    return Sweep(**fields)


def _add(archive: zipfile.ZipFile, name: str, values: NDArray[np.generic]) -> None:
    entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    with archive.open(entry, "w", force_zip64=True) as sink:
        np.lib.format.write_array(sink, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)


def _load(archive: zipfile.ZipFile, name: str) -> NDArray[np.generic]:
    stream = io.BytesIO(archive.read(f"{name}.npy"))
    values: NDArray[np.generic] = np.lib.format.read_array(stream, allow_pickle=False)
    return values
