"""What a command loads before it does anything: libraries that it has no use for take seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

JOB = "from pipeline.blocks import without_dask; without_dask(); import pipeline.coverage.job"


@pytest.mark.parametrize(
    ("imports", "unwanted"),
    [
        (f"{JOB}; import xarray; xarray.DataArray([1.0])", {"scipy", "dask"}),
        ("import pipeline.registers.importing", {"numba", "pandas", "xarray"}),
    ],
)
def test_libraries_without_use_are_not_loaded(imports: str, unwanted: set[str]) -> None:
    code = f"{imports}\nimport sys; print(*(n for n in {sorted(unwanted)} if sys.modules.get(n)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
