"""What the report says of the run before: the right run, what went in, and means by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.files import json_bytes
from pipeline.plan.plan import load_plan
from pipeline.publish.disclosure import public_facts
from pipeline.publish.manifest import run_facts, utc_now
from pipeline.publish.report.changes import all_changes, changes_of, changes_section, mean_channels
from pipeline.publish.report.texts import read_texts

HEAD = "device,level_dbm,channels_at_least,area_pct,population_pct\n"
NOW = [
    {"device": "fixed30", "level_dbm": "20", "channels_at_least": str(n), "area_pct": share}
    for n, share in enumerate(("60.0", "40.0", "5.0"), 1)
]


def facts_of(config: Path, run: str) -> dict[str, Any]:
    return json.loads(json_bytes(run_facts(load_plan(config), run, {}, utc_now())))


def earlier(results: Path, facts: dict[str, Any], **changed: Any) -> Path:
    """A published run with other facts, a public and an internal manifest."""
    whole = {**facts, **changed}
    folder = results / whole["run_id"]
    (folder / "internal").mkdir(parents=True)
    (folder / "public").mkdir()
    (folder / "internal/manifest.json").write_bytes(json_bytes(whole))
    (folder / "manifest.json").write_bytes(json_bytes(public_facts(whole)))
    table = HEAD + "fixed30,20,1,50.0,\nfixed30,20,2,25.0,\nfixed30,36,1,10.0,\n"
    (folder / "public/statistics.csv").write_text(table)
    return folder


def texts_of(parts: list[dict[str, Any]]) -> str:
    return json.dumps(parts, ensure_ascii=False)


def test_mean_is_the_sum_of_the_shares() -> None:
    """1.05 channels: 40 % with none, 20 % with one, 35 % with two, 5 % with three."""
    assert mean_channels(NOW)["fixed30", "20"] == pytest.approx(0.2 * 1 + 0.35 * 2 + 0.05 * 3)


def test_without_an_earlier_run_it_says_so(tiny: Path) -> None:
    facts = facts_of(tiny, "b" * 16)
    results = load_plan(tiny).results
    assert changes_of(results, facts) is None
    earlier(results, facts)  # the same run, published again
    assert changes_of(results, facts) is None
    assert "No earlier run" in texts_of(changes_section(None, NOW, read_texts()))
    assert all_changes(None) == []


def test_newest_other_run_is_compared(tiny: Path) -> None:
    facts, results = facts_of(tiny, "b" * 16), load_plan(tiny).results
    settings = {**facts["config"]["settings"], "validity_hours": 12.0}
    config = facts["config"] | {"settings": settings}
    earlier(results, facts, run_id="0" * 16, computed_at="2026-01-01T00:00:00+00:00")
    earlier(results, facts, run_id="a" * 16, computed_at="2026-02-01T00:00:00+00:00", config=config)
    found = changes_of(results, public_facts(facts))
    assert found is not None
    assert (found.run, found.computed_at[:10]) == ("a" * 16, "2026-02-01")
    (change,) = found.inputs
    assert (change.key, change.run_a, change.run_b) == ("validity_hours", "12.0", "24.0")
    told = texts_of(changes_section(found, NOW, read_texts()))
    assert "Compared with run aaaaaaaaaaaaaaaa, computed 2026-02-01 00:00 UTC." in told
    assert "Settings changed: validity_hours from 12.0 to 24.0." in told
    (table,) = [part for part in changes_section(found, NOW, read_texts()) if part["kind"] == "table"]
    assert [[text for text, _ in row] for row in table["rows"]] == [
        ["fixed30", "20", "0.75", "1.05", "+0.30"]
    ]
    assert "validity_hours" in texts_of(all_changes(found))


def test_damaged_manifests_are_passed_over(tiny: Path) -> None:
    facts, results = facts_of(tiny, "b" * 16), load_plan(tiny).results
    for run, content in (("1" * 16, b"{"), ("2" * 16, b"[]"), ("3" * 16, b'{"run_id": "3"}')):
        (results / run).mkdir(parents=True)
        (results / run / "manifest.json").write_bytes(content)
    assert changes_of(results, public_facts(facts)) is None


def test_public_report_is_held_against_what_is_public(tiny: Path) -> None:
    """A register of stations that changed is named in the internal one only."""
    facts, results = facts_of(tiny, "b" * 16), load_plan(tiny).results
    station = {"key": "pmse.registers.0", "path": "secret.csv", "sha256": "1", "bytes": 1}
    inputs = [*facts["inputs"], station]
    earlier(results, facts, run_id="a" * 16, inputs=[*facts["inputs"], station | {"sha256": "2"}])
    facts = facts | {"inputs": inputs}
    public, internal = (changes_of(results, one) for one in (public_facts(facts), facts))
    assert public is not None
    assert internal is not None
    assert public.inputs == []
    assert [change.key for change in internal.inputs] == ["pmse.registers.0"]


def test_public_report_does_not_say_that_all_is_the_same(tiny: Path) -> None:
    """Registers of protected stations may have changed, which it does not tell."""
    facts, results = facts_of(tiny, "b" * 16), load_plan(tiny).results
    earlier(results, facts, run_id="a" * 16)
    public, whole = (changes_of(results, found) for found in (public_facts(facts), facts))
    assert "Whether registers of protected stations" in texts_of(changes_section(public, NOW, read_texts()))
    assert "Inputs, settings and program are the same." in texts_of(changes_section(whole, NOW, read_texts()))


def test_public_report_is_not_held_against_a_manifest_with_all_in_it(tiny: Path) -> None:
    """Versions before had one manifest: what is protected would be told as `then`."""
    facts, results = facts_of(tiny, "b" * 16), load_plan(tiny).results
    folder = earlier(results, facts, run_id="a" * 16)
    hidden = {"key": "pmse.registers.0", "path": "secret.csv", "sha256": "0" * 64}
    whole = {**facts, "run_id": "a" * 16, "inputs": [*facts["inputs"], hidden]}
    (folder / "manifest.json").write_bytes(json_bytes(whole))
    assert changes_of(results, public_facts(facts)) is None
    assert changes_of(results, facts) is not None
