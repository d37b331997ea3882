"""`channelmaps what-if` on the tiny territory, for real: only what changed, and the bytes of a full run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.test_full_run import contents, run

pytestmark = pytest.mark.slow
CHANGE = ("--set", "devices.fixed30.dq_pct=5")


def test_what_if_equals_a_full_run_and_leaves_the_published_one(repository: Path, tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace('wsd: ["21-30"]', "wsd: [28]"))
    results = tiny.parent / "results"
    run(repository)
    latest = (results / "tiny/latest").resolve()
    before = contents(latest)

    run(repository, *CHANGE, command="what-if")
    text = Path("logs/tiny/run.log").read_text()
    assert "maximum e.i.r.p. in channel 28" in text
    assert "coverage of channel" not in text
    assert (results / "tiny/latest").resolve() == latest
    assert contents(latest) == before

    found = contents((results / "tiny-what-if/latest").resolve())
    assert found["public/max_eirp_fixed30_ch28.tif"] != before["public/max_eirp_fixed30_ch28.tif"]
    for name in ("tiny", "tiny-what-if"):
        place = ("--lon", "14.5", "--lat", "46.05", "--channel", "28", "--device", "fixed30")
        run(repository, "--results", f"results/{name}", *place, command="explain", config=None)
    assert "Nothing to be done" in run(repository, "--verbose")

    for folder in ("build", "results", ".snakemake"):
        shutil.rmtree(folder)
    run(repository, *CHANGE, command="what-if")
    assert contents((results / "tiny-what-if/latest").resolve()) == found
