"""What went into one run and not into another, from their manifests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.plan.published_names import WHAT_IF

# A text for what a run does not have.
_NOTHING = ""
# Between the name of a file, which may be another, and its content.
_SUM = " sha256:"
# What `channelmaps what-if` writes besides the changes: its title, and what keeps the grid.
_OF_WHAT_IF = ("title", "grid.least_margins_km", "grid.least_box_m", "grid.least_limiting_losses_db")


class ChangedInput(NamedTuple):
    """One difference between two manifests; an empty text where a run has no such thing."""

    kind: str
    key: str
    run_a: str
    run_b: str


def changed_inputs(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[ChangedInput]:
    """All differences between two manifests, by kind and key; a file of equal content is no difference."""
    found: list[ChangedInput] = []
    silent = _OF_WHAT_IF if _is_what_if(first) or _is_what_if(second) else ()
    for kind, facts in (("input", _inputs), ("setting", _settings), ("code", _code), ("package", _packages)):
        a, b = dict(facts(first)), dict(facts(second))
        for key in sorted(set(a) | set(b)):
            if key not in silent and _content(a.get(key, _NOTHING)) != _content(b.get(key, _NOTHING)):
                found.append(ChangedInput(kind, key, a.get(key, _NOTHING), b.get(key, _NOTHING)))
    return found


def _is_what_if(manifest: Mapping[str, Any]) -> bool:
    return str(manifest["config"]["settings"].get("results")).endswith(WHAT_IF)


def _content(text: str) -> str:
    return text.rpartition(_SUM)[2]


def _inputs(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for entry in manifest["inputs"]:
        yield entry["key"], f"{entry['path']}{_SUM}{entry['sha256']}"


def _settings(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Leaves of the settings by dotted key; files are compared by content, as inputs.

    Where the results lie is no input.
    """
    others = {entry["key"] for entry in manifest["inputs"]} | {"results"}
    return ((key, value) for key, value in _leaves(manifest["config"]["settings"], "") if key not in others)


def _leaves(value: object, key: str) -> Iterator[tuple[str, str]]:
    """Dotted keys; items of a list by their ``id`` where they have one, else by number; short lists whole."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list | str) for item in value):
        for number, item in enumerate(value):
            name = item.get("id", number) if isinstance(item, Mapping) else number
            yield from _leaves(item, f"{key}.{name}")
    else:
        yield key, str(value)


def _code(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from manifest["software"]["code"].items()


def _packages(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    software = manifest["software"]
    yield "python", str(software.get("python"))
    yield "lock", str(software.get("lock_sha256"))
    yield from ((name, str(version)) for name, version in software.get("packages", {}).items())
