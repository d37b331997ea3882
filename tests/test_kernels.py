"""The cache of compiled kernels follows their sources; some borrow their arrays, some serve kernels."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import TypingError

from pipeline.kernels import borrowing

CALLEE = "from pipeline.kernels import kernel\n\n\n@kernel\ndef raised(x):\n    return x + {step}\n"
CALLER = (
    "from pipeline.callee import raised\nfrom pipeline.kernels import kernel\n\n\n"
    "@kernel\ndef twice(x):\n    return raised(raised(x))\n"
)


def test_edited_callee_is_compiled_anew_in_its_caller(repository: Path, tmp_path: Path) -> None:
    """Numba looks at the caller's own file only: without the folder by hash the old code would answer."""
    package = tmp_path / "pipeline"
    package.mkdir()
    (package / "__init__.py").write_text("")
    shutil.copy(repository / "pipeline/kernels.py", package)
    (package / "caller.py").write_text(CALLER)
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    environment["PYTHONPATH"] = str(tmp_path)
    program = "from pipeline.caller import twice; print(twice(1.0))"

    def answer(step: str) -> str:
        (package / "callee.py").write_text(CALLEE.format(step=step))
        line = [sys.executable, "-c", program]
        return subprocess.check_output(line, cwd=tmp_path, env=environment, text=True).strip()

    assert answer("1.0") == "3.0"
    assert answer("1.0") == "3.0"
    assert len(list((package / "__pycache__").glob("kernels-*"))) == 1
    assert answer("10.0") == "21.0"
    assert len(list((package / "__pycache__").glob("kernels-*"))) == 2


@borrowing
def raise_all(values):
    for k in range(values.size):
        values[k] += 1.0
    return values.sum()


@borrowing
def make(count):
    return np.zeros(count)


def test_borrowing_kernels_leave_arrays_to_their_owners_and_make_none() -> None:
    values = np.arange(5.0)
    holders = sys.getrefcount(values)
    assert [raise_all(values) for _ in range(3)] == [15.0, 20.0, 25.0]
    assert sys.getrefcount(values) == holders
    with pytest.raises(TypingError, match="array passed into the function"):
        make(3)


INNER = (
    "from pipeline.kernels import inner, kernel\n\n\n@inner\ndef half(x):\n    return 0.5 * x\n\n\n"
    "@kernel\ndef quarter(x):\n    return half(half(x))\n"
)


def test_inner_kernels_serve_kernels_from_the_cache_and_python_without_one(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(INNER)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    program = (
        "from made import half, quarter\n"
        "print(quarter(8.0), half(8.0), half(6), sum(quarter.stats.cache_hits.values()))"
    )
    line = [sys.executable, "-c", program]
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    outputs = [
        subprocess.check_output(line, cwd=tmp_path, env=environment, text=True).split() for _ in range(2)
    ]
    assert outputs == [["2.0", "4.0", "3.0", "0"], ["2.0", "4.0", "3.0", "1"]]


def test_python_of_the_package_calls_no_kernel_without_a_way_in(repository: Path) -> None:
    """A way in that is made on demand is compiled in every process anew: seconds for inputs of coverage."""
    trees = [ast.parse(path.read_text()) for path in (repository / "pipeline").rglob("*.py")]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]

    def kinds(function: ast.FunctionDef) -> set[str]:
        return {kind.id for kind in function.decorator_list if isinstance(kind, ast.Name)}

    without = {one.name for one in functions if kinds(one) & {"inner", "lent"}}
    assert len(without) > 20
    for function in functions:
        if not kinds(function) & {"inner", "lent", "kernel", "borrowing", "inlined"}:
            called = {
                node.func.id
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert not called & without, function.name
