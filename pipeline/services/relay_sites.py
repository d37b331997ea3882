"""Sites that receive television off the air for a relay: a keyhole around each is kept free.

A circle around the site and an arc towards its parent transmitter, one pair for its channel and one for the
adjacent channels (47 CFR 15.712(b); numbers in the table of distances). Without a known parent the arc is a
full circle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.budget import Budget, Term
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.grid.geodesy import rays_to
from pipeline.grid.grid import GEOD, Grid
from pipeline.kernels import kernel
from pipeline.radio.channel_plan import offset_of
from pipeline.registers.named_registers import read_stations
from pipeline.registers.stations import RelayRow
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows, refuse_second
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, check_channels, forbid, unlimited
from pipeline.services.points import square_distance_km
from pipeline.services.receiver_terrain import HALF_DIAGONAL
from pipeline.services.table import ServiceRow
from pipeline.territory.rasters import CheckedTerritory

_KINDS = ("co", "adjacent")


class KeyholeDistances(NamedTuple):
    """Radius of the circle, of the arc, and half of the arc's opening."""

    circle_km: float
    arc_km: float
    half_angle_deg: float


class _DistancesRow(SourcedRow):
    kind: Annotated[Literal["co", "adjacent"], Field(description="co and adjacent, each once")]
    circle_km: Annotated[NumberCell, Field(ge=0, le=500, description="0 to 500 km")]
    arc_km: Annotated[NumberCell, Field(ge=0, le=500, description="0 to 500 km")]
    half_angle_deg: Annotated[NumberCell, Field(ge=0, le=180, description="0 to 180 deg")]


class Keyhole(NamedTuple):
    """What is kept free around one site; ``axis_deg`` true azimuth of the parent."""

    site: RelayRow
    kind: str
    distances: KeyholeDistances
    axis_deg: float


def prepare(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel
) -> BlockLimit:
    """No permission in pixels that a keyhole of the channel or of an adjacent one touches."""
    keyholes = keyholes_of(context, device, channel)
    scale = context.grid.largest_scale() if keyholes else 1.0

    def limit(rows: slice, cols: slice) -> ServiceLimit:
        lowest = unlimited(rows, cols)
        for keyhole in keyholes:
            forbid(lowest, kept_free(keyhole, context.grid, rows, cols, scale), service.code)
        return lowest

    return limit


def explain(
    service: ServiceRow, context: ServiceContext, device: Device, channel: DeviceChannel, row: int, col: int
) -> Budget | None:
    """The first site whose keyhole touches a pixel."""
    rows, cols, scale = slice(row, row + 1), slice(col, col + 1), context.grid.largest_scale()
    for keyhole in keyholes_of(context, device, channel):
        if kept_free(keyhole, context.grid, rows, cols, scale).any():
            site = keyhole.site
            note = f"{keyhole.kind}-channel reception of channel {site.channel:g}"
            victim = {"id": site.id, "lon": site.lon, "lat": site.lat, "channel": site.channel}
            term = Term("relay receive site", -math.inf, note)
            return Budget(victim, (term,), service.code)
    return None


def check(service: ServiceRow, config: Config, ground: CheckedTerritory) -> Iterator[str]:
    """Read sites and distances, refused if faulty or if the plan lacks a channel; how many there are."""
    areas = config.areas
    if areas.relay_sites is not None:
        read_keyholes(areas.relay_distances)
        sites = read_stations([areas.relay_sites], RelayRow)
        for site in sites:
            check_channels(config, "channel", Path(site.file), [int(site.channel)])
        _check_parents(sites, config.channels.reach_km)
        yield f"  relay sites   {len(sites)}"


def _check_parents(sites: Sequence[RelayRow], reach_km: float) -> None:
    """Refuse half a place of a parent, and one from which nothing is received: it would turn the arc away."""
    for site in sites:
        place = (site.parent_lon, site.parent_lat)
        if place == (None, None):
            continue
        if site.parent_lon is None or site.parent_lat is None:
            problem, allowed = "half a place of the parent", "both parent_lon and parent_lat, or neither"
        elif GEOD.inv(site.lon, site.lat, site.parent_lon, site.parent_lat)[2] > 1e3 * reach_km:
            problem, allowed = "the parent is out of reach of its site", f"within {reach_km:g} km"
        else:
            continue
        raise InputError(
            problem, file=site.file, row=site.row, field="parent_lon", value=place, allowed=allowed
        )


def read_keyholes(path: Path) -> dict[str, KeyholeDistances]:
    """Distances by kind; both kinds are needed."""
    rows = read_rows(path, _DistancesRow)
    refuse_second(path, rows, ("kind",))
    found: dict[str, KeyholeDistances] = {
        row.kind: KeyholeDistances(row.circle_km, row.arc_km, row.half_angle_deg) for row in rows
    }
    if missing := sorted(set(_KINDS) - set(found)):
        raise InputError("kind is missing", file=path, field="kind", value=missing, allowed=", ".join(_KINDS))
    return found


def keyholes_of(context: ServiceContext, device: Device, channel: DeviceChannel) -> list[Keyhole]:
    """The keyholes that close a channel for a device: by overlap, or in the next channel on either side."""
    areas = context.config.areas
    if areas.relay_sites is None:
        return []
    distances = read_keyholes(areas.relay_distances)
    found = []
    for site in read_stations([areas.relay_sites], RelayRow):
        number = abs(offset_of(context.config.channels, device, channel, int(site.channel)).number)
        if number <= 1:
            kind = _KINDS[number]
            found.append(_keyhole(site, kind, distances[kind]))
    return found


def _keyhole(site: RelayRow, kind: str, distances: KeyholeDistances) -> Keyhole:
    if site.parent_lon is None or site.parent_lat is None:
        return Keyhole(site, kind, distances._replace(half_angle_deg=180.0), 0.0)
    azimuth_deg, _, _ = GEOD.inv(site.lon, site.lat, site.parent_lon, site.parent_lat)
    return Keyhole(site, kind, distances, float(azimuth_deg))


def kept_free(keyhole: Keyhole, grid: Grid, rows: slice, cols: slice, scale: float) -> NDArray[np.bool_]:
    """True where a pixel of the window touches the keyhole."""
    x_m, y_m = grid.from_lonlat().transform(keyhole.site.lon, keyhole.site.lat)
    row_px, col_px = grid.row_col(x_m, y_m)
    inside = np.zeros((rows.stop - rows.start, cols.stop - cols.start), dtype=np.bool_)
    px_km, reach_km = grid.resolution_m / scale / 1000.0, max(keyhole.distances[:2])
    gap_row = max(rows.start - row_px, 0.0, row_px - rows.stop)
    gap_col = max(cols.start - col_px, 0.0, col_px - cols.stop)
    if math.hypot(gap_row, gap_col) * px_km <= reach_km:
        d_km, bearing_deg = rays_to(keyhole.site.lon, keyhole.site.lat, grid, rows, cols)
        half_km = HALF_DIAGONAL * grid.resolution_m / 1000.0
        _fill_keyhole(
            row_px - rows.start,
            col_px - cols.start,
            px_km,
            d_km,
            bearing_deg,
            half_km,
            keyhole.axis_deg,
            *keyhole.distances,
            inside,
        )
    return inside


@kernel
def _fill_keyhole(
    row_px: float,
    col_px: float,
    px_km: float,
    centre_km: NDArray[np.float64],
    bearing_deg: NDArray[np.float64],
    half_km: float,
    axis_deg: float,
    circle_km: float,
    arc_km: float,
    half_angle_deg: float,
    inside: NDArray[np.bool_],
) -> None:
    for i in range(inside.shape[0]):
        for j in range(inside.shape[1]):
            d_km = square_distance_km(row_px, col_px, i, j, px_km)
            inside[i, j] = d_km <= circle_km
            if circle_km < d_km <= arc_km:
                off_axis_deg = abs((bearing_deg[i, j] - axis_deg + 180.0) % 360.0 - 180.0)
                # The pixel's circumscribed circle, seen from the site.
                d = centre_km[i, j]
                half_deg = np.degrees(np.arcsin(half_km / d)) if d > half_km else 180.0
                inside[i, j] = off_axis_deg - half_deg <= half_angle_deg
