"""The pictures of ``channelmaps explain``: which are asked for, and the budget as a chart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import InputError
from pipeline.files import PNG_FILE, Output, check_outputs
from pipeline.studies.pictures import draw_terms

_Limit = Mapping[str, Any]


class ExplainPictures(NamedTuple):
    """PNG files to draw: the terrain of the wanted path, the budget; None: not asked for."""

    profile: Path | None = None
    budget: Path | None = None


NO_PICTURES = ExplainPictures()


def check_pictures(pictures: ExplainPictures, inputs: Iterable[Path]) -> None:
    """InputError for a place where no picture can be written, or a name of none."""
    named = {"--profile": pictures.profile, "--picture": pictures.budget}
    outputs = {option: path for option, path in named.items() if path is not None}
    check_outputs([Output(option, path, PNG_FILE) for option, path in outputs.items()], inputs)
    for option, path in outputs.items():
        if path.suffix.lower() != ".png":
            raise InputError("is no name of a picture", field=option, value=str(path), allowed="a .png")


def draw_budget(path: Path, answer: _Limit) -> None:
    """The terms of the limit that decides, one on the other, and how far above it the next limits lie."""
    published = answer["published_dbm"]
    number = answer["status"].replace("_", " ") + ("" if published is None else f", {published:.2f} dBm")
    where = f"Channel {answer['channel']}, {answer['device']}, {answer['lon']:g} E, {answer['lat']:g} N"
    title = f"{where}: {number}; limited by {limit_name(answer)}"
    terms = [(term["name"], float(term["value_db"])) for term in answer["terms"]]
    limits = [(limit_name(limit), float(limit["total_dbm"])) for limit in _with_totals(answer)]
    draw_terms(path, title, terms, limits)


def _with_totals(answer: _Limit) -> Sequence[_Limit]:
    return [limit for limit in (answer, *answer["next_limits"]) if limit["terms"]]


def limit_name(limit: _Limit) -> str:
    """Service, and the victim's channel and station where they are told: ``dtt, channel 21, SI037``."""
    victim = limit["victim"]
    station = victim.get("station", "")
    channel = f"channel {victim['channel']}" if "channel" in victim else ""
    name = station["id"] if isinstance(station, Mapping) else station or victim.get("id", "")
    service = str(limit["service"]).replace("_", " ")
    shown = "" if victim.get("kind") == "device" else name
    return ", ".join(filter(None, (service, channel, shown)))
