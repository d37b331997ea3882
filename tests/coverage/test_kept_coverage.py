"""Coverage of which only tiles are computed that new, gone and changed stations may change."""

from __future__ import annotations

import numpy as np
import pytest
from scene import CHANNEL, GRID, Scene, config, scene

from pipeline.coverage import kept_coverage
from pipeline.coverage.channel import compute_blocks, write_results
from pipeline.coverage.inputs import channel_inputs
from pipeline.coverage.kept_coverage import KeptCoverage
from pipeline.coverage.tile_facts import NETWORK_KM
from pipeline.grid.kept_records import parts_by_job

BLOCK_PX = 32


def with_stations(made: Scene, chosen, **changes) -> Scene:
    """Some of the stations of a scene, with other values of some of their columns."""
    some = made.transmitters.isel(transmitter=chosen)
    some = some.assign({name: (some[name].dims, values) for name, values in changes.items()})
    ratio_db = np.where(some["channel"].values == CHANNEL, np.array([[20.0], [21.5]]), -30.0)
    return made._replace(transmitters=some, planning=made.planning._replace(ratio_db=ratio_db))


def run(folder, made: Scene, *, basis: str = "code", others: object = None) -> tuple[bytes, bytes]:
    """The two files of the job; without a basis nothing is copied."""
    inputs = channel_inputs(made.transmitters, made.sweeps, made.planning, config(), CHANNEL)
    stem = folder / "coverage" / "ch30"
    stem.parent.mkdir(exist_ok=True)
    kept = KeptCoverage.of(stem, basis, inputs, made.transmitters, 1, others) if basis else None
    write_results(
        stem, GRID, compute_blocks(inputs, GRID, made.surface.values, None, block_px=BLOCK_PX, kept=kept)
    )
    if kept is not None:
        kept.keep()
    return stem.with_suffix(".tif").read_bytes(), stem.with_name("ch30_class.tif").read_bytes()


def parts(folder) -> dict[str, int]:
    return parts_by_job(folder)["coverage"]["ch30"]


def changes_of(made: Scene, seed: int):
    """A register of weak and far stations too, of which one goes, comes or changes after another."""
    rng = np.random.default_rng(seed)
    count = made.transmitters.sizes["transmitter"]
    erp_kw, there = 10.0 ** rng.uniform(-7.0, 1.0, count), rng.random(count) < 0.8
    for _ in range(7):
        chosen = np.flatnonzero(there)
        yield with_stations(made, chosen, erp_kw=erp_kw[chosen])
        t = rng.integers(count)
        if there[t] and rng.random() < 0.5:
            erp_kw = np.where(np.arange(count) == t, erp_kw * 10.0 ** rng.uniform(-1, 1), erp_kw)
        else:
            there[t] = not there[t]


@pytest.mark.parametrize("seed", range(3))
def test_files_are_those_of_computing_all_whatever_stations_go_come_or_change(tmp_path, seed):
    copied = []
    for step, changed in enumerate(changes_of(scene(24, seed), seed)):
        found = run(tmp_path, changed)
        copied.append(parts(tmp_path)["copied"])
        (tmp_path / f"all{step}").mkdir()
        assert found == run(tmp_path / f"all{step}", changed, basis="")
    assert copied[0] == 0
    assert max(copied) > 0


def test_a_change_far_away_computes_few_tiles_and_no_change_none(tmp_path):
    made, away = scene(24, 3), {"lon_deg": np.append(scene(24, 3).transmitters["lon_deg"].values[:-1], 16.9)}
    erp_kw = np.append(np.full(23, 5.0), 1e-4)
    first = with_stations(made, np.arange(24), erp_kw=erp_kw, **away)
    whole = run(tmp_path, first)
    everything = parts(tmp_path)
    assert everything["computed"] > 3
    assert everything["copied"] == 0
    assert run(tmp_path, first) == whole
    assert parts(tmp_path) == {"computed": 0, "copied": everything["computed"]}
    run(tmp_path, with_stations(first, np.arange(24), erp_kw=np.append(erp_kw[:-1], 2e-4)))
    assert 2 * parts(tmp_path)["computed"] < everything["computed"]
    run(tmp_path, with_stations(first, np.arange(1, 24)))
    assert parts(tmp_path)["computed"] > 0


@pytest.mark.parametrize("change", ["basis", "territory", "levels", "facts", "record"])
def test_all_is_computed_where_anything_else_has_changed_or_is_damaged(tmp_path, change):
    made = scene(6)
    whole, everything = run(tmp_path, made), parts(tmp_path)
    kept, options = tmp_path / ".kept" / "coverage", {}
    if change == "basis":
        options = {"basis": "other code"}
    elif change == "territory":
        options = {"others": "other ground"}
    else:
        names = {"levels": "ch30.tif", "facts": "ch30_facts.npz", "record": "ch30.json"}
        damaged = bytearray((kept / names[change]).read_bytes())
        damaged[len(damaged) // 2] ^= 1
        (kept / names[change]).unlink()
        (kept / names[change]).write_bytes(damaged)
    assert run(tmp_path, made, **options) == whole
    assert parts(tmp_path) == everything


@pytest.mark.parametrize("fault", ["counted", "limits"])
def test_tiles_kept_by_wrong_facts_would_be_found(tmp_path, fault, monkeypatch):
    """Both are needed: without them some change gives other files than computing all."""
    fill = kept_coverage.Earlier.fill

    def wrong(self, rows, cols, opened, values):
        changed = fill(self, rows, cols, opened, values)
        if fault == "counted":
            return np.zeros_like(changed)
        limits = values.facts.limits
        limits[:] = np.where(limits < np.inf, 1e9, np.inf)
        limits[:, :, NETWORK_KM] = -1.0
        return changed

    monkeypatch.setattr(kept_coverage.Earlier, "fill", wrong)
    same = []
    for seed in range(2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        for step, changed in enumerate(changes_of(scene(24, seed), seed)):
            found = run(folder, changed)
            (folder / f"all{step}").mkdir()
            same.append(found == run(folder / f"all{step}", changed, basis=""))
    assert not all(same)
