"""``channelmaps explain``: the budget of the victim that decides one pixel, channel and device.

The published number is looked up, computed again from the intermediates of the same run, and taken apart into
terms. Where the intermediates belong to another run, nothing is explained.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.availability.combine import Published, combine
from pipeline.availability.stage import layer_tags
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt import budget as dtt_budget
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.plan.dependencies import code_of
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.query.results import Run, config_of, read_run
from pipeline.radio.channel_plan import victim_channels
from pipeline.radio.emission import DENSITY_BANDWIDTH_MHZ, device_cap_dbm
from pipeline.services import aeronautical, border, fixed, mobile, radio_astronomy, relay_sites
from pipeline.services import restrictions as areas
from pipeline.services.adjustments import adjusted_explanation
from pipeline.services.base import Explain, Explanation, ServiceContext, Term
from pipeline.services.codes import CODE_NAMES, SERVICE_CODES, LimitingService
from pipeline.services.evaluated import evaluated_services, prepare_services, settled_flags
from pipeline.services.pmse import pmse

EXPLAINERS: dict[str, Explain] = {
    "dtt": adjusted_explanation(dtt_budget.explain),
    "foreign_dtt": border.explain,
    "pmse": pmse.explain,
    "radio_astronomy": radio_astronomy.explain,
    "aeronautical": aeronautical.explain,
    "mobile": mobile.explain_mobile,
    "ppdr": mobile.explain_ppdr,
    "fixed": fixed.explain,
    "reserved_channels": areas.explain_reserved,
    "exclusion_areas": areas.explain_exclusions,
    "relay_sites": relay_sites.explain,
    "channel_caps": areas.explain_caps,
    "adjustments": adjusted_explanation(lambda *_: None),
}
"""Budgets by the name of the service or decision (``prepare_services``); ``dtt`` explains own and foreign
reception and receiver overload."""
# What float64 may lose when the terms of a budget are added in another order.
SUM_ERROR_DB = 1e-6
TOTAL_NOTES = {
    "permitted": "rounded down to 0.01 dBm it is what is published",
    "not_permitted": "below the least e.i.r.p. of the device: not permitted",
}


class ExplainedLocation(NamedTuple):
    """One pixel, channel and device of a run, with the published values there."""

    run: Run
    config: Config
    device: Device
    channel: int
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
    channel: int,
    device_id: str,
    *,
    build: Path | None = None,
    as_json: bool = False,
) -> None:
    """Print the budget as a table, or as the JSON of the public interface."""
    run = read_run(results)
    answer = explain_point(run, lon_deg, lat_deg, channel, device_id, build or run.build)
    print(json.dumps(answer, indent=1, ensure_ascii=False) if as_json else as_text(answer))


def explain_point(
    run: Run, lon_deg: float, lat_deg: float, channel: int, device_id: str, build: Path
) -> dict[str, Any]:
    """The answer as plain data; ``build`` the folder of the run's intermediates."""
    place = place_of(run, lon_deg, lat_deg, channel, device_id)
    if place.raw == NODATA_CENTI:
        return _answer(place, "outside", Explanation({}, (), int(LimitingService.OUTSIDE)))
    if place.raw == NOT_EVALUATED:
        return _answer(place, "not_evaluated", _left_open(place))
    status = "not_permitted" if place.raw == NOT_PERMITTED else "permitted"
    return _answer(place, status, budget_of(place, build))


def place_of(run: Run, lon_deg: float, lat_deg: float, channel: int, device_id: str) -> ExplainedLocation:
    """Look up the published layer; InputError for a channel or device that the run does not have."""
    config = config_of(run)
    devices = {device.id: device for device in config.devices}
    if device_id not in devices:
        raise InputError(
            "no such device in the run", field="device", value=device_id, allowed=", ".join(devices)
        )
    if channel not in config.channels.wsd:
        channels = ", ".join(str(number) for number in sorted(config.channels.wsd))
        raise InputError("no such channel in the run", field="channel", value=channel, allowed=channels)
    if not (abs(lon_deg) <= 180.0 and abs(lat_deg) <= 90.0):
        raise InputError("is not a place on Earth", field="lon, lat", value=(lon_deg, lat_deg))
    path = run.folder / "public" / f"max_eirp_{device_id}_ch{channel:02d}.tif"
    grid, tags = raster.read_grid(path), dict(raster.read_layout(path).tags)
    row, col = grid.pixel_of(lon_deg, lat_deg)
    raw = NODATA_CENTI
    if grid.has_pixel(row, col):
        raw = int(raster.read(path, rows=slice(row, row + 1), cols=slice(col, col + 1)).values.item())
    return ExplainedLocation(
        run, config, devices[device_id], channel, lon_deg, lat_deg, grid, row, col, raw, tags
    )


def budget_of(place: ExplainedLocation, build: Path) -> Explanation:
    """The budget behind a published number; its terms add up to the number before rounding."""
    context = context_of(place, build)
    services = prepare_services(context, place.device, place.channel)
    rows, cols = slice(place.row, place.row + 1), slice(place.col, place.col + 1)
    limits = [(s.flags, None if s.limit is None else s.limit(rows, cols)) for s in services]
    cap_dbm = device_cap_dbm(place.device)
    again = combine(
        limits,
        np.ones((1, 1), dtype=np.bool_),
        cap_dbm=cap_dbm,
        min_eirp_dbm=place.device.min_eirp_dbm,
        settled_flags=settled_flags(place.config, place.device),
    )
    _check_number(place, again, build)
    levels_dbm = [math.inf if limit is None else limit.eirp_dbm.item() for _, limit in limits]
    if min(levels_dbm, default=math.inf) > cap_dbm:
        return cap_budget(place.device)
    name = services[int(np.argmin(levels_dbm))].name
    return _service_budget(context, place, name, min(levels_dbm), again.limiting_service.item())


def context_of(place: ExplainedLocation, build: Path) -> ServiceContext:
    """What the services read; refused unless the intermediates are those of the run."""
    victims = tuple(victim_channels(place.config, place.run.manifest["channels"]["dtt"], [place.channel]))
    again = "`channelmaps run` with the run's territory file"
    if place.run.manifest["software"]["code"].get("combine") != code_of("combine"):
        raise InputError(
            "run was made by another version of the program", file=place.run.folder, allowed=again
        )
    try:
        found = layer_tags(place.config, build, place.device, place.channel, victims)["hash"]
    except FileNotFoundError as error:
        raise InputError(
            "intermediates of the run are not here", file=error.filename, allowed=again
        ) from None
    if found != place.tags.get("hash"):
        raise InputError(
            "intermediates belong to another run",
            file=build,
            value=found,
            allowed=f"those of {place.tags.get('hash')}: {again}, or name their folder with --build",
        )
    return ServiceContext(place.config, build, place.grid, victims)


def _check_number(place: ExplainedLocation, again: Published, build: Path) -> None:
    found = int(again.max_eirp_centi_dbm.item())
    if found != place.raw:
        raise InputError(
            "intermediates do not give the published number",
            file=build,
            value=found,
            allowed=f"{place.raw} at row {place.row}, column {place.col}; run again",
        )


def _service_budget(
    context: ServiceContext, place: ExplainedLocation, name: str, limit_dbm: float, label: int
) -> Explanation:
    """The service's own account of its limit, checked against that limit."""
    explain = EXPLAINERS.get(name)
    if explain is None:
        note = f"limit of {name}, which gives no budget"
        return Explanation({}, (Term("limit", limit_dbm, note),), label)
    found = explain(context, place.device, place.channel, place.row, place.col)
    total_dbm = math.inf if found is None else sum_of(found.terms)
    if found is None or not (total_dbm == limit_dbm or abs(total_dbm - limit_dbm) <= SUM_ERROR_DB):
        raise InputError(
            f"budget of {name} does not give its limit",
            file=context.build,
            value=total_dbm,
            allowed=f"{limit_dbm}; the intermediates are of different runs: run again",
        )
    return found


def cap_budget(device: Device) -> Explanation:
    """The terms of the smaller one of a device's two caps."""
    cap_dbm, density_dbm = device_cap_dbm(device), device.cap_density_dbm_per_100khz
    if density_dbm is None or cap_dbm == device.cap_dbm:
        terms: tuple[Term, ...] = (Term("e.i.r.p. cap", device.cap_dbm, "of the device, in its bandwidth"),)
    else:
        note = f"{device.bandwidth_mhz:g} MHz in units of {1000.0 * DENSITY_BANDWIDTH_MHZ:g} kHz"
        density = Term("density cap", density_dbm, "dBm in 100 kHz")
        terms = (density, Term("bandwidth", cap_dbm - density_dbm, note))
    return Explanation({"kind": "device", "id": device.id}, terms, int(LimitingService.DEVICE_CAP))


def _left_open(place: ExplainedLocation) -> Explanation:
    """Which services should have been evaluated at the pixel and were not."""
    path = place.run.folder / "public" / f"eval_flags_{place.device.id}_ch{place.channel:02d}.tif"
    here = slice(place.row, place.row + 1), slice(place.col, place.col + 1)
    flags = int(raster.read(path, rows=here[0], cols=here[1]).values.item())
    names = [name for name in evaluated_services(place.config) if not flags & (1 << SERVICE_CODES[name])]
    return Explanation({"services_not_evaluated": names}, (), int(LimitingService.NOT_EVALUATED))


def sum_of(terms: tuple[Term, ...]) -> float:
    """Sum in dB; -inf where a term forbids."""
    return math.fsum(term.value_db for term in terms)


def _answer(place: ExplainedLocation, status: str, explanation: Explanation) -> dict[str, Any]:
    """The JSON of the public interface; a number that is not finite is null."""
    total_dbm = sum_of(explanation.terms) if explanation.terms else None
    return {
        "channel": place.channel,
        "device": place.device.id,
        "lon": place.lon_deg,
        "lat": place.lat_deg,
        "published_dbm": place.raw / 100.0 if status == "permitted" else None,
        "status": status,
        "service": CODE_NAMES[explanation.label],
        "victim": {key: _finite(value) for key, value in explanation.victim.items()},
        # Adding 0.0 turns a negative zero into zero.
        "terms": [term._asdict() | {"value_db": _finite(term.value_db + 0.0)} for term in explanation.terms],
        "total_dbm": _finite(total_dbm),
        "run_id": place.run.manifest.get("run_id"),
        "pixel": {"row": place.row, "col": place.col},
    }


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_text(answer: dict[str, Any]) -> str:
    """The answer as lines for a reader."""
    published = answer["published_dbm"]
    number = "" if published is None else f", {published:.2f} dBm"
    lines = [
        f"channel {answer['channel']}, device {answer['device']}, "
        f"lon {answer['lon']:g}, lat {answer['lat']:g}: {answer['status'].replace('_', ' ')}{number}",
        f"decided by {answer['service'].replace('_', ' ')}",
    ]
    lines += [f"  {key:<24} {_shown(value)}" for key, value in answer["victim"].items()]
    lines += [_term_line(term["name"], term["value_db"], term["note"]) for term in answer["terms"]]
    if answer["terms"]:
        lines.append(_term_line("total", answer["total_dbm"], TOTAL_NOTES[answer["status"]]))
    return "\n".join(lines)


def _term_line(name: str, value_db: float | None, note: str) -> str:
    value = "-inf" if value_db is None else f"{value_db:.4f}"
    return f"{name:<28} {value:>12}  {note}".rstrip()


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item not in ("", None))
    if isinstance(value, float):
        return str(round(value, 5))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
