"""The cache of compiled kernels follows their sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
