"""What users import as ``channelmaps``: a run as arrays, a place, links, and a run itself.

    import channelmaps

    levels = channelmaps.open_results("results/slovenia/latest", device="fixed30")  # int16, 0.01 dBm
    levels.channelmaps.dbm().sel(channel="40")  # NaN where nothing is permitted or evaluated
    channelmaps.availability_at("results/slovenia/latest", 14.5, 46.05, uncertainty_m=50)

Bad input raises ``InputError``, a device's refusal ``PawsError``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError
from pipeline.query.paws import PawsError
from pipeline.query.results_data import ChannelmapsAccessor, availability_at, open_results

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ChannelmapsAccessor",
    "InputError",
    "PawsError",
    "availability_at",
    "open_results",
    "predict",
    "run",
]


def predict(links: pd.DataFrame, model: str) -> pd.DataFrame:
    """``links`` with field, loss and regime by a model: columns as of `channelmaps predict`."""
    from pipeline.studies.predict import predict_table  # compiled kernels: only who predicts waits for them

    return predict_table(links, model)


def run(territory: str | Path, *, cores: int | None = None, lenient: bool = False) -> Path:
    """Check a territory file, compute what changed and publish it in the working folder; the run's folder.

    InputError for refused input, RuntimeError where computing failed (the log says why).
    """
    from pipeline.plan.plan import results_of
    from pipeline.plan.territory_file import load_config
    from pipeline.workflow.run import RunOptions, run_command

    if run_command(Path(territory), RunOptions(cores=cores, lenient=lenient)):
        raise RuntimeError(f"the run of {territory} has failed: see the lines above and logs/")
    return (results_of(load_config(Path(territory))) / "latest").resolve()
