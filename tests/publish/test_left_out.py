"""Page one says of each service left out what the maps do: close channels, or go on without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.plan.plan import load_plan
from pipeline.publish.manifest import run_facts, utc_now
from pipeline.publish.report import left_out
from pipeline.publish.report.annex import warning
from pipeline.publish.report.texts import read_texts
from pipeline.radio.allocations import closed_by_allocation

# Channels 21 to 24 of the raster are 470 to 502 MHz, 30 is 542-550.
ALLOCATED = (
    "allocated: [{from_mhz: 470.0, to_mhz: 502.0, service: mobile}, "
    "{from_mhz: 544.0, to_mhz: 546.0, service: mobile}"
)
FREE = ["foreign DTT reception", "PMSE", "radio astronomy", "PPDR", "fixed links"]
UNPROTECTED = (
    "Left out of these maps: {}. They are not protected; channels are available without regard to them."
)
OUT = "outside the scope of these maps"
CLOSED = (
    "Counted as unavailable in 21 to 24, 30, for devices that overlap its band; in other channels the maps "
    "do not protect it."
)


def facts_of(tiny: Path, allocated: str, *, study: str = "") -> dict[str, Any]:
    """Facts of the manifest of the tiny territory with incumbents of bands."""
    text = tiny.read_text().replace('wsd: ["21-30"]', f'wsd: ["21-30"]\n  {allocated}')
    tiny.write_text(text + (f"study: {study}\n" if study else ""))
    return run_facts(load_plan(tiny), "x", {}, utc_now())


def unsure(facts: dict[str, Any]) -> list[str]:
    return left_out.unsure(facts, read_texts())


def not_evaluated(facts: dict[str, Any]) -> list[str]:
    return left_out.not_evaluated(facts, read_texts())


def unprotected(services: list[str]) -> str:
    return UNPROTECTED.format(", ".join(services))


def test_only_a_service_that_closes_channels_is_counted_as_unavailable(tiny: Path) -> None:
    facts = facts_of(tiny, ALLOCATED + "]")
    assert unsure(facts)[:2] == [f"Not evaluated: mobile ({OUT}). {CLOSED}", unprotected(FREE)]
    config = load_plan(tiny).config
    closed = [c for c in config.channels.wsd if closed_by_allocation(config, config.devices[0], c)]
    assert closed == [21, 22, 23, 24, 30]
    told = not_evaluated(facts)
    assert [text for text in told if "unavailable" in text] == [f"mobile: {OUT}. test. {CLOSED}"]
    assert f"PMSE: {OUT}. test. The maps do not protect it." in told


def test_nothing_is_counted_as_unavailable_without_allocations_or_in_a_study(tiny: Path) -> None:
    before = tiny.read_text()
    for allocated, study in [("allocated: []", ""), (ALLOCATED + "]", "test")]:
        facts = facts_of(tiny, allocated, study=study)
        told = [*unsure(facts), *not_evaluated(facts)]
        assert told[0] == unprotected([*FREE[:3], "mobile", *FREE[3:]])
        assert not [text for text in told if "unavailable" in text]
        tiny.write_text(before)


def test_service_to_evaluate_without_receivers_is_named_with_what_it_closes(tiny: Path) -> None:
    content = yaml.safe_load(tiny.read_text())
    content["services"] |= {"in_band": {"status": "evaluate"}, "ppdr": {"status": "evaluate"}}
    content["channels"]["allocated"] = [{"from_mhz": 470.0, "to_mhz": 502.0, "service": "in_band"}]
    tiny.write_text(yaml.safe_dump(content))
    facts = run_facts(load_plan(tiny), "x", {}, utc_now())
    reasons = {entry["service"]: entry["reason"] for entry in facts["not_evaluated"]}
    assert reasons["in_band"] == "incumbents.in_band is missing"
    assert reasons["ppdr"] == "incumbents.ppdr is missing"
    told = not_evaluated(facts)
    assert [text for text in told if text.startswith("systems of the band")] == [
        "systems of the band: Not evaluated. incumbents.in_band is missing. "
        + CLOSED.replace("21 to 24, 30", "21 to 24")
    ]
    assert any(text.startswith("PPDR: Not evaluated") and "21 to 30" in text for text in told)
    assert not any("PPDR" in text for text in unsure(facts) if "available without regard" in text)


def test_note_of_the_box_speaks_of_what_the_maps_show_alone(tiny: Path) -> None:
    (box,) = warning(facts_of(tiny, "allocated: []"))
    text = str(box)
    assert "What the maps show as “not evaluated” is never “available”" in text
    assert "not shown so: channels are available without regard to it." in text


@pytest.mark.parametrize(("name", "label"), [("in_band", "systems of the band"), ("mobile", "mobile")])
def test_partial_maps_and_services_that_no_setting_names(tiny: Path, name: str, label: str) -> None:
    """A system of the band closes its channels also where the territory file does not name it."""
    allocated = ALLOCATED.replace("mobile", name) + "]\n  publish_partial: true"
    facts = facts_of(tiny, allocated)
    status = OUT if name == "mobile" else "not named in the territory file"
    assert unsure(facts)[0].startswith(
        f"Not evaluated: {label} ({status}). Counted as unavailable in 21 to 24, 30"
    )
    assert unsure(facts)[0].endswith("give levels there all the same, made without regard to it.")
    assert any(text.startswith(f"{label}: {status}. ") for text in not_evaluated(facts))
