"""``channelmaps explain``: the budget of the limiting victim of one pixel, channel and device.

The published number is looked up, computed again from the intermediates of the same run, and taken apart into
terms, and so are the limits that would decide next. Where the intermediates belong to another run, nothing is
explained.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.availability.combine import Combined, combine, max_eirp_centi_dbm, tags_of_channel
from pipeline.budget import NEXT_LIMITS, Budget, Term, total_dbm
from pipeline.config.bonds import DeviceChannel, plain_channel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file
from pipeline.plan.dependencies import basis_of, code_of
from pipeline.plan.territory_file import files_read
from pipeline.publish.release import MANIFEST
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.query.manifest_check import check_manifest
from pipeline.query.paws import PawsError
from pipeline.query.profiles import AntennaHeight, layers_for
from pipeline.query.results import Run, config_of, published_file, read_run
from pipeline.radio.allocations import is_partial, open_allocations
from pipeline.radio.emission import DENSITY_BANDWIDTH_MHZ, device_cap_dbm, least_eirp_dbm, least_eirp_rule
from pipeline.reference.limiting_channels import offsets_notice, victim_channels
from pipeline.services.base import ServiceContext
from pipeline.services.evaluated import (
    evaluated_services,
    explain_service,
    limits_on,
    prepare_services,
    settled_flags,
)
from pipeline.services.table import code_names, service_code
from pipeline.studies.explain_path import (
    WantedPath,
    changed_input,
    has_wanted_path,
    require_path,
    wanted_path,
)
from pipeline.studies.explain_picture import (
    NO_PICTURES,
    ExplainPictures,
    check_pictures,
    draw_budget,
    limit_name,
)
from pipeline.studies.pictures import draw_profile

FORBIDDEN_DB = -999.0
"""The value of a term that forbids all emission, for minus infinity, which JSON does not have."""

_NOT_PERMITTED = {NODATA_CENTI: "outside", NOT_EVALUATED: "not_evaluated", NOT_PERMITTED: "not_permitted"}
_TOTAL_NOTES = {
    "permitted": "rounded down to 0.01 dBm it is what is published",
    "not_permitted": "below {least:.2f} dBm, the least e.i.r.p. of the device: not permitted",
}


class ExplainedLocation(NamedTuple):
    """One pixel, channel and device of a run, with the published values there."""

    run: Run
    config: Config
    device: Device
    channel: DeviceChannel
    lon_deg: float
    lat_deg: float
    grid: Grid
    row: int
    col: int
    raw: int
    tags: dict[str, str]


def explain_command(
    results: Path,
    lon_deg: float,
    lat_deg: float,
    channel: DeviceChannel,
    device_id: str,
    *,
    build: Path | None = None,
    as_json: bool = False,
    height_m: float | None = None,
    pictures: ExplainPictures = NO_PICTURES,
) -> None:
    """Print the budget as a table, or as the JSON of the public interface, and draw what is asked for."""
    run = read_run(results)
    build, config = build or run.build, config_of(run)
    check_pictures(pictures, [results, build, *files_read(config)])
    profile = pictures.profile
    answer = explain_point(run, lon_deg, lat_deg, channel, device_id, build, height_m)
    if pictures != NO_PICTURES and answer["status"] == "outside":
        raise InputError("place is outside the territory", field="lon, lat", value=(lon_deg, lat_deg))
    changed = _changed(run, config, answer)
    if changed:
        if profile is not None:
            raise InputError(
                f"no path to draw: {changed}",
                field="--profile",
                allowed="the input files of the run, or a new run with those of today",
            )
        answer["wanted_path"] = {"note": f"not taken apart, nor its path drawn: {changed}"}
    else:
        found = _taken_apart(config, answer, must=profile is not None)
        if found is not None:
            answer["wanted_path"] = found.facts | _sum_of(found.terms, "total_dbuvm")
        if profile is not None:
            drawn = require_path(found)
            draw_profile(profile, _title(drawn), drawn.drawn)
    if pictures.budget is not None:
        draw_budget(pictures.budget, answer)
    print(json.dumps(answer, indent=1, ensure_ascii=False) if as_json else as_text(answer))


def explain_point(
    run: Run,
    lon_deg: float,
    lat_deg: float,
    channel: DeviceChannel,
    device_id: str,
    build: Path,
    height_m: float | None = None,
) -> dict[str, Any]:
    """The answer as plain data; ``build`` the folder of the run's intermediates.

    With ``height_m`` the layers of the device's kind answer that a query takes for this antenna height, and
    the lowest of them is explained.
    """
    device_ids = [device_id] if height_m is None else _answering(run, device_id, height_m)
    places = [explained_location(run, lon_deg, lat_deg, channel, one) for one in device_ids]
    place = min(places, key=lambda one: one.raw)
    answer = _explained(place, build)
    if height_m is not None:
        layers = [_status(one) | {"device": one.device.id, "height_m": one.device.height_m} for one in places]
        answer["height_rule"] = {"height_m": height_m, "layers": layers}
    return answer


def _changed(run: Run, config: Config, answer: dict[str, Any]) -> str:
    """Why the wanted field cannot be taken apart: the first input of its path that is not that of the run.

    Empty where it can, and where there is none.
    """
    limits = (answer, *answer["next_limits"])
    if config.terrain.dem is None or not any(has_wanted_path(limit["victim"]) for limit in limits):
        return ""
    return changed_input(config, run.manifest.get("inputs", []))


def _taken_apart(config: Config, answer: dict[str, Any], *, must: bool) -> WantedPath | None:
    """The way of the wanted field; where it cannot be told the budget stands without, unless it ``must``."""
    try:
        return _wanted_path_of(config, answer)
    except InputError as error:
        if must:
            raise
        print(f"channelmaps: the wanted field is not taken apart: {error}", file=sys.stderr)
        return None


def _wanted_path_of(config: Config, answer: dict[str, Any]) -> WantedPath | None:
    """The way of the wanted field of the first limit that has one."""
    for limit in (answer, *answer["next_limits"]):
        found = wanted_path(config, limit["victim"])
        if found is not None:
            return found
    return None


def _title(found: WantedPath) -> str:
    """What the picture of a path shows."""
    facts = found.facts
    return (
        f"{facts['station']}, channel {facts['channel']}, to {facts['lon']:.4f}, {facts['lat']:.4f}: "
        f"{total_dbm(found.terms):.1f} dB(µV/m) by {facts['model']}; by P.1812 {facts['mechanism_p1812']}, "
        f"clearance {facts['obstruction']['clearance_f1']:.2f} of the first Fresnel radius"
    )


def _answering(run: Run, device_id: str, height_m: float) -> list[str]:
    """Devices of the layers that a query takes for an antenna height, lowest first."""
    check_manifest(run.folder / MANIFEST, run.manifest, "query")
    try:
        layers = layers_for(run.manifest["query"], AntennaHeight(height_m), device_id)
    except PawsError as error:
        raise InputError(
            error.message, field="height", value=height_m, allowed=str(error.data or "")
        ) from None
    return [str(layer["id"]) for layer in layers]


def _explained(place: ExplainedLocation, build: Path) -> dict[str, Any]:
    if place.raw == NODATA_CENTI:
        return _answer(place, Budget({}, (), service_code("outside")))
    if place.raw == NOT_EVALUATED:
        return _answer(place, _left_open(place))
    return _answer(place, _budget_of(place, build))


def _status(place: ExplainedLocation) -> dict[str, Any]:
    """Whether a layer permits anything at the pixel, and what."""
    if place.raw > NOT_EVALUATED:
        return {"status": "permitted", "published_dbm": place.raw / 100.0}
    return {"status": _NOT_PERMITTED[place.raw]}


def explained_location(
    run: Run, lon_deg: float, lat_deg: float, channel: DeviceChannel, device_id: str
) -> ExplainedLocation:
    """Look up the published layer; InputError for a channel or device that the run does not have."""
    config = config_of(run)
    devices = {device.id: device for device in config.devices}
    if device_id not in devices:
        raise InputError(
            "no such device in the run", field="device", value=device_id, allowed=", ".join(devices)
        )
    known = config.channels_of(devices[device_id])
    if channel not in known:
        channels = ", ".join(map(str, known))
        raise InputError("no such channel in the run", field="channel", value=str(channel), allowed=channels)
    if not (abs(lon_deg) <= 180.0 and abs(lat_deg) <= 90.0):
        raise InputError("is not a place on Earth", field="lon, lat", value=(lon_deg, lat_deg))
    path = published_file(
        run, layer_file("max_eirp", device=device_id, channel=channel, partial=is_partial(config))
    )
    grid, tags = raster.read_grid(path), dict(raster.read_layout(path).tags)
    row, col = grid.pixel_of(lon_deg, lat_deg)
    raw = NODATA_CENTI
    if grid.has_pixel(row, col):
        raw = int(raster.read(path, rows=slice(row, row + 1), cols=slice(col, col + 1)).values.item())
    return ExplainedLocation(
        run, config, devices[device_id], channel, lon_deg, lat_deg, grid, row, col, raw, tags
    )


def _budget_of(place: ExplainedLocation, build: Path) -> Budget:
    """The budget behind a published number, whose terms add up to it before rounding, and the next ones."""
    context = context_at(place, build)
    services = prepare_services(context, place.device, place.channel)
    rows, cols = slice(place.row, place.row + 1), slice(place.col, place.col + 1)
    limits = limits_on(services, rows, cols)
    cap_dbm = device_cap_dbm(place.device)
    again = combine(
        limits,
        np.ones((1, 1), dtype=np.bool_),
        cap_dbm=cap_dbm,
        settled_flags=settled_flags(place.config, place.device),
    )
    _check_number(place, again, build)
    levels_dbm = [math.inf if limit is None else limit.eirp_dbm.item() for _, limit in limits]
    pixel = place.row, place.col
    found: list[tuple[float, Budget]] = []
    for i in np.argsort(levels_dbm, kind="stable")[: 1 + NEXT_LIMITS].tolist():
        level_dbm = levels_dbm[i]
        if level_dbm < math.inf:
            service = services[i].service
            own = explain_service(service, context, place.device, place.channel, pixel, level_dbm)
            found.append((level_dbm, own))
            found += [(max(total_dbm(one.terms), level_dbm), one) for one in own.others]
    # The cap last: it is named only where no service is as strict.
    ordered = sorted([*found, (cap_dbm, cap_budget(place.device))], key=lambda one: one[0])
    first, *others = [budget for _, budget in ordered]
    return first._replace(others=tuple(others[:NEXT_LIMITS]))


def context_at(place: ExplainedLocation, build: Path) -> ServiceContext:
    """What the services read; refused unless the intermediates are those of the run."""
    victims = tuple(victim_channels(place.config, place.run.manifest["channels"]["dtt"], [place.channel]))
    again = "`channelmaps run` with the run's territory file"
    if place.run.manifest["software"]["code"].get("combine") != code_of(place.config, "combine"):
        raise InputError(
            "run was made by another version of the program", file=place.run.folder, allowed=again
        )
    try:
        found = tags_of_channel(
            place.config, build, place.device, place.channel, victims, basis=basis_of(place.config, "combine")
        )["hash"]
    except (OSError, ValueError) as error:  # not there, not a folder, a name that no file can have
        file = getattr(error, "filename", None) or build
        raise InputError("intermediates of the run are not here", file=file, allowed=again) from None
    if found != place.tags.get("hash"):
        raise InputError(
            "intermediates belong to another run",
            file=build,
            value=found,
            allowed=f"those of {place.tags.get('hash')}: {again}, or name their folder with --build",
        )
    terrain_fault = changed_input(place.config, place.run.manifest.get("inputs", []), ("terrain.dem",))
    return ServiceContext(place.config, build, place.grid, victims, terrain_fault=terrain_fault)


def _check_number(place: ExplainedLocation, again: Combined, build: Path) -> None:
    found = int(max_eirp_centi_dbm(again.limit_centi_dbm, least_eirp_dbm(place.device)).item())
    if found != place.raw:
        raise InputError(
            "intermediates do not give the published number",
            file=build,
            value=found,
            allowed=f"{place.raw} at row {place.row}, column {place.col}; run again",
        )


def cap_budget(device: Device) -> Budget:
    """The terms of the smaller one of a device's two caps."""
    cap_dbm, density_dbm = device_cap_dbm(device), device.cap_density_dbm_per_100khz
    if density_dbm is None or cap_dbm == device.cap_dbm:
        terms: tuple[Term, ...] = (Term("e.i.r.p. cap", device.cap_dbm, "of the device, in its bandwidth"),)
    else:
        note = f"{device.bandwidth_mhz:g} MHz in units of {1000.0 * DENSITY_BANDWIDTH_MHZ:g} kHz"
        density = Term("density cap", density_dbm, "dBm in 100 kHz")
        terms = (density, Term("bandwidth", cap_dbm - density_dbm, note))
    return Budget({"kind": "device", "id": device.id}, terms, service_code("device_cap"))


def _left_open(place: ExplainedLocation) -> Budget:
    """Which services should have been evaluated at the pixel and were not."""
    fields = {"device": place.device.id, "channel": place.channel}
    path = published_file(place.run, layer_file("eval_flags", partial=is_partial(place.config), **fields))
    here = slice(place.row, place.row + 1), slice(place.col, place.col + 1)
    flags = int(raster.read(path, rows=here[0], cols=here[1]).values.item())
    asked = evaluated_services(place.config)
    names = [row.name for row in asked if row.flag is not None and not flags & (1 << row.flag)]
    allocated = [found.key for found in open_allocations(place.config, place.device, place.channel)]
    names += [name for name in dict.fromkeys(allocated) if name not in names]
    return Budget({"services_not_evaluated": names}, (), service_code("not_evaluated"))


def _answer(place: ExplainedLocation, explanation: Budget) -> dict[str, Any]:
    """The JSON of the public interface; what there is no number of is left out."""
    least_dbm = least_eirp_dbm(place.device)
    return {
        "channel": plain_channel(place.channel),
        "device": place.device.id,
        "lon": place.lon_deg,
        "lat": place.lat_deg,
        "published_dbm": None,
        **_status(place),
        **_limit(explanation),
        "next_limits": [_limit(budget) for budget in explanation.others],
        "least_eirp_dbm": least_dbm,
        "least_eirp_rule": least_eirp_rule(place.device),
        "not_evaluated_offsets": offsets_notice(place.config) or "",
        "run_id": place.run.manifest.get("run_id"),
        "pixel": {"row": place.row, "col": place.col},
    }


def _limit(budget: Budget) -> dict[str, Any]:
    """One limit as plain data; its total is the sum of what is written of its terms."""
    named = {"service": code_names()[budget.label], "victim": _plain(budget.victim)}
    return named | _sum_of(budget.terms, "total_dbm")


def _sum_of(terms: Sequence[Term], total: str) -> dict[str, Any]:
    """Terms as plain data with their sum under its name."""
    plain = [term._asdict() | {"value_db": _number(term.value_db)} for term in terms]
    return {"terms": plain, total: math.fsum(term["value_db"] for term in plain) if plain else None}


def _number(value: float) -> float:
    """A number that JSON has: what forbids all emission is ``FORBIDDEN_DB``, a negative zero is zero."""
    return FORBIDDEN_DB if value == -math.inf else value + 0.0


def _plain(value: object) -> object:
    """Facts without members that have no value: what is not known, and numbers that are none."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if _is_known(item)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value if _is_known(item)]
    return value


def _is_known(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def as_text(answer: dict[str, Any]) -> str:
    """The answer as lines: the limits that come next, farthest first, then the one that decides."""
    published, status = answer["published_dbm"], answer["status"].replace("_", " ")
    number = "" if published is None else f", {published:.2f} dBm"
    where = f"lon {answer['lon']:g}, lat {answer['lat']:g}"
    place = f"channel {answer['channel']}, device {answer['device']}, {where}"
    if status == "outside":
        return f"{place}: outside the territory, where nothing is said"
    lines = [f"{place}: {status}{number}; limited by {limit_name(answer)}"]
    for rank, limit in reversed(list(enumerate(answer["next_limits"], start=1))):
        lines += [f"next limit {rank}: {_limit_lines(limit)[0]}", *_limit_lines(limit)[1:]]
    for layer in answer.get("height_rule", {}).get("layers", []):
        lines.append(f"  layer {_shown(layer)}")
    if "wanted_path" in answer:
        lines += _path_lines(answer["wanted_path"])
    lines += [f"limited by {_limit_lines(answer)[0]}", *_limit_lines(answer)[1:]]
    if answer["terms"]:
        note = _TOTAL_NOTES[answer["status"]].format(least=answer["least_eirp_dbm"])
        lines[-1] = _term_line("total", answer["total_dbm"], note)
    return "\n".join(lines)


def _limit_lines(limit: dict[str, Any]) -> list[str]:
    """What limits, its victim, its terms, and their total if there are any."""
    lines = [limit["service"].replace("_", " ")]
    lines += [f"  {key:<24} {_shown(value)}" for key, value in limit["victim"].items()]
    lines += [_term_line(term["name"], term["value_db"], term["note"]) for term in limit["terms"]]
    return [*lines, _term_line("total", limit["total_dbm"], "")] if limit["terms"] else lines


def _path_lines(path: dict[str, Any]) -> list[str]:
    """The wanted field of the victim: where it comes from, and its terms, or why they are not told."""
    if "note" in path:
        return [f"wanted field of the victim {path['note']}"]
    facts = {key: value for key, value in path.items() if key not in ("terms", "total_dbuvm", "station")}
    lines = [f"wanted field of the victim, from {path['station']}"]
    lines += [f"  {key:<24} {_shown(value)}" for key, value in facts.items()]
    lines += [_term_line(term["name"], term["value_db"], term["note"]) for term in path["terms"]]
    return [*lines, _term_line("wanted field", path["total_dbuvm"], "dB(uV/m), as the maps have it")]


def _term_line(name: str, value_db: float, note: str) -> str:
    return f"{name:<28} {value_db:>12.4f}  {note}".rstrip()


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items() if item not in ("", None))
    if isinstance(value, float):
        return str(round(value, 5))
    return ", ".join(map(_shown, value)) if isinstance(value, list) else str(value)
