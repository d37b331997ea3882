"""The rooms of the package in one order, imports downwards only, one name for one thing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pipeline"
# From the ground to the roof; a room imports from itself and from those before it. Modules at the top of the
# package are rooms as well.
ROOMS = [
    "errors",
    "shipped",
    "kernels",
    "units",
    "quantise",
    "hashing",
    "blocks",
    "files",
    "budget",
    "rows",
    "layers",
    "propagation",
    "config",
    "grid",
    "radio",
    "reference",
    "registers",
    "territory",
    "terrain",
    "coverage",
    "dtt",
    "services",
    "availability",
    "coordination",
    "plan",
    "publish",
    "workflow",
    "query",
    "studies",
    "cli",
    "__main__",
    "__init__",
]
# Of rasterio, what opens and writes files; rasterising and warping of arrays is free for all.
ONLY_USERS = {"rasterio": {"grid/raster.py"}, "dask": {"blocks.py"}}
FREE = {
    f"rasterio.{name}"
    for name in (
        "features.rasterize",
        "warp.Resampling",
        "warp.reproject",
        "warp.transform_bounds",
        "errors.NotGeoreferencedWarning",
    )
}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of all imports of a file, also those inside functions."""
    package = ("pipeline", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def rooms_used(path: Path) -> set[str]:
    """Rooms of the package that a file imports from."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("pipeline.")}


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_downwards(path: Path) -> None:
    place = path.relative_to(PACKAGE)
    room = place.parts[0].removesuffix(".py")
    below = set(ROOMS[: ROOMS.index(room) + 1])
    assert rooms_used(path) <= below


@pytest.mark.parametrize("library", sorted(ONLY_USERS))
def test_library_has_one_user(library: str) -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in sources()
        if any(name.split(".")[0] == library and name not in FREE for name in imported(path))
    }
    assert users == ONLY_USERS[library]


def test_no_module_is_too_long() -> None:
    long = {p.name: n for p in sources() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 450}
    assert not long


def public_names(path: Path) -> Iterator[str]:
    """Classes, constants and aliases of types that a module defines for others."""
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.ClassDef):
            names = [node.name]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def repeated(named: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    """Places of each name that has several."""
    places: dict[str, list[str]] = {}
    for name, path in named:
        places.setdefault(name, []).append(path.relative_to(PACKAGE).as_posix())
    return {name: found for name, found in places.items() if len(found) > 1}


def test_no_two_modules_share_a_name() -> None:
    """Modules of ``config`` have the names of the sections, and every room may have jobs."""
    named = [(path.stem, path) for path in sources() if path.stem not in {"__init__", "job"}]
    named = [(name, path) for name, path in named if path.parent.name != "config"]
    assert not repeated(named)


def test_no_two_modules_define_one_public_name() -> None:
    assert not repeated((name, path) for path in sources() for name in set(public_names(path)))
