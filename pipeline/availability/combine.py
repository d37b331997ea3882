"""From the limits of all services to the published maximum e.i.r.p. of one device and channel, and its tags.

docs/method.md, section 23: the minimum over services and caps, rounded down; "not evaluated" wins over
everything, because a number that ignores a service that should have been looked at is not a number.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.availability.booked import (
    BookedPart,
    PreparedSpan,
    base_file,
    booked_file,
    has_slices,
    parts_on,
    prepare_spans,
    write_booked,
)
from pipeline.availability.limit_tags import limit_file, tags_of_devices
from pipeline.blocks import block_slices, map_blocks
from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.kept_tiles import KeptTiles, MapParts
from pipeline.dtt.limits import with_maps_of
from pipeline.grid import raster
from pipeline.grid.boxes import PixelBox, box_of, moved
from pipeline.grid.kept_records import digest_of
from pipeline.grid.layer_files import empty_values, layer_file, layer_layout, raster_of
from pipeline.grid.open_rasters import OpenRasters
from pipeline.grid.side_by_side import each_in_its_thread, put_each
from pipeline.hashing import file_sha256, json_hash
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED, to_centi
from pipeline.radio.allocations import closed_by_allocation, is_partial
from pipeline.radio.emission import device_cap_dbm, least_eirp_dbm
from pipeline.reference.limiting_channels import victim_channels
from pipeline.registers.transmitters import read_register
from pipeline.services.base import ServiceContext, ServiceLimit
from pipeline.services.evaluated import (
    PreparedService,
    limits_on,
    prepare_services,
    settled_flags,
    terrain_hash,
)
from pipeline.services.pmse import pmse_victims
from pipeline.services.pmse.pmse_register import bookings_of
from pipeline.services.table import code_names, service_code
from pipeline.territory.codes import Surface

# Layers of one device and channel, in the order of ``Combined``.
_COMBINED = ("max_eirp", "limiting_service", "eval_flags")
# Nothing lower is told apart: the lowest level that a territory can ask for, and the least of a device.
_LOWEST_DBM = -99.0
COMBINE_BLOCK_PX = 1024


class Combined(NamedTuple):
    """The three layers of one device and channel, (y, x), whatever the least e.i.r.p. of the device."""

    limit_centi_dbm: NDArray[np.int16]
    limiting_service: NDArray[np.uint8]
    eval_flags: NDArray[np.unsignedinteger]


class ChannelLayers(NamedTuple):
    """The layers of one device and channel [y, x], or what belongs to each.

    ``limit`` is ``max_eirp`` before the least e.i.r.p. of the device counts.
    """

    limit: Any
    max_eirp: Any
    limiting_service: Any
    eval_flags: Any


class DeviceBlock(NamedTuple):
    """A block of one device: its layers [y, x]; where bookings change within the period, also ``base``.

    ``base`` is the limit without bookings, ``booked`` what these allow (``availability.booked``).
    """

    layers: ChannelLayers
    base: NDArray[np.int16] | None
    booked: tuple[BookedPart, ...]


def combine(
    limits: Sequence[tuple[int, ServiceLimit | None]],
    targets: NDArray[np.bool_],
    *,
    cap_dbm: float,
    settled_flags: int,
) -> Combined:
    """Minimum over the services and the cap, rounded down to 0.01 dB, with the limiting service.

    ``limits``: per service its bits in ``eval_flags`` and its limit, None = not evaluated at all.
    ``targets`` bool (y, x): pixels of the territory; all others are nodata. ``settled_flags``: bits that hold
    everywhere. Where two services agree the first one is named; the cap is named only where no service is as
    strict.
    """
    lowest_dbm = np.full(targets.shape, np.inf)
    label = np.full(targets.shape, service_code("device_cap"), dtype=np.uint8)
    bit_mask = np.dtype(raster_of("eval_flags").dtype)
    flags = np.full(targets.shape, settled_flags, dtype=bit_mask)
    unknown = np.zeros(targets.shape, dtype=np.bool_)
    for bits, limit in limits:
        open_here = np.True_ if limit is None else limit.not_evaluated
        unknown |= open_here
        flags |= np.where(open_here, 0, bits).astype(bit_mask)
        if limit is not None:
            stricter = limit.eirp_dbm < lowest_dbm
            np.copyto(lowest_dbm, limit.eirp_dbm, where=stricter)
            np.copyto(label, limit.label, where=stricter)
    label[lowest_dbm > cap_dbm] = service_code("device_cap")
    lowest_dbm = np.minimum(lowest_dbm, cap_dbm)
    raw = to_centi(lowest_dbm, rounding="floor")
    raw[lowest_dbm < _LOWEST_DBM] = NOT_PERMITTED
    raw[unknown] = NOT_EVALUATED
    label[unknown] = service_code("not_evaluated")
    raw[~targets] = NODATA_CENTI
    label[~targets] = raster_of("limiting_service").nodata
    flags[~targets] = raster_of("eval_flags").nodata
    return Combined(raw, label, flags)


def max_eirp_centi_dbm(limit_centi_dbm: NDArray[np.int16], least_dbm: float) -> NDArray[np.int16]:
    """Raw maximum e.i.r.p. from the raw limit: not permitted where the device cannot be so weak."""
    least_centi = int(np.ceil(round(100.0 * least_dbm, 6)))
    too_low = (limit_centi_dbm < least_centi) & (limit_centi_dbm > NOT_EVALUATED)
    return np.where(too_low, np.int16(NOT_PERMITTED), limit_centi_dbm)


class _ReadyDevice(NamedTuple):
    """A device with its services in a channel; ``closed`` by an incumbent of the band."""

    device: Device
    services: list[PreparedService]
    cap_dbm: float
    settled_flags: int
    closed: bool
    spans: list[PreparedSpan] | None


class _Block(NamedTuple):
    """What was found for a device in a box; ``base`` None where bookings do not change within the period."""

    combined: Combined
    base: Combined | None
    booked: tuple[BookedPart, ...]


def _block_of(one: _ReadyDevice, inside: NDArray[np.bool_], box: PixelBox) -> _Block:
    """The layers of a device on the pixels ``inside`` a box of the grid."""
    limits = limits_on(one.services, *box)
    whole = combine(limits, inside, cap_dbm=one.cap_dbm, settled_flags=one.settled_flags)
    if one.spans is None:
        return _Block(whole, None, ())
    always = [limit for limit, found in zip(limits, one.services, strict=True) if not found.service.booked]
    base = combine(always, inside, cap_dbm=one.cap_dbm, settled_flags=one.settled_flags)
    return _Block(whole, base, tuple(parts_on(one.spans, box, _LOWEST_DBM)))


def run(
    context: ServiceContext,
    devices: Sequence[Device],
    channel: DeviceChannel,
    surface: NDArray[np.uint8],
    *,
    threads: int = 1,
    unchanged: Container[tuple[int, int]] = (),
) -> Iterator[tuple[slice, slice, dict[str, DeviceBlock]]]:
    """Layers in one channel by id of the device, block after block of the padded grid.

    ``context`` with the DTT channels that limit this one; ``surface`` uint8[y, x] of the grid. Devices that
    share the maps of the job protect have these read once. Blocks that begin at ``unchanged``
    rows and columns have no layers.
    """
    config, sliced = context.config, has_slices(context.config)
    ready = [
        _ReadyDevice(
            device,
            prepare_services(context, device, channel),
            device_cap_dbm(device),
            settled_flags(config, device),
            closed_by_allocation(config, device, channel),
            prepare_spans(context, device, channel) if sliced else None,
        )
        for device in devices
    ]

    def compute(rows: slice, cols: slice, surface: NDArray[np.uint8]) -> tuple[PixelBox, list[_Block]] | None:
        inside = surface == Surface.HOME
        box = None if (rows.start, cols.start) in unchanged else box_of(inside)
        if box is None:
            return None
        on_grid = moved(box, rows.start, cols.start)
        return box, [_block_of(one, inside[box], on_grid) for one in ready]

    name = f"combine {', '.join(device.id for device in devices)} channel {channel}"
    for rows, cols, found in map_blocks(
        compute, surface.shape, COMBINE_BLOCK_PX, threads, cut=(surface,), name=name
    ):
        shape = rows.stop - rows.start, cols.stop - cols.start
        skipped = (rows.start, cols.start) in unchanged
        yield rows, cols, {} if skipped else _blocks_of_devices(config, ready, shape, found)


def _blocks_of_devices(
    config: Config,
    ready: Sequence[_ReadyDevice],
    shape: tuple[int, int],
    found: tuple[PixelBox, list[_Block]] | None,
) -> dict[str, DeviceBlock]:
    """A block [y, x] by id of the device; ``found`` in the box around its land, if any."""
    blocks = {}
    for number, one in enumerate(ready):
        box, block = (None, None) if found is None else (found[0], found[1][number])
        blocks[one.device.id] = _whole_block(config, one, shape, box, block)
    return blocks


def _whole_block(
    config: Config, one: _ReadyDevice, shape: tuple[int, int], box: PixelBox | None, block: _Block | None
) -> DeviceBlock:
    """A whole block of the grid from what was found in its box; without one all is outside."""
    combined = _placed(None if block is None else block.combined, shape, box)
    layers = _layers_of(config, one.device, combined, closed=one.closed)
    if one.spans is None:
        return DeviceBlock(layers, None, ())
    base = _placed(None if block is None else block.base, shape, box)
    shown = _shown(config, base, closed=one.closed)
    return DeviceBlock(layers, shown.limit_centi_dbm, () if block is None else block.booked)


def _placed(found: Combined | None, shape: tuple[int, int], box: PixelBox | None) -> Combined:
    """Layers of a block in which those of a box stand."""
    values = [empty_values(layer, shape) for layer in _COMBINED]
    if found is not None and box is not None:
        for layer, part in zip(values, found, strict=True):
            layer[box] = part
    return Combined(*values)


def _layers_of(config: Config, device: Device, combined: Combined, *, closed: bool) -> ChannelLayers:
    """What is published, and the limit that levels are made from; ``closed`` by an incumbent of the band."""
    shut = without_numbers(combined) if closed else combined
    shown = _shown(config, combined, closed=closed)
    raw = max_eirp_centi_dbm(shown.limit_centi_dbm, least_eirp_dbm(device))
    return ChannelLayers(shut.limit_centi_dbm, raw, shown.limiting_service, shown.eval_flags)


def _shown(config: Config, combined: Combined, *, closed: bool) -> Combined:
    """What is published of a channel; ``closed`` by an incumbent of the band, unless a part is asked for."""
    return without_numbers(combined) if closed and not config.channels.publish_partial else combined


def without_numbers(combined: Combined) -> Combined:
    """Not evaluated in all pixels of the territory: an incumbent of the band is not; flags stay."""
    inside = combined.limit_centi_dbm != NODATA_CENTI
    return combined._replace(
        limit_centi_dbm=np.where(inside, np.int16(NOT_EVALUATED), combined.limit_centi_dbm),
        limiting_service=np.where(inside, np.uint8(service_code("not_evaluated")), combined.limiting_service),
    )


def write_layers(
    context: ServiceContext,
    devices: Sequence[Device],
    channel: DeviceChannel,
    surface: NDArray[np.uint8],
    tags: Mapping[str, Mapping[str, str]],
    *,
    threads: int,
    key: str = "",
) -> None:
    """Write the files of one channel, block by block; ``tags`` by id of the device.

    ``key`` of the job: code, settings, rows of the registers. Blocks that follow from the same as those of
    the last run are copied from its files; without a key, and where bookings change, all are computed.
    """
    booked: dict[str, list[BookedPart]] = {}
    key = "" if has_slices(context.config) else key
    with ExitStack() as stack:
        kept = (
            _kept_layers(context, devices, channel, key, stack.enter_context(OpenRasters())) if key else None
        )
        unchanged: Container[tuple[int, int]] = (
            () if kept is None else _unchanged_blocks(context, devices, surface, kept)
        )
        files = [file for one in devices for file in _files_of(context, one, channel, tags[one.id])]
        puts = stack.enter_context(each_in_its_thread(files, threads))
        for rows, cols, layers in run(
            context, devices, channel, surface, threads=threads, unchanged=unchanged
        ):
            if kept is not None and (rows.start, cols.start) in unchanged:
                found = kept.values(PixelBox(rows, cols))
            else:
                found = list(chain.from_iterable(_written(layers[device.id]) for device in devices))
            put_each(puts, rows, cols, found)
            for device_id, block in layers.items():
                if block.base is not None:
                    booked.setdefault(device_id, []).extend(block.booked)
    for device_id, bookings in booked.items():
        write_booked(context.build / booked_file(device_id, channel), bookings)
    if kept is not None:
        kept.keep()


def _written(block: DeviceBlock) -> list[NDArray[Any]]:
    """What is written of a block, in the order of the files."""
    return [*block.layers, *([] if block.base is None else [block.base])]


def _kept_layers(
    context: ServiceContext, devices: Sequence[Device], channel: DeviceChannel, key: str, opened: OpenRasters
) -> KeptTiles:
    """The layers of the last run, for what they are made from besides the maps of the job protect."""
    territory = sorted(path for path in (context.build / "territory").iterdir() if path.is_file())
    paths = [
        context.build / path for device in devices for path in _paths_of(context.config, device, channel)
    ]
    sums = [(path.name, file_sha256(path)) for path in territory]
    return KeptTiles(paths, digest_of(key, str(channel), context.victims, sums), opened)


def _unchanged_blocks(
    context: ServiceContext, devices: Sequence[Device], surface: NDArray[np.uint8], kept: KeptTiles
) -> set[tuple[int, int]]:
    """Rows and columns of blocks with land, for which the maps of victims follow from the same as before."""
    owner = with_maps_of(context.config, devices[0])
    parts = [MapParts(ChannelFiles(context.build, victim).protection(owner)) for victim in context.victims]
    boxes = (PixelBox(*block) for block in block_slices(surface.shape, COMBINE_BLOCK_PX))
    return {
        (box.rows.start, box.cols.start)
        for box in boxes
        if (surface[box] == Surface.HOME).any() and kept.unchanged(box, [one.facts(box) for one in parts])
    }


def _files_of(
    context: ServiceContext, device: Device, channel: DeviceChannel, tags: Mapping[str, str]
) -> Iterator[AbstractContextManager[Callable[[slice, slice, NDArray[Any]], None]]]:
    """The files of one device and channel, to be written: ``ChannelLayers``, then the base."""
    config, grid = context.config, context.grid
    codes = {"limiting_service": code_names(grouped=config.publish.limiting_service == "grouped")}
    fields = {"device": device.id, "bandwidth_mhz": device.bandwidth_mhz, "channel": channel}
    for name, path in _paths_of(config, device, channel)._asdict().items():
        family = "max_eirp" if name == "limit" else name
        layout = layer_layout(family, grid, fields=fields, tags=tags, codes=codes.get(name))
        yield raster.writing(context.build / path, layout, publish=name != "limit")
    if has_slices(config):
        layout = layer_layout("max_eirp", grid, fields=fields, tags=tags)
        yield raster.writing(context.build / base_file(device.id, channel), layout, publish=False)


def _paths_of(config: Config, device: Device, channel: DeviceChannel) -> ChannelLayers:
    """Files of one device and channel, relative to the build folder."""
    families = "max_eirp", config.publish.limiting_family, "eval_flags"
    partial = is_partial(config)
    layers = [layer_file(family, partial=partial, device=device.id, channel=channel) for family in families]
    return ChannelLayers(limit_file(device.id, channel), *layers)


def devices_on(config: Config, channel: DeviceChannel) -> list[Device]:
    """The devices that use as many channels as one as a channel or bond has."""
    return [device for device in config.devices if device.bond == len(channels_in(channel))]


def victims_of(config: Config, channel: DeviceChannel) -> tuple[int, ...]:
    """DTT channels in the register that limit devices in one channel.

    Reading the register anew (0.02 s for a hundred stations, 0.2 s for 2,000) keeps a job free of what others
    may have left in the build folder.
    """
    register, _ = read_register(config)
    occupied = register["channel"].values.tolist()
    return tuple(victim_channels(config, occupied, [channel]))


# --- tags ---------------------------------------------------------------------------------------------------


def tags_of_channel(
    config: Config,
    build: Path,
    device: Device,
    channel: DeviceChannel,
    victims: tuple[int, ...],
    *,
    basis: str,
) -> dict[str, str]:
    """What one layer depends on: its own maps and terrain by content, PMSE assignments, ``basis``; no clock.

    ``basis``: hash of the code and the settings of the job that makes it.
    """
    maps = [
        file_sha256(path) for victim in victims for path in ChannelFiles(build, victim).protection(device)
    ]
    bookings = pmse_victims.bookings_hash(config, bookings_of(config), channel)
    return tags_of_devices(config) | {
        "channel": str(channel),
        "device": device.id,
        "hash": json_hash([maps, bookings, terrain_hash(config), basis]),
    }
