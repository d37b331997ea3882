"""``channelmaps unserved``: one page on how many people without fast access white space could serve."""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.config.bonds import channel_named, channels_in
from pipeline.errors import InputError
from pipeline.files import check_output_folder, csv_text, kind_of_table, write_together
from pipeline.grid import raster
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import Grid
from pipeline.links.link_files import GPKG_FILE, HTML_FILE, frame_of_rows
from pipeline.links.reach_files import device_of_run
from pipeline.links.unserved import ChosenStation, choose_stations, unserved_people
from pipeline.quantise import NOT_EVALUATED
from pipeline.query.profiles import channel_entries
from pipeline.query.results import config_of, population_of, published_file, read_public_run
from pipeline.rates.client_radios import read_clients
from pipeline.rates.link_modes import LinkModes, mode_levels, read_modes
from pipeline.rates.reach_layers import ReachOf, reach_tables
from pipeline.rates.reach_of_stations import reach_maps

_COLUMNS = ("number", "value", "inputs")
_STATION_COLUMNS = ("station", "lon", "lat", "channel", "eirp_dbm", "radius_km", "people")
_PRODUCTS = {
    "answer.csv": kind_of_table(*_COLUMNS),
    "stations.csv": kind_of_table(*_STATION_COLUMNS),
    "stations.gpkg": GPKG_FILE,
    "answer.html": HTML_FILE,
}
_STYLE = "body{font:16px sans-serif;margin:3em;max-width:46em}td,th{padding:4px 12px;border:1px solid #bbb}"


class UnservedRequest(NamedTuple):
    """The options of the command; the share of people without fast access is illustrative."""

    results: Path
    device: str
    out: Path
    modes: str = "dvbt2_8mhz"
    rate_mbps: float = 30.0
    cpe: str = "a8_panel"
    share_pct: float = 20.0
    rural_per_km2: float = 100.0
    cap_dbm: float = 99.0
    least_people: float = 20.0
    most_stations: int = 200
    q_pct: float = 70.0


class UnservedAnswer(NamedTuple):
    """The three numbers: people without access, people reached, stations with the e.i.r.p. they use."""

    without: float
    reached: float
    stations: list[ChosenStation]
    eirp_dbm: list[float]
    channels: list[str]


def unserved_command(request: UnservedRequest) -> None:
    """Write the page, the numbers with their inputs, and the stations."""
    check_output_folder("--out", request.out, _PRODUCTS, [request.results])
    for option, value, low, high in (
        ("--share-pct", request.share_pct, 0.0, 100.0),
        ("--q-pct", request.q_pct, 1.0, 99.0),
        ("--least-people", request.least_people, 0.001, 1e9),
    ):
        if not low <= value <= high:
            raise InputError("is not allowed", field=option, value=value, allowed=f"{low:g} to {high:g}")
    modes = read_modes(request.modes)
    mode = mode_above(modes, request.rate_mbps)
    answer, grid = _answer(request, modes, mode)
    rows = _stations(answer, grid)
    numbers = _numbers(request, mode, answer)
    points = [shapely.Point(float(str(row["lon"])), float(str(row["lat"]))) for row in rows]
    contents: dict[str, bytes | str] = {
        "answer.csv": csv_text(_COLUMNS, numbers),
        "stations.csv": csv_text(_STATION_COLUMNS, rows),
        "stations.gpkg": geopackage_bytes({"stations": frame_of_rows(rows, points)}, {"stations": "Point"}),
        "answer.html": _page(request, numbers),
    }
    write_together({request.out / name: content for name, content in contents.items()})
    print("\n".join(f"{row['number']}: {row['value']} ({row['inputs']})" for row in numbers))


def mode_above(modes: LinkModes, rate_mbps: float) -> str:
    """The least demanding mode with more than a rate."""
    levels = mode_levels(modes)
    above = np.flatnonzero(levels.rate_mbps > rate_mbps)
    if not above.size:
        most = levels.rate_mbps.max(initial=0.0)
        raise InputError(
            "no mode has more", field="--rate", value=rate_mbps, allowed=f"below {most:g} Mbit/s"
        )
    return levels.name[int(above[0])]


def _answer(request: UnservedRequest, modes: LinkModes, mode: str) -> tuple[UnservedAnswer, Grid]:
    run = read_public_run(request.results)
    entry = device_of_run(run, request.device)
    levels = raster.read(published_file(run, str(entry["file"])), stacked=True)
    grid: Grid = levels.attrs["grid"]
    people = population_of(run, grid)
    if people is None:
        raise InputError(
            "has no population here", file=run.folder, allowed="a run with population, and its build folder"
        )
    raw = _capped(levels.values, request.cap_dbm)
    client, height_m = read_clients().named(request.cpe), float(str(entry["height_m"]))
    asked = ReachOf(request.device, height_m, modes, mode, client, request.q_pct, (1.0,))
    names = [channel_named(str(one["channel"])) for one in channel_entries(run.manifest["query"], entry)]
    maps = reach_maps(raw, reach_tables(asked, config_of(run).channels, names), asked.from_km)
    share = 0.01 * request.share_pct
    unserved = unserved_people(people, grid.area_km2(), grid.resolution_m, share, request.rural_per_km2)
    inside = np.isfinite(people)
    unserved[~inside] = 0.0
    chosen, reached = choose_stations(
        maps.radius, unserved, grid.resolution_m, request.least_people, request.most_stations
    )
    index = [int(maps.channel[one.row, one.col]) - 1 for one in chosen]
    return UnservedAnswer(
        float(unserved.sum()),
        float(unserved[reached].sum()),
        chosen,
        [float(raw[c, one.row, one.col]) / 100.0 for c, one in zip(index, chosen, strict=True)],
        [str(channels_in(names[c])[0]) for c in index],
    ), grid


def _capped(raw: NDArray[np.int16], cap_dbm: float) -> NDArray[np.int16]:
    """Levels with a further cap; codes stay."""
    if not -50.0 <= cap_dbm <= 99.0:
        raise InputError("is not allowed", field="--cap-dbm", value=cap_dbm, allowed="-50 to 99 dBm")
    centi = np.int16(math.floor(100.0 * cap_dbm + 1e-9))
    return np.where(raw > NOT_EVALUATED, np.minimum(raw, centi), raw)


def _stations(answer: UnservedAnswer, grid: Grid) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for i, (one, eirp, channel) in enumerate(
        zip(answer.stations, answer.eirp_dbm, answer.channels, strict=True), start=1
    ):
        lon, lat = grid.to_lonlat().transform(*grid.xy_m(one.row + 0.5, one.col + 0.5))
        values = (
            f"s{i}",
            f"{lon:.6f}",
            f"{lat:.6f}",
            channel,
            f"{eirp:.2f}",
            f"{one.radius_km:.2f}",
            f"{one.people:.1f}",
        )
        rows.append(dict(zip(_STATION_COLUMNS, values, strict=True)))
    return rows


def _numbers(request: UnservedRequest, mode: str, answer: UnservedAnswer) -> list[dict[str, object]]:
    """The three numbers, each with what it rests on."""
    rural = f"illustrative: {request.share_pct:g} % where up to {request.rural_per_km2:g} per km2 live (5 km)"
    power = "no further cap" if request.cap_dbm >= 99.0 else f"at most {request.cap_dbm:g} dBm"
    reach = f"{request.device}, {mode}, {request.cpe}, {request.q_pct:g} % of locations, {power}"
    eirp = "none"
    if answer.eirp_dbm:
        median = float(np.median(answer.eirp_dbm))
        eirp = f"{min(answer.eirp_dbm):.1f} to {max(answer.eirp_dbm):.1f} dBm, median {median:.1f} dBm"
    least = f"each adds {request.least_people:g} people or more, at most {request.most_stations} stations"
    values = (
        (f"people without {request.rate_mbps:g} Mbit/s", f"{answer.without:.0f}", rural),
        ("people that white space could serve", f"{answer.reached:.0f}", reach),
        ("stations and their e.i.r.p.", f"{len(answer.stations)}; {eirp}", least),
    )
    return [dict(zip(_COLUMNS, row, strict=True)) for row in values]


def _page(request: UnservedRequest, numbers: list[dict[str, object]]) -> str:
    rows = ["".join(f"<td>{html.escape(str(row[name]))}</td>" for name in _COLUMNS) for row in numbers]
    cells = "".join(f"<tr>{row}</tr>" for row in rows)
    limits = (
        "Illustrative: how many lack access is assumed, not counted. Reach is that of generic land paths, "
        "without terrain and without interference, down-link only; the rate is that of a channel, which the "
        "users of a station share. No plan of anybody: a first number before channelmaps basestation looks "
        "at real places."
    )
    title = f"How many of the people without {request.rate_mbps:g} Mbit/s could white space serve?"
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><table><tr>{head}</tr>{cells}</table>"
        f"<p><strong>{html.escape(limits)}</strong></p></html>\n"
    )
