"""Query rasters of a device hour by hour: without bookings, and with those that hold together.

``internal/query_<device>_base.tif`` has the maximum e.i.r.p. by all but bookings, ``..._sNNN.tif`` only what
a set of bookings changes: -32767 where it changes nothing, and no tile where it changes no pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.availability.booked import BookedFile, base_file, booked_file, with_bookings
from pipeline.availability.combine import COMBINE_BLOCK_PX, max_eirp_centi_dbm
from pipeline.blocks import block_slices
from pipeline.config.protection import Device
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import channel_bands, layer_file, layer_layout
from pipeline.grid.open_rasters import OpenRasters
from pipeline.grid.raster import Layout, Part, write_blocks
from pipeline.hashing import file_sha256, json_hash
from pipeline.plan.plan import Plan, channels_of
from pipeline.plan.run_files import booked_files
from pipeline.quantise import AS_BASE, NODATA_CENTI
from pipeline.radio.allocations import is_partial
from pipeline.radio.emission import least_eirp_dbm
from pipeline.services.pmse.pmse_slices import BookingSlice

_FAMILY = "query_slices"


def write_slices(plan: Plan, build: Path, device: Device, grid: Grid, tags: dict[str, str]) -> None:
    """Write the rasters of a device for the slices of a plan; none without slices."""
    channels = channels_of(plan, device.id)
    bases = [build / base_file(device.id, channel) for channel in channels]
    booked = [BookedFile(build / booked_file(device.id, channel), COMBINE_BLOCK_PX) for channel in channels]
    sums = [file_sha256(build / name) for name in booked_files(plan, device.id)]
    tags = tags | {"hash": json_hash([tags["hash"], sums, plan.slices])}
    first = {part.name: part for part in reversed(plan.slices) if part.name}
    with OpenRasters() as opened:
        for name, part in [("base", None), *sorted(first.items())]:
            layout = layer_layout(
                _FAMILY,
                grid,
                channel_bands(_FAMILY, channels),
                {"device": device.id, "slice": name},
                tags=tags,
            )
            target = build / layer_file(
                _FAMILY, device=device.id, slice=name, partial=is_partial(plan.config)
            )
            found = _blocks(opened, bases, booked, least_eirp_dbm(device), layout, part)
            write_blocks(target, layout, found, publish=True, tile_px=plan.config.query.block_px)


def _blocks(
    opened: OpenRasters,
    bases: list[Path],
    booked: list[BookedFile],
    least_dbm: float,
    layout: Layout,
    when: BookingSlice | None,
) -> Iterator[Part]:
    """The blocks of a raster; of a slice those alone in which bookings change anything."""
    for rows, cols in block_slices((layout.height, layout.width), COMBINE_BLOCK_PX):
        block = rows.start // COMBINE_BLOCK_PX, cols.start // COMBINE_BLOCK_PX
        shape = (len(bases), rows.stop - rows.start, cols.stop - cols.start)
        values = np.full(shape, NODATA_CENTI, np.int16)
        changes = when is None
        for number, (path, own) in enumerate(zip(bases, booked, strict=True)):
            parts = [] if when is None else own.parts(block, when)
            if when is None or parts:
                limit = opened.window(path, rows, cols)[0]
                shown = max_eirp_centi_dbm(limit, least_dbm)
                lowest = max_eirp_centi_dbm(with_bookings(limit, (rows.start, cols.start), parts), least_dbm)
                values[number] = shown if when is None else _changed(lowest, shown)
                changes = True
        if changes:
            yield rows, cols, values


def _changed(lowest: NDArray[np.int16], base: NDArray[np.int16]) -> NDArray[np.int16]:
    """Values where they differ from those of the base."""
    return np.where((lowest == base) & (base != NODATA_CENTI), np.int16(AS_BASE), lowest)
