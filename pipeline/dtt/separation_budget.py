"""What decides under the separation method: the contour that a pixel is too near to."""

from __future__ import annotations

import numpy as np
import shapely
import xarray as xr

from pipeline.config.protection import Device
from pipeline.coverage.network import load_sweeps, read_network
from pipeline.dtt.protection_maps import Files
from pipeline.dtt.separation import contour_polygons
from pipeline.grid import raster
from pipeline.radio.channel_plan import Offset
from pipeline.reference.separation_distances import SEPARATION_BANDS
from pipeline.services.base import Explanation, ServiceContext, Term
from pipeline.services.codes import LimitingService


def explain(
    context: ServiceContext, device: Device, victims: list[tuple[int, Offset]], row: int, col: int
) -> Explanation | None:
    """The strictest channel at a pixel; its one term is the largest e.i.r.p. whose distance is kept."""
    strictest = (np.inf, 0, 0, 0)
    for victim, offset in victims:
        limit_dbm, label = _stored(context, device, victim, offset, row, col)
        if limit_dbm < strictest[0]:
            strictest = (limit_dbm, label, victim, offset.number)
    limit_dbm, label, victim, number = strictest
    if np.isinf(limit_dbm) and limit_dbm > 0:
        return None
    facts = {"kind": "protected contour", "channel": victim, "offset": number}
    facts |= _nearest_station(context, victim, label, row, col)
    note = f"dBm, offset {number:+d}, contour of channel {victim}"
    return Explanation(facts, (Term("e.i.r.p. whose separation is kept", limit_dbm, note),), label)


def _stored(
    context: ServiceContext, device: Device, victim: int, offset: Offset, row: int, col: int
) -> tuple[float, int]:
    """Limit and label of one victim channel at a pixel."""
    limits_file, labels_file = Files(context.build, victim).protection(device)
    here = {"rows": slice(row, row + 1), "cols": slice(col, col + 1), "stacked": True}
    for name, offsets in SEPARATION_BANDS.items():
        if offset.number in offsets:
            limit = raster.read(limits_file, bands=[name], **here).values  # type: ignore[arg-type]
            label = raster.read(labels_file, bands=[name], **here).values  # type: ignore[arg-type]
            return float(limit[0, 0, 0]), int(label[0, 0, 0])
    return np.inf, int(LimitingService.NONE)


def _nearest_station(
    context: ServiceContext, victim: int, label: int, row: int, col: int
) -> dict[str, object]:
    """The station of the deciding side whose contour is nearest to the pixel's square, and how near."""
    config, grid = context.config, context.grid
    network = read_network(config, grid, victim)
    home = np.isin(network["country"].values, config.territory.home)
    side = home if label == LimitingService.DTT else ~home
    network = network.isel(transmitter=np.flatnonzero(side & (network["channel"].values == victim)))
    sweeps = load_sweeps(context.build, network)
    polygons = contour_polygons(config, victim, network, sweeps, grid.crs)
    square = shapely.box(*grid.box_m(slice(row, row + 1), slice(col, col + 1)))
    distances_m = shapely.distance(np.array(polygons), square)
    nearest = int(np.argmin(distances_m))
    return _facts(network.isel(transmitter=nearest)) | {
        "distance_km": float(distances_m[nearest]) / 1000.0 / grid.largest_scale()
    }


def _facts(station: xr.Dataset) -> dict[str, object]:
    return {
        "station": str(station["id"].item()),
        "country": str(station["country"].item()),
        "lon": float(station["lon_deg"]),
        "lat": float(station["lat_deg"]),
    }
