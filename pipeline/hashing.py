"""Content hashes that tell the workflow what has to be computed again.

A job carries three of them: ``settings`` (the part of the configuration that it reads, input files by
content), ``rows`` (the register rows that concern it) and ``code`` (the modules that it imports, their
tables, and the versions of the packages that compute). Nothing here looks at a
clock or at a modification time.
"""

from __future__ import annotations

import ast
import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel

from pipeline.companions import files_of, label
from pipeline.shipped import REPOSITORY, repository_path, shipped

if TYPE_CHECKING:
    import xarray as xr

LENGTH = 16
# A file changed less than this ago may change again within one tick of the file system's clock.
SETTLED_NS = 2_000_000_000
PACKAGE = "pipeline"
LOCK_FILE = "requirements.lock"
# Packages whose version decides the bytes of a result; the others of the lock may change without a new run.
COMPUTING = frozenset(
    [
        "dask",
        "geopandas",
        "llvmlite",
        "numba",
        "numpy",
        "pandas",
        "pyogrio",
        "pyproj",
        "rasterio",
        "rio-cogeo",
        "scipy",
        "shapely",
        "xarray",
    ]
)
# Modules that are data: tables of rows, and the sections of the configuration with what those compute: the
# loss of a building is among the settings.
LEAVES = (
    "pipeline.config",
    "pipeline.layers",
    "pipeline.plan.jobs",
    "pipeline.propagation.building_entry",
    "pipeline.propagation.models",
    "pipeline.services.table",
)
CODE_SUFFIXES = {".py", ".pyc", ".pyi", ".nbi", ".nbc"}


def text_hash(text: str) -> str:
    """First 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def json_hash(value: object) -> str:
    """Hash of plain data; the order of keys does not matter."""
    return text_hash(json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=True))


def basis_hash(code: str, settings: str) -> str:
    """One hash of the hashes of a job's code and settings."""
    return json_hash([code, settings])


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal; within a process a file that stays as it is is read once."""
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    if time.time_ns() - state.st_mtime_ns < SETTLED_NS:
        return _sha256(path)
    return _sha256_of_state(path.resolve(), state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4096)
def _sha256_of_state(path: Path, _inode: int, _size: int, _mtime_ns: int) -> str:
    return _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_files(paths: Iterable[Path]) -> dict[Path, str | None]:
    """SHA-256 of files, several at a time; None for what is no file or cannot be read."""
    chosen = list(paths)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        return dict(zip(chosen, threads.map(_sha256_or_none, chosen), strict=True))


def _sha256_or_none(path: Path) -> str | None:
    try:
        return file_sha256(path)
    except OSError:
        return None


def files_hash(paths: Iterable[Path], root: Path) -> str:
    """Hash of names relative to ``root`` and contents; a copy in the package has the name of its original."""
    named = {(repository_path(path, root) or path).as_posix(): file_sha256(path) for path in paths}
    return json_hash(named)


# --- settings -----------------------------------------------------------------------------------------------


def settings_hash(config: BaseModel, keys: Iterable[str], **resolved: object) -> str:
    """Hash of parts of a configuration, dotted keys such as ``grid`` or ``coverage.q_min``.

    Of a list of sections every one counts: ``devices.height_m`` stands for the heights of all devices.
    ``-devices.profile`` leaves a part of ``devices`` out.
    A path stands for the content of its file, so that moving a file changes nothing and editing it does.
    ``resolved`` adds values that were derived from other settings, e.g. a margin in km.
    """
    chosen = list(keys)
    parts = {key: plain(_value_at(config, key)) for key in chosen if not key.startswith("-")}
    for left_out in (key.removeprefix("-") for key in chosen if key.startswith("-")):
        for key in parts:
            if left_out.startswith(f"{key}."):
                _leave_out(parts[key], left_out.removeprefix(f"{key}."))
    return json_hash({"settings": parts, "resolved": resolved})


def plain(value: object) -> object:
    """Settings as plain data for hashing; paths become hashes of the files' contents."""
    if isinstance(value, BaseModel):
        fields = {name: plain(getattr(value, name)) for name in type(value).model_fields}
        beside = _beside(value)
        return {**fields, "beside": plain(beside)} if beside else fields
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    if isinstance(value, Path):
        return "no file" if not value.is_file() else "sha256:" + "".join(map(file_sha256, files_of(value)))
    if isinstance(value, date):
        return value.isoformat()
    return value


def input_files(config: BaseModel, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """All (dotted key, path) of a configuration, in the order of its fields.

    A file is followed by those that belong to it, such as ``territory.polygons.path.dbf`` or the sources of a
    virtual raster.
    """
    for name in type(config).model_fields:
        yield from _paths_in(getattr(config, name), f"{prefix}{name}")
    yield from ((f"{prefix}beside.{path.name}", path) for path in _beside(config))


def _beside(section: BaseModel) -> list[Path]:
    """The files that a section reads without naming them (mappings of registers say which)."""
    return list(getattr(section, "files_beside", ()))


def _paths_in(value: object, key: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield key, value
        yield from ((f"{key}{label(value, part)}", part) for part in files_of(value)[1:])
    elif isinstance(value, BaseModel):
        yield from input_files(value, f"{key}.")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _paths_in(item, f"{key}.{name}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _paths_in(item, f"{key}.{index}")


def _leave_out(value: object, key: str) -> None:
    """Remove a dotted key from plain data, in place; from all items of a list."""
    if isinstance(value, list):
        for item in value:
            _leave_out(item, key)
    elif isinstance(value, dict):
        name, _, rest = key.partition(".")
        if rest:
            _leave_out(value[name], rest)
        else:
            del value[name]


def _value_at(value: object, key: str) -> object:
    name, _, rest = key.partition(".")
    if isinstance(value, (list, tuple)):
        return [_value_at(item, key) for item in value]
    inner = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return _value_at(inner, rest) if rest else inner


# --- registers ----------------------------------------------------------------------------------------------


def rows_hash(table: xr.Dataset, chosen: np.ndarray) -> str:
    """Hash of the chosen rows (boolean mask along the only unlabelled-row dimension) of a register.

    All variables count, in alphabetical order; numbers by their bits, texts by their characters.
    """
    row_dimension = next(iter(table[name].dims[0] for name in table.data_vars), "transmitter")
    rows = table.isel({row_dimension: np.flatnonzero(chosen)})
    digest = hashlib.sha256()
    for name in sorted(str(name) for name in rows.data_vars):
        values = rows[name].values
        digest.update(f"{name}{values.shape}".encode())
        if values.dtype.kind in "biuf":
            digest.update(np.ascontiguousarray(values).tobytes())
        else:
            digest.update(json.dumps([str(item) for item in values.ravel()]).encode())
    return digest.hexdigest()[:LENGTH]


# --- code ---------------------------------------------------------------------------------------------------


@cache
def source_hash(modules: str | tuple[str, ...], root: Path = REPOSITORY) -> str:
    """Hash of modules, all they import from the package (directly or not), their tables, and versions.

    Leaves count by the values that a job takes from them, which the caller adds: see ``plan.dependencies``.
    """
    sources = imported_sources(modules, root)
    tables = {path for source in sources for path in _tables_of(source, root)}
    return json_hash([files_hash([*sources, *sorted(tables)], root), _versions(root)])


def package_hash(root: Path = REPOSITORY) -> str:
    """Hash of all modules of the package and their tables, and of the versions of what computes.

    What only builds the page of the web map does not count: a wheel is without it.
    """
    sources = sorted(path for path in (root / PACKAGE).rglob("*.py") if "node_modules" not in path.parts)
    tables = {path for source in sources for path in _tables_of(source, root)}
    return json_hash([files_hash([*sources, *sorted(tables)], root), _versions(root)])


def _versions(root: Path) -> list[str]:
    """``name==version`` of the packages that compute: as the lock says, else (in a wheel) as installed."""
    lock = shipped(LOCK_FILE, root)
    if not lock.is_file():
        return sorted(f"{name}=={version(name)}" for name in COMPUTING)
    lines = lock.read_text(encoding="utf-8").splitlines()
    pins = [line.split(maxsplit=1)[0] for line in lines if "==" in line and not line.startswith((" ", "#"))]
    return sorted(pin for pin in pins if pin.partition("==")[0] in COMPUTING)


def imported_sources(
    modules: str | tuple[str, ...], root: Path = REPOSITORY, *, with_leaves: bool = False
) -> list[Path]:
    """Source files that running modules can load from the package, found by reading import statements.

    Imports inside functions count as well; so do the ``__init__`` files on the way. Leaves are not followed.
    """
    found: dict[str, Path] = {}
    waiting = [modules] if isinstance(modules, str) else list(modules)
    while waiting:
        name = waiting.pop()
        path = _source_of(name, root)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += [name.rpartition(".")[0]] if "." in name else []
        waiting += [] if _is_leaf(name) else _imports(path, name)
    return sorted(path for name, path in found.items() if with_leaves or not _is_leaf(name))


def _is_leaf(module: str) -> bool:
    return any(module == leaf or module.startswith(f"{leaf}.") for leaf in LEAVES)


@cache
def _source_of(module: str, root: Path) -> Path | None:
    place = root.joinpath(*module.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _imports(path: Path, module: str) -> list[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: list[str] = []
    for node in _statements(ast.parse(path.read_bytes(), filename=path.name)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            # `from package import name` may name a module; if it does not, no such file exists.
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == PACKAGE]


def _statements(block: ast.AST) -> Iterator[ast.stmt]:
    """All statements of a module, inner ones included; to look into expressions takes four times as long."""
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(block, part, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from _statements(inner)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        return node.module or ""
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*above, node.module] if node.module else above)


@cache
def _tables_of(source: Path, root: Path) -> list[Path]:
    """Data files in a module's own folder, and files of configs/tables that it names itself.

    Tables that the configuration names are settings: the configuration, which holds their default names, is
    a leaf.
    """
    text = source.read_text(encoding="utf-8")
    named = [path for path in shipped("configs/tables", root).glob("*.*") if f'"{path.name}"' in text]
    if source.parent == root / PACKAGE:
        return named
    return named + [
        path
        for path in source.parent.iterdir()
        if path.is_file() and path.suffix not in CODE_SUFFIXES and not path.name.startswith(".")
    ]
