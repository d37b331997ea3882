"""What a change costs: one channel of the default territory in full, then five changes beside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import yaml

NAME = "bench-what-if"
FOLDER = Path("build") / NAME
CHANNEL = 30
SHIPPED = Path("configs/slovenia.yaml")


def measure() -> dict[str, float]:
    """Seconds of the full run, and of a new run after each change alone."""
    config_path = write_territory()
    found = {"what_if_full_run_s": run_s("run", config_path)}
    for name, change in changes().items():
        found[f"what_if_{name}_s"] = run_s("what-if", config_path, "--set", change)
        run_s("run", config_path)  # back, so that each change is measured alone
    return found


def write_territory() -> Path:
    """The default territory with one white-space channel, under a name of its own and from clean."""
    for folder in (FOLDER, Path("results") / NAME, Path("results") / f"{NAME}-what-if"):
        shutil.rmtree(folder, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    content = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    content["name"], content["channels"]["wsd"] = NAME, [CHANNEL]
    config_path = FOLDER / "territory.yaml"
    config_path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return config_path


def changes() -> dict[str, str]:
    """One change of each kind, as `channelmaps what-if` takes it; registers and tables as changed copies."""
    stations = pd.read_csv("data/slovenia/transmitters.csv", dtype=str, keep_default_na=False)
    row = stations.index[stations["channel"] == str(CHANNEL)][0]
    stations.loc[row, "erp_kw"] = str(0.5 * float(stations.loc[row, "erp_kw"]))
    bookings = pd.read_csv("data/slovenia/pmse.csv", dtype=str, keep_default_na=False)
    ratios = pd.read_csv("configs/tables/protection_ratios.csv", dtype=str, keep_default_na=False)
    adjacent = (ratios["offset"] == "1") & (ratios["quantity"] == "acs_db")
    ratios.loc[adjacent, "value"] = "56.0"
    return {
        "dq": "devices.fixed30.dq_pct=2.0",
        "class": "devices.fixed30.emission_class=3",
        "ratio_table": f"protection.ratios={copy_of(ratios, 'ratios.csv')}",
        "pmse_booking": f"pmse.registers=[{copy_of(bookings.iloc[1:], 'pmse.csv')}]",
        "transmitter": f"registers.transmitters=[{copy_of(stations, 'transmitters.csv')}]",
    }


def copy_of(table: pd.DataFrame, name: str) -> Path:
    """Write a changed table into the folder of the benchmark."""
    table.to_csv(FOLDER / name, index=False)
    return FOLDER / name


def run_s(command: str, config_path: Path, *options: str) -> float:
    """Seconds of one command as a process."""
    started_s = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pipeline", command, str(config_path), *options],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started_s
