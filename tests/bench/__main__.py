"""`make bench`: run the benchmark modules, print a table, write benchmarks/latest.json.

A module of this folder takes part if it has ``measure() -> dict``: numbers by name, unit in the name. It may
raise ``Skipped`` (tests.bench.common) with the reason, e.g. that the reference data are not there.
Each module runs in its own process: no warm caches or threads from the one before, and a limit of time.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

MODULES = (
    "links",
    "white_space",
    "fields",
    "sweep",
    "p1812",
    "protection",
    "pmse",
    "query",
    "first_map",
    "rr941",
    "italy",
    "what_if",
)
FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
LIMIT_S = 20 * 60
RESULT_MARK = "BENCH-RESULT "


def measure(name: str) -> None:
    """Run one module in this process and print its result as one marked line."""
    import importlib

    from tests.bench.common import Skipped

    try:
        result = importlib.import_module(f"tests.bench.{name}").measure()
    except Skipped as reason:
        result = {"skipped": str(reason)}
    print(RESULT_MARK + json.dumps(result), flush=True)


def measure_apart(name: str, limit_s: float) -> dict[str, object]:
    """Run one module in a process of its own, at most ``limit_s`` seconds."""
    if not (FOLDER / f"{name}.py").is_file():
        return {"skipped": "no such module yet"}
    if limit_s <= 0:
        return {"skipped": "no time left"}
    command = [sys.executable, "-m", "tests.bench", name]
    try:
        run = subprocess.run(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {limit_s:.0f} s"}
    lines = [line for line in run.stdout.splitlines() if line.startswith(RESULT_MARK)]
    if run.returncode != 0 or not lines:
        return {"failed": f"exit code {run.returncode}"}
    result: dict[str, object] = json.loads(lines[-1].removeprefix(RESULT_MARK))
    return result


def main() -> int:
    """Run all modules; 1 if one of them failed."""
    started_s = time.monotonic()
    results: dict[str, dict[str, object]] = {}
    for name in MODULES:
        results[name] = measure_apart(name, LIMIT_S - (time.monotonic() - started_s))
        show(name, results[name])
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}
    target = REPOSITORY / "benchmarks" / "latest.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(merged(results) | {"machine": machine}, indent=1) + "\n", encoding="utf-8")
    return 1 if any("failed" in result for result in results.values()) else 0


def merged(results: dict[str, dict[str, object]]) -> dict[str, object]:
    """All numbers by name; what was skipped or failed by module, with the reason."""
    flat: dict[str, object] = {}
    for name, result in results.items():
        for key, value in result.items():
            if key in ("skipped", "failed"):
                reasons = flat.setdefault(key, {})
                assert isinstance(reasons, dict)
                reasons[name] = value
            else:
                flat[key] = value
    return flat


def show(name: str, result: dict[str, object]) -> None:
    """Print the rows of one module."""
    for key, value in result.items():
        print(
            f"{name:12} {key:44} {value:.6g}" if isinstance(value, float) else f"{name:12} {key:44} {value}"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        sys.exit(main())
