"""The answer of a point query as a table, for people at a terminal; programs read the message itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.config.bonds import in_words
from pipeline.files import JsonObject
from pipeline.query.profiles import channel_entries
from pipeline.radio.channel_plan import HZ_PER_MHZ

# The restriction of ETSI EN 301 598 under which every channel may be used at its own limit (RFC 7545, 9.1).
_EACH_ALONE = "0"


def answer_text(facts: JsonObject, message: JsonObject) -> str:
    """A message of ``query.answer`` for a run whose part ``query`` of the manifest is ``facts``.

    The channels available with their edges and limits, lowest channel first; then all others by name.
    """
    profile = next(entry for entry in facts["devices"] if entry["id"] == message["device"])
    entries = channel_entries(facts, profile)
    limits = {entry["channel"]: entry["dbm"] for entry in message["channels"]}
    rows = [
        (str(entry["channel"]), _edges(entry), f"{limits[entry['channel']]:.2f}")
        for entry in entries
        if entry["channel"] in limits
    ]
    others = [entry["channel"] for entry in entries if entry["channel"] not in limits]
    table = [f"{channel:>8}  {edges:>15}  {dbm:>9}" for channel, edges, dbm in [_TITLES, *rows]]
    lines = [*_head(message, profile), "", *([*table, ""] if rows else [])]
    lines.append(f"{len(rows)} of {len(entries)} channels available{_together(message) if rows else '.'}")
    lines += [f"Not to be used: {in_words(others)}."] if others else []
    return "\n".join([*lines, *_later(message, entries)])


def _later(message: JsonObject, entries: Sequence[JsonObject]) -> Iterator[str]:
    """A line for each further schedule: which channels are available then."""
    for schedule in message["spectrumSpecs"][0]["spectrumSchedules"][1:]:
        profiles = schedule["spectra"][0]["profiles"]
        there = [entry["channel"] for entry in entries if any(_covers(one, entry) for one in profiles)]
        told = f"{len(there)} channels: {in_words(there)}" if there else "no channel"
        yield f"From {schedule['eventTime']['startTime']} on: {told}."


def _covers(profile: Sequence[Mapping[str, float]], entry: JsonObject) -> bool:
    """Whether a profile holds a channel as a whole."""
    return bool(profile[0]["hz"] <= entry["start_hz"] and entry["stop_hz"] <= profile[-1]["hz"])


_TITLES = ("channel", "MHz", "max dBm")


def _edges(entry: Mapping[str, float]) -> str:
    return f"{entry['start_hz'] / HZ_PER_MHZ:g} - {entry['stop_hz'] / HZ_PER_MHZ:g}"


def _head(message: JsonObject, profile: JsonObject) -> list[str]:
    """Where, for which device, when, from which run."""
    point = message["location"]["point"]
    centre, layers = point["center"], ", ".join(message["layers"])
    period = message["spectrumSpecs"][0]["spectrumSchedules"][0]["eventTime"]
    lat, lon = _degrees(centre["latitude"], "N", "S"), _degrees(centre["longitude"], "E", "W")
    within = f", within {point['semiMajorAxis']:g} m" if point["semiMajorAxis"] else ""
    width_mhz = profile["bandwidth_hz"] / HZ_PER_MHZ
    return [
        f"Place    {lat}, {lon}{within} (pixel {message['pixel']['id']})",
        f"Device   {message['device']}, {width_mhz:g} MHz wide; lowest of: {layers}",
        f"Valid    {period['startTime']} to {period['stopTime']} (run {message['runId']})",
    ]


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):.5f} {negative if value < 0 else positive}"


def _together(message: JsonObject) -> str:
    """What holds for several channels at once (docs/query.md)."""
    restriction = message["spectrumSpecs"][0].get("etsiEnSimultaneousChannelOperationRestriction")
    if restriction == _EACH_ALONE:
        return ", each at its own limit."
    return "; several at once: in total no more than the least of their limits."
