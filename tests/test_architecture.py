"""The house: rooms in one order, imports downwards only, one name for one thing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pipeline"
# From the ground to the roof; a room imports from itself and from those before it. Modules at the top of the
# package are rooms as well.
ROOMS = [
    "errors",
    "kernels",
    "units",
    "quantise",
    "hashing",
    "blocks",
    "files",
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
# What the moves left to mend.
LEFT = {
    "dtt/budget.py": {"services"},
    "dtt/terms.py": {"services"},
    "dtt/limits.py": {"services"},
    "dtt/protection_maps.py": {"services"},
    "dtt/separation.py": {"services"},
    "dtt/separation_budget.py": {"services"},
    "territory/rasters.py": {"plan"},
}
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
    assert rooms_used(path) <= below | LEFT.get(place.as_posix(), set())


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
