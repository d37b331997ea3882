"""What the report says of its method holds for the status that television has in the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.plan.plan import load_plan
from pipeline.publish.manifest import run_facts, utc_now
from pipeline.publish.report.basis_in_short import method
from pipeline.publish.report.texts import read_texts

PROTECTED = "Television is protected where it is received"


@pytest.fixture
def facts(tiny: Path) -> dict[str, Any]:
    return dict(run_facts(load_plan(tiny), "a" * 16, {}, utc_now()))


def told(facts: dict[str, Any], **status: str) -> str:
    """Sentences with these statuses of the services; `none`: not applicable."""
    entries = [
        {"service": name, "applicable": one != "none", "status": one, "reason": "told"}
        for name, one in status.items()
    ]
    return str(method({**facts, "services": entries}, read_texts()))


def test_television_that_is_evaluated(facts: dict[str, Any]) -> None:
    whole = told(facts, dtt="evaluate", foreign_dtt="evaluate")
    assert PROTECTED in whole
    assert "Fields of television follow" in whole
    assert "That does not hold" not in whole
    assert "That does not hold" not in told(facts, dtt="evaluate", foreign_dtt="none")


def test_reception_abroad_that_is_not_evaluated(facts: dict[str, Any]) -> None:
    said = told(facts, dtt="evaluate", foreign_dtt="out_of_scope")
    assert "That does not hold for foreign DTT reception: not evaluated." in said


@pytest.mark.parametrize("status", ["out_of_scope", "none"])
def test_television_that_is_not_evaluated(facts: dict[str, Any], status: str) -> None:
    said = told(facts, dtt=status, foreign_dtt="none")
    assert PROTECTED not in said
    assert "Fields of television" not in said
    assert "Television at home is not protected" in said
    abroad = told(facts, dtt="out_of_scope", foreign_dtt="evaluate")
    assert "Of television only foreign DTT reception is protected." in abroad
