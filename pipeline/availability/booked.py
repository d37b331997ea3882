"""Limits that hold for a part of the time: those by bookings, span by span, beside the limit by all else.

Of a device and channel ``limits/<device>_chNN_base.tif`` is the limit without bookings, before the least
e.i.r.p. of the device, and ``..._booked.npz`` what the bookings of each span allow where they limit: parts of
the grid as raw values [y, x], named by the span and the part's first row and column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.files import whole_stream
from pipeline.grid.boxes import PixelBox
from pipeline.grid.layer_files import two_digits
from pipeline.quantise import NOT_EVALUATED, NOT_PERMITTED, to_centi
from pipeline.services.base import ServiceContext, ServiceLimit
from pipeline.services.evaluated import PreparedService, prepare_services
from pipeline.services.pmse.pmse_register import bookings_of
from pipeline.services.pmse.pmse_slices import BookingSlice, Span, holds_in, slices_of, spans_concerning

_NO_LIMIT = np.iinfo(np.int16).max
# Lower than all levels and codes but nodata: what is not evaluated wins over what is not permitted.
_UNKNOWN = -20_000


class BookedPart(NamedTuple):
    """What bookings of a span allow in a part of the grid: raw [y, x] from a first row and column."""

    span: Span
    row: int
    col: int
    raw: NDArray[np.int16]


class PreparedSpan(NamedTuple):
    """The services with bookings, ready for those of one span."""

    span: Span
    services: list[PreparedService]


def base_file(device_id: str, channel: DeviceChannel | str) -> str:
    """The limit without bookings, relative to the build folder; ``{channel}`` may stay open."""
    return f"limits/{device_id}_ch{_digits(channel)}_base.tif"


def booked_file(device_id: str, channel: DeviceChannel | str) -> str:
    """What bookings allow, relative to the build folder; ``{channel}`` may stay open."""
    return f"limits/{device_id}_ch{_digits(channel)}_booked.npz"


def _digits(channel: DeviceChannel | str) -> str:
    return channel if isinstance(channel, str) else two_digits(channel)


def has_slices(config: Config) -> bool:
    """Whether the bookings of a territory change within its period."""
    return config.pmse.at is not None and bool(slices_of(config, bookings_of(config)))


def prepare_spans(context: ServiceContext, device: Device, channel: DeviceChannel) -> list[PreparedSpan]:
    """Services with bookings for each span of those that concern a device in one channel."""
    register = bookings_of(context.config)
    if register is None:
        return []
    return [
        PreparedSpan(span, prepare_services(context.during(span), device, channel, booked_only=True))
        for span in spans_concerning(context.config, device, channel, register)
    ]


def parts_on(spans: Sequence[PreparedSpan], box: PixelBox, lowest_dbm: float) -> Iterator[BookedPart]:
    """What bookings allow in a box of the grid, span by span; below ``lowest_dbm`` is not permitted."""
    for one in spans:
        for service in one.services:
            limit = None if service.limit is None else service.limit(*box)
            part = None if limit is None else _part_of(one.span, limit, box, lowest_dbm)
            if part is not None:
                yield part


def _part_of(span: Span, limit: ServiceLimit, box: PixelBox, lowest_dbm: float) -> BookedPart | None:
    limited = np.isfinite(limit.eirp_dbm)
    rows, cols = (np.flatnonzero((limited | limit.not_evaluated).any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return None
    part = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    eirp_dbm, limited = limit.eirp_dbm[part], limited[part]
    raw = np.full(eirp_dbm.shape, _NO_LIMIT, np.int16)
    raw[limited] = to_centi(eirp_dbm[limited], rounding="floor")
    raw[limited & (eirp_dbm < lowest_dbm)] = NOT_PERMITTED
    raw[limit.not_evaluated[part]] = _UNKNOWN
    return BookedPart(span, box[0].start + int(rows[0]), box[1].start + int(cols[0]), raw)


def with_bookings(
    base: NDArray[np.int16], corner: tuple[int, int], parts: Iterable[BookedPart]
) -> NDArray[np.int16]:
    """Raw limits [y, x] by all else and by bookings, of a block whose first row and column are ``corner``."""
    lowest = np.where(base == NOT_EVALUATED, np.int16(_UNKNOWN), base)
    for part in parts:
        row, col = part.row - corner[0], part.col - corner[1]
        inside = lowest[row : row + part.raw.shape[0], col : col + part.raw.shape[1]]
        np.minimum(inside, part.raw, out=inside)
    lowest[lowest == _UNKNOWN] = NOT_EVALUATED
    return lowest


# --- on the disk --------------------------------------------------------------------------------------------


def write_booked(path: Path, parts: Iterable[BookedPart]) -> None:
    """Write the parts of one device and channel."""
    arrays = {f"{part.span[0]}_{part.span[1]}_{part.row}_{part.col}": part.raw for part in parts}
    with whole_stream(path) as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


class BookedFile:
    """The parts of one device and channel, read as they are asked for, by blocks of ``block_px``."""

    def __init__(self, path: Path, block_px: int) -> None:
        """Open a file of :func:`write_booked`, whose parts lie in one block each."""
        self._file: Mapping[str, Any] = np.load(path)
        self._names: dict[tuple[int, int], list[str]] = {}
        for name in self._file:
            row, col = map(int, name.split("_")[2:])
            self._names.setdefault((row // block_px, col // block_px), []).append(name)

    def parts(self, block: tuple[int, int], when: BookingSlice) -> list[BookedPart]:
        """The parts in a block (row and column among blocks) of bookings that hold in a slice."""
        found = []
        for name in self._names.get(block, ()):
            begin_s, end_s, row, col = map(int, name.split("_"))
            if holds_in((begin_s, end_s), when):
                found.append(BookedPart((begin_s, end_s), row, col, self._file[name]))
        return found
