"""Which of the numbers that are not verified this run used: the others stand in tables that it only names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.radio.channel_plan import HZ_PER_MHZ

_Entry = Mapping[str, Any]
# Tables of methods and of comparisons, by the setting that names them.
_SEPARATION, _COMPARED = "protection.separation.", "sensitivity."
_ANY = {"*", ""}


def used_numbers(facts: Mapping[str, Any]) -> list[_Entry]:
    """Entries of ``unverified`` of a manifest that the maps rest on; what cannot be told counts as used.

    Not used: tables of another method of protection, or only of comparisons; rows of classes of emission that
    no device has, and of systems that no transmitter has; rows of bands in which no device has a channel.
    """
    named: dict[str, list[str]] = {}
    for item in facts["inputs"]:
        named.setdefault(item["path"], []).append(item["key"])
    settings = facts["config"]["settings"]
    classes = {str(device["emission_class"]) for device in settings["devices"]} | _ANY
    systems = _ANY | set(facts["register"]["systems"])
    edges_mhz = _edges_mhz(facts)
    found = []
    for entry in facts["unverified"]:
        table = str(entry["key"]).rpartition(":")[0]
        # Only a row of a table is one of many: what a decision or a setting names is what it rests on.
        met = Path(table).suffix.lower() != ".csv" or _is_met(entry["value"], classes, systems, edges_mhz)
        if met and _is_read(named.get(table, []), settings["protection"]["method"]):
            found.append(entry)
    return found


def _is_read(keys: Sequence[str], method: str) -> bool:
    """Whether a table of these settings decides limits; True of one that no setting names."""
    unused = (_COMPARED,) if method == "separation" else (_COMPARED, _SEPARATION)
    return not keys or any(not key.startswith(unused) for key in keys)


def _is_met(
    row: Mapping[str, Any], classes: set[str], systems: set[str], edges_mhz: tuple[float, float]
) -> bool:
    """Whether devices and transmitters of this run meet a row of a table."""
    if str(row.get("emission_class", "")) not in classes:
        return False
    if not {str(row.get(name, "")) for name in ("system", "wanted_system")} <= systems:
        return False
    if "from_mhz" in row and "to_mhz" in row:
        return float(row["from_mhz"]) < edges_mhz[1] and float(row["to_mhz"]) > edges_mhz[0]
    return True


def _edges_mhz(facts: Mapping[str, Any]) -> tuple[float, float]:
    """Lowest and highest edge of the channels of all devices."""
    channels = facts["query"]["channels"]
    low, high = min(one["start_hz"] for one in channels), max(one["stop_hz"] for one in channels)
    return low / HZ_PER_MHZ, high / HZ_PER_MHZ
