"""What a run says besides its stages: the check in short; at the end what to open and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.plan.plan import Plan
from pipeline.plan.published_names import WHAT_IF
from pipeline.publish.release import LATEST
from pipeline.workflow.earlier_runs import published_manifest

_NAMED = 3
# Lines that a run only counts, by their first words: the report has what they say.
_COUNTED = (
    *("not verified", "level", "plausibility", "remark", "people"),
    *("PMSE", "astronomy", "mobile", "ppdr", "fixed", "areas", "radars", "fixed links"),
)


def shortened(config_path: Path, lines: Sequence[str]) -> Iterator[str]:
    """The lines of the check without those of ``_COUNTED``, whose numbers are told at the end."""
    counted: Counter[str] = Counter()
    for line in lines:
        name = next((name for name in _COUNTED if line.startswith(f"  {name:12}  ")), None)
        if name is None:
            yield line
        else:
            counted[name] += 1
    if counted:
        told = ", ".join(f"{name} ({count})" for name, count in counted.items())
        yield f"  more          {told}: `channelmaps validate {config_path}` prints them"


def ending(plan: Plan, facts: Mapping[str, Any]) -> str:
    """Lines for the end of a run; ``facts`` are those of its summary."""
    latest = plan.results / LATEST
    places = {
        "report": "report.html",
        "web map": "public/web/index.html",
        "QGIS project": f"{plan.config.name}.qgs",
        "statistics": "public/statistics.csv",
        "manifest": "manifest.json",
    }
    rows = {name: f"{latest}/{file}" for name, file in places.items() if (latest / file).exists()}
    if "web map" in rows:
        rows["web map"] += f" (python -m http.server --directory {latest}/public/web)"
    if plan.results.name.endswith(WHAT_IF):
        published = plan.results.with_name(plan.results.name.removesuffix(WHAT_IF)) / LATEST
        rows["compare"] = f"channelmaps compare {published} {latest} --out changes"
    rows |= {"since before": _changes(plan.results, facts)} | _open(published_manifest(plan.results) or {})
    return "\n".join(
        [
            f"Results: {latest} (run {latest.resolve().name})",
            *(f"  {name:13} {text}" for name, text in rows.items()),
        ]
    )


def _changes(results: Path, facts: Mapping[str, Any]) -> str:
    """What differs from the run before, and how to see where that mattered."""
    before = facts["previous_run_id"]
    if before is None:
        return "the first run of this territory"
    if before == facts["run_id"]:
        return "nothing has changed"
    what = "; ".join(_parts(facts)) or "nothing but the program's packages"
    return f"{what} (channelmaps compare {results}/{before} {results}/{LATEST} --out changes)"


def _parts(facts: Mapping[str, Any]) -> Iterator[str]:
    inputs = [entry["path"] for entry in facts["changed_inputs"]]
    if inputs:
        yield f"inputs {_few(inputs)}"
    if facts["config_changed"]:
        yield "the territory file"
    if facts["code_changed"]:
        yield f"the program, in {_few(facts['code_changed'])}"


def _few(names: list[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest


def _open(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What is unverified or not evaluated, by the manifest of the run."""
    if not manifest:
        return {}
    services = [entry["service"] for entry in manifest.get("not_evaluated", ())]
    areas = {entry["device"] for entry in manifest.get("not_evaluated_area", ())}
    told = [*services, *([f"land of {_few(sorted(areas))}"] if areas else [])]
    return {
        "unverified": f"{len(manifest.get('unverified', ()))} numbers, those in use listed in the report",
        "not evaluated": ", ".join(told) or "nothing",
        "valid": f"{manifest['valid']['from']} to {manifest['valid']['until']}"
        if "valid" in manifest
        else "–",
    }
