"""The rooms of the package in one order, imports downwards only, one name for one thing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
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
    "companions",
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
    "rates",
    "coordination",
    "plan",
    "publish",
    "workflow",
    "query",
    "studies",
    "links",
    "loop",
    "init",
    "api",
    "cli",
    "__main__",
    "__init__",
]
# Of rasterio, what opens and writes files; rasterising and warping of arrays is free for all.
ONLY_USERS = {"rasterio": {"grid/raster.py", "grid/foreign_rasters.py"}, "dask": {"blocks.py"}}
FREE = {
    f"rasterio.{name}"
    for name in (
        "features.rasterize",
        "features.shapes",
        "warp.Resampling",
        "warp.reproject",
        "warp.transform_bounds",
        "errors.NotGeoreferencedWarning",
    )
}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Full names of all imports of a file, also those inside functions."""
    package = ("pipeline", *path.relative_to(PACKAGE).parent.parts)
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [f"{base}.{alias.name}" for alias in node.names]
    return tuple(found)


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
    """But for steps of the database: Alembic looks for the same names in each of them."""
    paths = [path for path in sources() if path.parent.name != "versions"]
    assert not repeated((name, path) for path in paths for name in set(public_names(path)))


def module_of(path: Path) -> str:
    return ".".join(("pipeline", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def test_no_modules_import_each_other() -> None:
    modules = {module_of(path): path for path in sources()}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        used = {found if found in modules else found.rpartition(".")[0] for found in imported(path)}
        graph[name] = used & set(modules) - {name}
    tuple(TopologicalSorter(graph).static_order())  # CycleError names a ring


def test_jobs_are_imported_by_nobody() -> None:
    """They are reached through the table of jobs only."""
    jobs = {module_of(path) for path in sources() if path.stem == "job" or path.stem.startswith("job_")}
    assert len(jobs) > 10
    for path in sources():
        for name in imported(path):
            assert not {name, name.rpartition(".")[0]} & jobs, path


def test_init_files_import_nothing() -> None:
    assert not {
        path: set(imported(path))
        for path in PACKAGE.rglob("__init__.py")
        if set(imported(path)) - {"__future__.annotations"} and path.parent.name not in {"bundle", "api"}
    }


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.FunctionDef))


def is_kernel(function: ast.FunctionDef) -> bool:
    return any(
        name in ast.unparse(mark)
        for mark in function.decorator_list
        for name in ("kernel", "borrowing", "inlined", "inner", "lent")
    )


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of a function below its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_functions_are_short_and_take_few_parameters(path: Path) -> None:
    for function in functions(path):
        kernel = is_kernel(function)
        assert body_lines(function) <= (60 if kernel else 40), function.name
        command = any("command" in ast.unparse(mark) for mark in function.decorator_list)
        given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        assert kernel or command or len([a for a in given if a.arg not in {"self", "cls"}]) <= 9, (
            function.name
        )
