"""What the public manifest and report leave out: all that names or locates protected stations.

``internal/manifest.json`` and ``internal/report.html`` have it. Protected are the receivers of PMSE, of the
other services and of relays, radars and links under coordination, and the places of areas that are closed or
adjusted, with the reasons for it. Numbers of stations, criteria and settings of the method stay public.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.files import INTERNAL
from pipeline.publish.release import INTERNAL_MANIFEST, WITHHELD
from pipeline.shipped import TABLES

# Settings that name registers of stations, or stations themselves, by dotted key.
WITHHELD_SETTINGS = ("incumbents", "areas", "coordination", "pmse.registers", "registers.accept")
# Shipped tables hold criteria and distances, no stations.
_SHIPPED_TABLES = f"configs/{TABLES.name}/"


def public_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a manifest without what names or locates protected stations.

    The member ``withheld`` says which parts are left out, and where they are.
    """
    hidden = {entry["path"] for entry in facts["inputs"] if _is_hidden_input(entry)}
    return {
        **facts,
        "config": facts["config"] | {"settings": public_settings(facts["config"]["settings"])},
        "inputs": [entry for entry in facts["inputs"] if not _is_hidden_input(entry)],
        "register_rows": {key: rows for key, rows in facts["register_rows"].items() if not _is_withheld(key)},
        "areas": [],
        "plausibility": [_without_file(entry) for entry in facts["plausibility"]],
        "unverified": [entry for entry in facts["unverified"] if not _is_of_stations(entry["key"], hidden)],
        WITHHELD: {
            "file": INTERNAL_MANIFEST,
            "settings": list(WITHHELD_SETTINGS),
            "inputs": len(facts["inputs"]) - sum(not _is_hidden_input(entry) for entry in facts["inputs"]),
            "areas": len(facts["areas"]),
        },
    }


def _without_file(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the plausibility; a register of stations is told by its setting, not by its file."""
    return {**entry, "register": entry["key"]} if _is_withheld(entry["key"]) else dict(entry)


def public_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those withheld, as plain data; the default holds where one is missing."""
    found: dict[str, Any] = dict(settings)
    for key in WITHHELD_SETTINGS:
        section, _, name = key.partition(".")
        if not name:
            found.pop(section, None)
        elif isinstance(found.get(section), Mapping):
            found[section] = {k: value for k, value in found[section].items() if k != name}
    return found


def _is_withheld(key: str) -> bool:
    return any(f"{key}.".startswith(f"{withheld}.") for withheld in WITHHELD_SETTINGS)


def _is_hidden_input(entry: Mapping[str, Any]) -> bool:
    return _is_withheld(entry["key"]) and not entry["path"].startswith(_SHIPPED_TABLES)


def _is_of_stations(key: str, hidden: set[str]) -> bool:
    """Whether an unverified number stands in a row of a register, or in an internal decision."""
    file, _, row = key.rpartition(":")
    return (row.isdigit() and file in hidden) or key.startswith(f"{INTERNAL}/")
