"""Who may import whom: data flows through the folders in one direction."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pipeline"
FLOW = ["territory", "registers", "terrain", "propagation", "coverage", "protection", "availability",
        "coordination", "publish", "tools"]  # fmt: skip
# Modules at the top of the package: those that know the stages, and the ground on which all stages stand.
DRIVERS = {"cli", "cli_stages", "stages", "workflow", "__main__", "__init__"}
BASE = {path.stem for path in PACKAGE.glob("*.py")} - DRIVERS | {"config"}
# The margin of the grid is the proven radius, known before anything is computed (protection.md, section 4).
# The tables of modes and of ratios between DTT stations are read where all protection ratios are.
EXCEPTIONS = {
    "registers/pmse.py": {"protection"},
    "registers/transmitters.py": {"protection"},
    "territory/margin.py": {"protection"},
    "territory/stage.py": {"registers"},
    "coverage/planning.py": {"protection"},
    "coverage/stage.py": {"protection"},
}
# Of rasterio, what opens and writes files; rasterising and warping of arrays is free for all.
ONLY_USERS = {"rasterio": {"raster.py"}, "dask": {"blocks.py"}}
FREE = {
    f"rasterio.{name}"
    for name in ("features.rasterize", "warp.Resampling", "warp.reproject", "warp.transform_bounds",
                 "errors.NotGeoreferencedWarning")
}  # fmt: skip


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


def inside(path: Path) -> set[str]:
    """First names below the package that a file imports: folders and top modules."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("pipeline.")}


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_module_imports_only_what_comes_before_it(path: Path) -> None:
    place = path.relative_to(PACKAGE)
    if len(place.parts) == 1:
        if place.stem not in DRIVERS:
            assert inside(path) <= BASE
        return
    folder = place.parts[0]
    if folder == "config":
        assert inside(path) <= {"config", "errors"}
        return
    if folder == "propagation":
        assert inside(path) <= {"units", "numba_options", "propagation"}
        return
    allowed = BASE | set(FLOW[: FLOW.index(folder) + 1])
    if folder in {"publish", "tools"}:
        allowed |= {"stages", "workflow"}
    assert inside(path) <= allowed | EXCEPTIONS.get(place.as_posix(), set())


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
