"""``channelmaps reach``: rasters and shares of how far permitted base stations would reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel, channel_named, channels_in
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.files import GEOTIFF_FILE, check_output_folder, csv_text, kind_of_table, write_output
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.links.client_radios import ClientRow, read_clients
from pipeline.links.link_budget import GenericPath
from pipeline.links.link_modes import LinkModes, level_of_mode_dbm, location_margin_db, read_modes
from pipeline.links.link_styles import QML_FILE, link_style
from pipeline.links.plan_links import SIGMA_DB
from pipeline.links.reach_of_stations import (
    OUTSIDE_CHANNEL,
    OUTSIDE_RADIUS,
    ReachMaps,
    mode_slug,
    radius_table,
    reach_maps,
    reach_shares,
)
from pipeline.query.profiles import channel_entries
from pipeline.query.results import Run, config_of, population_of, published_file, read_public_run
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.rows.row_models import finite

_NOTICE = "generic land path, without terrain and without interference: not a coverage prediction"
_COLUMNS = ("device", "modes", "mode", "cpe", "q_pct", "km", "area_pct", "population_pct")


class ReachRequest(NamedTuple):
    """The options of the command."""

    results: Path
    device: str
    modes: str
    mode: str
    cpe: str
    out: Path
    q_pct: float = 70.0
    from_km: tuple[float, ...] = (1.0, 5.0, 10.0)
    cpe_table: Path | None = None


def reach_command(request: ReachRequest) -> None:
    """Write the rasters and ``reach_statistics.csv`` of a device and a mode."""
    names = reach_names(request.device, request.mode, request.from_km)
    style = Path(names[0]).with_suffix(".qml").name
    products = dict.fromkeys(names, GEOTIFF_FILE) | {style: QML_FILE}
    products |= {"reach_statistics.csv": kind_of_table(*_COLUMNS)}
    inputs = [request.results, *([request.cpe_table] if request.cpe_table else [])]
    check_output_folder("--out", request.out, products, inputs)
    if not 1.0 <= request.q_pct <= 99.0:
        raise InputError("is not allowed", field="--q-pct", value=request.q_pct, allowed="1 to 99 %")
    client = read_clients(request.cpe_table).named(request.cpe)
    modes = read_modes(request.modes)
    run = read_public_run(request.results)
    config, entry = config_of(run), device_of_run(run, request.device)
    channels = [channel_named(str(one["channel"])) for one in channel_entries(run.manifest["query"], entry)]
    levels = raster.read(published_file(run, str(entry["file"])), stacked=True)
    tables = reach_tables(request, config, entry, channels, modes, client)
    maps = reach_maps(levels.values, tables, request.from_km)
    grid: Grid = levels.attrs["grid"]
    request.out.mkdir(parents=True, exist_ok=True)
    _write(request, maps, grid, channels, run.manifest["run_id"])
    shares = reach_shares(maps.radius, request.from_km, grid.area_km2(), population_of(run, grid))
    rows = _rows(request, shares)
    write_output(request.out / "reach_statistics.csv", csv_text(_COLUMNS, rows))
    write_output(request.out / style, link_style("reach"))
    print(_NOTICE)
    for row in rows:
        people = row["population_pct"] or "-"
        print(f"at least {row['km']} km: {row['area_pct']} % of the area, {people} % of the people")


def _rows(request: ReachRequest, shares: Sequence[tuple[float, float, float]]) -> list[dict[str, str]]:
    """The rows of the statistics."""
    own = (request.device, request.modes, request.mode, request.cpe, f"{request.q_pct:g}")
    return [
        dict(zip(_COLUMNS, (*own, f"{km:g}", _cell(area), _cell(people)), strict=True))
        for km, area, people in shares
    ]


def distances_of(text: str) -> tuple[float, ...]:
    """Distances in km of a list with commas, ascending."""
    try:
        found = sorted({finite(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or not (found[0] > 0.0 and found[-1] <= 300.0):
        raise InputError(
            "are no distances", field="--km", value=text, allowed="numbers up to 300 such as 1,5,10"
        )
    return tuple(found)


def reach_names(device: str, mode: str, from_km: tuple[float, ...]) -> list[str]:
    """Names of the rasters: radius, its channel, and numbers of channels by distance."""
    stem = f"{device}_{mode_slug(mode)}"
    numbers = [f"reach_channels_{stem}_{km:g}.tif" for km in from_km]
    return [f"reach_{stem}.tif", f"reach_channel_{stem}.tif", *numbers]


def reach_tables(
    request: ReachRequest,
    config: Config,
    entry: Mapping[str, object],
    channels: Sequence[DeviceChannel],
    modes: LinkModes,
    client: ClientRow,
) -> list[NDArray[np.uint16]]:
    """Radius by raw level for each channel of a device."""
    return [
        radius_table(
            _path(config, channel, float(str(entry["height_m"])), client),
            _allowed_db(request, modes, channel, client),
        )
        for channel in channels
    ]


def device_of_run(run: Run, device: str) -> dict[str, object]:
    """What the manifest says of a device for queries; InputError for one that the run does not have."""
    entries = {str(entry["id"]): entry for entry in run.manifest.get("query", {}).get("devices", ())}
    if device not in entries:
        raise InputError(
            "no such device in the run", field="--device", value=device, allowed=", ".join(entries)
        )
    found: dict[str, object] = entries[device]
    return found


def _path(config: Config, channel: DeviceChannel, height_m: float, client: ClientRow) -> GenericPath:
    return GenericPath("p1546", channel_centre_mhz(config.channels, channel), height_m, client.height_m)


def _allowed_db(request: ReachRequest, modes: LinkModes, channel: DeviceChannel, client: ClientRow) -> float:
    """Loss that 0 dBm may have to the client in the mode."""
    width_mhz = len(channels_in(channel)) * modes.bandwidth_mhz
    level_dbm = level_of_mode_dbm(modes, request.mode, width_mhz)
    return client.receive_db - level_dbm - location_margin_db(request.q_pct, 50.0, SIGMA_DB)


def _write(
    request: ReachRequest, maps: ReachMaps, grid: Grid, channels: list[DeviceChannel], run_id: str
) -> None:
    """The rasters; a channel of the map is the number of the channel, or the first of a bond."""
    firsts = np.arange(256, dtype=np.uint8)  # codes stay
    firsts[1 : len(channels) + 1] = [channels_in(channel)[0] for channel in channels]
    number_of = firsts[maps.channel]
    what = f"{request.device}, {request.mode}, {request.cpe}"
    layers = [
        (maps.radius, "10 m", OUTSIDE_RADIUS, f"radius of a permitted base station, {what}"),
        (number_of, "", OUTSIDE_CHANNEL, f"channel of that radius, {what}"),
        *(
            (values, "channels", OUTSIDE_CHANNEL, f"channels that reach {km:g} km, {what}")
            for values, km in zip(maps.number, request.from_km, strict=True)
        ),
    ]
    tags = {"notice": _NOTICE, "run_id": run_id, "q_pct": f"{request.q_pct:g}"}
    for name, (values, unit, nodata, title) in zip(
        reach_names(request.device, request.mode, request.from_km), layers, strict=True
    ):
        data = raster.make_array(values, grid, units=unit, nodata=nodata, long_name=title)
        raster.write(request.out / name, data, tags=tags, publish=True)


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
