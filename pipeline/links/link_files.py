"""What ``channelmaps links`` reads and writes: the folder of its answers, whole or not at all."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
from shapely.geometry import LineString, MultiPoint, Point

from pipeline.errors import InputError
from pipeline.files import (
    OutputKind,
    check_output_folder,
    csv_text,
    json_bytes,
    kind_of_start,
    kind_of_table,
    write_together,
)
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import LONLAT
from pipeline.links.link_rows import LinkRow, beyond_a5_3, read_links_table
from pipeline.links.link_table import channel_rows, has_television_gap, merged, row_of
from pipeline.links.link_terrain import ground_of_links, profile_of_link
from pipeline.links.link_world import LINK_MODELS, TDD_SHARE, LinkSettings, LinkWorld
from pipeline.links.mutual_interference import Disturbed
from pipeline.links.permitted import ADJACENT_DB, open_permits, television_said
from pipeline.links.plan_links import LinkFound, plan_link
from pipeline.links.planned_links import table_together
from pipeline.links.profile_page import PictureOf, page
from pipeline.links.television_table import TELEVISION_COLUMNS, television_rows
from pipeline.plan.territory_file import files_read, load_config
from pipeline.query.results import Run, read_run
from pipeline.radio.channel_plan import channel_block
from pipeline.rates.link_modes import SIGMA_DB, LinkModes, read_modes

GPKG_FILE = kind_of_start("a GeoPackage", rb"SQLite format 3\0")
HTML_FILE = kind_of_start("a page", rb"<!doctype html>")
JSON_FILE = kind_of_start("a JSON document", rb"\s*\{")
PRODUCTS: dict[str, OutputKind] = {
    "links.csv": kind_of_table("bearing_ab_deg", "permitted_a_dbm", "rate_mbps", "reason"),
    "links_channels.csv": kind_of_table("id", "direction", "channel", "reason"),
    "links_television.csv": kind_of_table("id", "end", "station_channel", "level_dbm"),
    "links.gpkg": GPKG_FILE,
    "links.html": HTML_FILE,
    "links.json": JSON_FILE,
}
_SHOWN = (
    "id",
    "d_km",
    "channel_used",
    "eirp_dbm",
    "limited_by",
    "model_used",
    "loss_db",
    "prx_dbm",
    "mode",
    "rate_mbps",
    "margin_db",
    "los_visible_pct",
    "reception_expected",
    "reason",
)
_IDS_SAID = 10
_GENERIC = "Without a terrain profile: generic land path, not a prediction of coverage."


class LinkRequest(NamedTuple):
    """The options that tables of links and of places share."""

    out: Path
    config: Path | None = None
    results: Path | None = None
    model: str = "p1812_or_p1546"
    modes: str = "dvbt2_8mhz"
    q_pct: float = 70.0
    interference: str = "dtt"
    channel: str = ""
    as_json: bool = False
    strict_a5_3: bool = False
    profiles: bool = False
    assign: bool = False
    pointing: bool = False


def links_command(links: Path, request: LinkRequest) -> None:
    """Budgets of a table of links; everything is written at the end, together."""
    check_output_folder("--out", request.out, PRODUCTS, inputs_of(request, links))
    settings = settings_of(request)
    rows, cells = read_links_table(links)
    warned = [line for row in rows for line in beyond_a5_3(row)]
    if warned and request.strict_a5_3:
        row = next(row for row in rows if beyond_a5_3(row))
        allowed = "the range of Table A5-3, or no --strict-a5-3"
        raise InputError(warned[0], file=links, row=row.row, allowed=allowed)
    warned += _without_limits(rows, request)
    for line in (*settings.modes.notes, *warned):
        print(f"channelmaps: {line}", file=sys.stderr)
    places = [(row.a_lon, row.a_lat, row.b_lon, row.b_lat) for row in rows if row.has_places]
    world = world_of(request, np.array(places, float).reshape(-1, 4))
    if request.pointing:
        world = world._replace(pointing=run_of_intermediates(request))
    every = [plan_link(row, settings, world) for row in rows]
    beside = table_together(every, settings, world, assign=request.assign)
    found = [_on_its_channel(link, beside.found.get(i), settings, world) for i, link in enumerate(every)]
    table = [
        merged(one, row_of(link, beside.found.get(i)))
        for i, (one, link) in enumerate(zip(cells, found, strict=True))
    ]
    gaps = [link.row.id for link in every if has_television_gap(link)]
    notes = [*settings.modes.notes, *warned, *beside.notes, *television_gaps(gaps, "links")]
    document = facts_of(request, settings.modes, world, notes) | {"links": table}
    contents: dict[str, bytes | str] = {
        "links.csv": csv_text(list(table[0]), table),
        "links_channels.csv": _table([line for link in every for line in channel_rows(link)]),
        "links_television.csv": csv_text(
            TELEVISION_COLUMNS, [line for link in found for line in television_rows(link, settings, world)]
        ),
        "links.gpkg": _geopackage(found, table, world, profiles=request.profiles),
        "links.html": page("Links", document["notes"], table, _SHOWN, _pictures(found, table, world)),
        "links.json": json_bytes(document),
    }
    write_together({request.out / name: content for name, content in contents.items()})
    print(json.dumps(document, indent=1, ensure_ascii=False) if request.as_json else _text(table))


def run_of_intermediates(request: LinkRequest) -> Run:
    """The run whose build folder tells where victims are; InputError without one."""
    if request.results is None:
        raise InputError("needs a run", field="--pointing", allowed="with --results")
    return read_run(request.results)


def _on_its_channel(
    link: LinkFound, beside: Disturbed | None, settings: LinkSettings, world: LinkWorld
) -> LinkFound:
    """A link on the channel that it has beside the others."""
    if beside is None or beside.chosen == link.best:
        return link
    row = link.row.model_copy(update={"channel": link.candidates[beside.chosen].channel})
    return plan_link(row, settings, world)


def television_gaps(gaps: Sequence[str], what: str) -> list[str]:
    """The line, printed too, on ends at which the field of television is not known; none without any."""
    if not gaps:
        return []
    line = (
        f"TELEVISION_UNKNOWN {len(gaps)} {what} ({_first_of(gaps)}): the field of television is not known "
        "there on a channel (off the grid of the run, or across land of unknown height), and no rate is "
        "given on it; --interference none leaves television out"
    )
    print(f"channelmaps: {line}", file=sys.stderr)
    return [line]


def _first_of(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_IDS_SAID]) + (", ..." if len(ids) > _IDS_SAID else "")


def _without_limits(rows: Sequence[LinkRow], request: LinkRequest) -> list[str]:
    """Links of a run that no limit of it bounds: nothing is known of what they may radiate."""
    if request.results is None:
        return []
    ids = [row.id for row in rows if row.f_mhz is not None or not row.has_places]
    why = "a frequency in place of a channel, or no places: the run bounds nothing"
    said = f"NO_LIMITS {len(ids)} links ({_first_of(ids)}): {why}, and television is not counted"
    return [said] if ids else []


def settings_of(request: LinkRequest) -> LinkSettings:
    """The settings behind the options; InputError for those that are none."""
    if request.model not in LINK_MODELS:
        raise InputError(
            "unknown model", field="--model", value=request.model, allowed=", ".join(LINK_MODELS)
        )
    if request.interference not in ("dtt", "none"):
        raise InputError(
            "is not allowed", field="--interference", value=request.interference, allowed="dtt, none"
        )
    if not 1.0 <= request.q_pct <= 99.0:
        raise InputError("is not allowed", field="--q-pct", value=request.q_pct, allowed="1 to 99 %")
    if request.config is not None and request.results is not None:
        raise InputError("is given beside --results", field="--config", allowed="one of both")
    return LinkSettings(
        request.model,
        read_modes(request.modes),
        request.q_pct,
        request.channel,
        television=request.interference == "dtt",
    )


def world_of(request: LinkRequest, places_deg: np.ndarray[Any, Any]) -> LinkWorld:
    """Territory, terrain and run of links between places [n, 4] in degrees; nothing without an option."""
    if request.config is None and request.results is None:
        return LinkWorld()
    permits = open_permits(request.results) if request.results is not None else None
    config = permits.config if permits is not None else load_config(request.config or Path())
    ground = None
    if places_deg.size:
        ground = ground_of_links(config, places_deg[:, [0, 2]], places_deg[:, [1, 3]])
    return LinkWorld(config, ground, permits)


def inputs_of(request: LinkRequest, *tables: Path) -> list[Path]:
    """Files and folders that the command reads."""
    named = [path for path in (request.config, request.results) if path is not None]
    modes = [Path(request.modes)] if request.modes.endswith(".csv") else []
    territory = files_read(load_config(request.config)) if request.config is not None else []
    return [*tables, *named, *modes, *territory]


def facts_of(
    request: LinkRequest, modes: LinkModes, world: LinkWorld, notes: Sequence[str]
) -> dict[str, Any]:
    """What an answer was made with: version, tables, unverified values, run."""
    television, left_out = "none", []
    if world.permits is not None and request.interference == "dtt":
        television = "dtt" if world.permits.has_fields else "none: the fields of the run are not here"
        left_out = [television_said(world.permits)] if world.permits.has_fields else []
    unverified = [f"{modes.name} {row.mode}: {row.source}" for row in modes.rows if not row.verified]
    chosen = [
        "interference between links at 1 % of the time, from up to 100 km: project choice",
        f"selectivity in adjacent channels {ADJACENT_DB[1]:g} and {ADJACENT_DB[2]:g} dB: project choice",
        f"share of time of a direction {TDD_SHARE:g}: project choice",
    ]
    generic = [] if world.ground else [_GENERIC]
    return {
        "software": f"channelmaps {version('channelmaps')}",
        "run_id": world.permits.database.run_id if world.permits is not None else None,
        "model": request.model,
        "modes": modes.name,
        "q_pct": request.q_pct,
        "sigma_db": SIGMA_DB,
        "interference": television,
        "notes": [*notes, *left_out, *_wider_than_channels(modes, world), *generic],
        "unverified": [*unverified, *chosen],
    }


def _wider_than_channels(modes: LinkModes, world: LinkWorld) -> list[str]:
    """What is to be said of modes that do not fit into the channels of the territory."""
    if world.config is None:
        return []
    plan = world.config.channels
    width_mhz = min((channel_block(plan, one).width_mhz for one in plan.wsd), default=math.inf)
    if modes.bandwidth_mhz <= width_mhz + 1e-6:
        return []
    said = f"modes of {modes.bandwidth_mhz:g} MHz do not fit into channels of {width_mhz:g} MHz"
    return [f"WIDER_THAN_CHANNEL {said}: rates are too high unless bandwidth_mhz is given"]


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    return csv_text(list(rows[0]), rows)


def _pictures(
    found: Sequence[LinkFound], table: Sequence[Mapping[str, object]], world: LinkWorld
) -> list[PictureOf]:
    """The profiles that are known, with what is to be said of each."""
    drawn = []
    for link, row in zip(found, table, strict=True):
        profile = None
        if link.ends is not None and world.ground is not None:
            profile = profile_of_link(world.ground, link.ends, 0)
        if profile is not None and link.ends is not None:
            antennas = (float(link.ends.antennas_m[0, 0]), float(link.ends.antennas_m[0, 1]))
            said = (f"{row['id']}: {row['d_km']} km", f"{row['rate_mbps']} Mbit/s", str(row["reason"]))
            f_mhz = link.candidates[link.best].f_mhz
            drawn.append(PictureOf(", ".join(said), profile, antennas, f_mhz))
    return drawn


def _geopackage(
    found: Sequence[LinkFound], table: Sequence[Mapping[str, object]], world: LinkWorld, *, profiles: bool
) -> bytes:
    """Layers ``links``, ``ends`` and, on request, ``profiles``; those without places are left out."""
    placed = [(link, row) for link, row in zip(found, table, strict=True) if link.ends is not None]
    lines, ends, ids = [], [], []
    for link, _ in placed:
        places = _lonlat(link)
        lines.append(LineString(places))
        ends += [Point(place) for place in places]
        ids += [(link.row.id, "a"), (link.row.id, "b")]
    layers = {
        "links": frame_of_rows([row for _, row in placed], lines),
        "ends": frame_of_rows([{"id": id_, "end": end} for id_, end in ids], ends),
    }
    kinds = {"links": "LineString", "ends": "Point"}
    if profiles and world.ground is not None:
        points, names = [], []
        for link, _ in placed:
            profile = profile_of_link(world.ground, link.ends, 0) if link.ends is not None else None
            if profile is not None:
                points.append(MultiPoint(_along(link, profile.d_km, profile.terrain_m)))
                names.append({"id": link.row.id})
        layers["profiles"], kinds["profiles"] = frame_of_rows(names, points), "MultiPoint Z"
    return geopackage_bytes(layers, kinds)


def _lonlat(link: LinkFound) -> list[tuple[float, float]]:
    row = link.row
    return [(float(row.a_lon or 0), float(row.a_lat or 0)), (float(row.b_lon or 0), float(row.b_lat or 0))]


def _along(link: LinkFound, d_km: Any, height_m: Any) -> list[tuple[float, float, float]]:  # noqa: ANN401 - arrays
    from pipeline.grid.grid import GEOD

    (lon, lat), _ = _lonlat(link)
    bearing = 0.0 if link.ends is None else float(link.ends.bearings_deg[0, 0])
    count = len(d_km)
    lons, lats, _ = GEOD.fwd([lon] * count, [lat] * count, [bearing] * count, (1e3 * d_km).tolist())
    return list(zip(lons, lats, height_m.tolist(), strict=True))


def frame_of_rows(rows: Sequence[Mapping[str, object]], shapes: Iterable[Any]) -> gpd.GeoDataFrame:
    """Rows with their geometries in degrees; texts that are numbers become numbers."""
    columns = {name: [_value(row[name]) for row in rows] for name in (rows[0] if rows else {"id": ""})}
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=LONLAT)


def _value(cell: object) -> object:
    if isinstance(cell, str):
        try:
            return float(cell) if cell and math.isfinite(float(cell)) else cell or None
        except ValueError:
            return cell
    return cell


def _text(table: Sequence[Mapping[str, object]]) -> str:
    """A line for each link."""
    return "\n".join(
        f"{row['id']}: {row['d_km']} km, {row['prx_dbm'] or '-'} dBm, {row['mode'] or 'no mode'}, "
        f"{row['rate_mbps'] or '-'} Mbit/s, up to {row['d_max_km'] or '-'} km, {row['reason']}"
        for row in table
    )
