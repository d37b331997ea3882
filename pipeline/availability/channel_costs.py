"""What each cautious choice costs in channels, and by which rule each channel is lost, on a sample of pixels.

Nothing is searched again: a choice is other settings for the same combination of the same stored maps. Shares
are weighted by true area; docs/method.md, section 33.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.availability.choices import Choice, choices_of, device_of, maps_hold
from pipeline.availability.classes import Availability, availability_class, published_levels_dbm
from pipeline.availability.combine import Combined, combine, max_eirp_centi_dbm, without_numbers
from pipeline.availability.cost_tables import AVAILABLE, TOO_WEAK, Cost, Costs, Lost
from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.victims import VictimLabel
from pipeline.grid import raster
from pipeline.grid.grid import strips_of_rows
from pipeline.quantise import NOT_EVALUATED, NOT_PERMITTED
from pipeline.radio.allocations import closed_by_allocation
from pipeline.radio.channel_plan import Offset, channel_width_mhz
from pipeline.radio.emission import device_cap_dbm, least_eirp_dbm
from pipeline.reference.limiting_channels import victim_channels, victims_by_channel
from pipeline.services.adjustments import changes_of, extent, with_changes
from pipeline.services.base import BlockLimit, ServiceContext, ServiceLimit, unlimited
from pipeline.services.dtt import MapRules, StoredMap, label_codes, lower_by_map, map_rules
from pipeline.services.evaluated import PreparedService, prepare_services, settled_flags
from pipeline.services.table import code_names, service_code
from pipeline.territory.codes import Surface

SAMPLE_PX = 40_000
"""A sample has at most so many pixels."""
_DTT = "dtt"
# Television by how many channels away it is, as code of what limits and as word: codes that no service has.
_FIRST_CODE = 240
_DISTANCES = ((0, "dtt_same"), (1, "dtt_adjacent"), (3, "dtt_2_3"), (9, "dtt_4_9"), (math.inf, "dtt_beyond"))


class Sample(NamedTuple):
    """Every ``step``-th pixel of the territory, row by row, at least one: places, true areas in km2."""

    row: NDArray[np.intp]
    col: NDArray[np.intp]
    area_km2: NDArray[np.float64]
    step: int

    def blocks(self) -> Iterator[tuple[slice, slice, tuple[NDArray[np.intp], NDArray[np.intp]]]]:
        """Rows and columns of parts of the grid that hold all pixels, and where in them these are."""
        cols = slice(int(self.col.min()), int(self.col.max()) + 1)
        for rows in strips_of_rows(int(self.row[0]), int(self.row[-1]) + 1):
            first, last = np.searchsorted(self.row, (rows.start, rows.stop))
            if first < last:
                yield rows, cols, (self.row[first:last] - rows.start, self.col[first:last] - cols.start)

    def of(self, values: Callable[[slice, slice], NDArray[Any]]) -> NDArray[Any]:
        """Values [..., pixel] of a function that gives them [..., y, x] for rows and columns of the grid."""
        return np.concatenate([values(rows, cols)[(..., *at)] for rows, cols, at in self.blocks()], axis=-1)

    def limit(self, limit: BlockLimit) -> ServiceLimit:
        """A service's limit, its arrays [pixel]."""
        parts = [[part[at] for part in limit(rows, cols)] for rows, cols, at in self.blocks()]
        return ServiceLimit(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def sample_of(surface: xr.DataArray, largest: int = SAMPLE_PX) -> Sample:
    """A regular sample of the territory's pixels; all of them where they are not more than ``largest``."""
    grid, own = surface.attrs["grid"], surface.values
    pixels = sum(int(np.count_nonzero(line == Surface.HOME)) for line in own)
    step = max(1, -(-pixels // largest))
    step += step > 1 and step % 2 == 0  # odd: rows of even length would leave columns out
    parts, before = [], 0
    for rows in strips_of_rows(0, grid.height):
        row, col = np.nonzero(own[rows] == Surface.HOME)
        its = slice(-before % step, None, step)
        parts.append((row[its] + rows.start, col[its], grid.area_km2(rows)[row[its], col[its]]))
        before += row.size
    row, col, area_km2 = map(np.concatenate, zip(*parts, strict=True))
    return Sample(row, col, area_km2.astype(np.float64), step)


class _Stored(NamedTuple):
    """What a device is looked at with: the pixels, the maps of the DTT channels, their context."""

    sample: Sample
    maps: Mapping[int, list[StoredMap]]
    context: ServiceContext
    device: Device


def channel_costs(
    config: Config, build: Path, devices: Sequence[Device], victims: Sequence[int], occupied: Sequence[int]
) -> Costs:
    """Costs of the choices of some devices, and the shares by rule.

    ``victims`` DTT channels with maps in ``build``, ``occupied`` those with transmitters.
    """
    surface = raster.read(build / "territory" / "surface.tif")
    sample = sample_of(surface)
    context = ServiceContext(config, build, surface.attrs["grid"], tuple(victims))
    found = Costs([], [], sample.step)
    if sample.row.size == 0:
        return found
    for device in devices:
        maps = {victim: _sampled_maps(ChannelFiles(build, victim), device, sample) for victim in victims}
        costs, lost = _of_device(_Stored(sample, maps, context, device), occupied)
        found.costs.extend(costs)
        found.lost.extend(lost)
    return found


def _sampled_maps(files: ChannelFiles, device: Device, sample: Sample) -> list[StoredMap]:
    """The maps of a channel that limit anywhere on the sample."""
    permissible, label = files.protection(device)
    names = raster.read_layout(permissible).band_names
    levels_dbm, labels = (sample.of(partial(_window, path)) for path in (permissible, label))
    found = [StoredMap(*parts) for parts in zip(names, levels_dbm, labels, strict=True)]
    return [each for each in found if (each.label != VictimLabel.NONE).any()]


def _window(path: Path, rows: slice, cols: slice) -> NDArray[Any]:
    return np.asarray(raster.read(path, rows=rows, cols=cols, stacked=True).values)


# --- one device ---------------------------------------------------------------------------------------------


class _Tally:
    """Sums over channels of a device's pixels, weighted by area."""

    def __init__(self, config: Config, device: Device, area_km2: NDArray[np.float64]) -> None:
        self.levels_dbm: list[float | None] = [None, *published_levels_dbm(config, device)]
        self.least_dbm = least_eirp_dbm(device)
        self.weight = area_km2 / area_km2.sum()
        self.means = dict.fromkeys(self.levels_dbm, 0.0)

    def add(self, limit_centi_dbm: NDArray[np.int16]) -> None:
        """Count one more channel: a permission at all, and by level."""
        for level_dbm in self.levels_dbm:
            if level_dbm is None:
                raw = max_eirp_centi_dbm(limit_centi_dbm, self.least_dbm)
                available = (raw != NOT_PERMITTED) & (raw != NOT_EVALUATED)
            else:
                available = availability_class(limit_centi_dbm, level_dbm) == Availability.AVAILABLE
            self.means[level_dbm] += float(self.weight[available].sum())


def _of_device(stored: _Stored, occupied: Sequence[int]) -> tuple[list[Cost], list[Lost]]:
    """Lines of the choices and shares by rule of one device."""
    config, device = stored.context.config, stored.device
    choices = choices_of(config, device)
    told = [choice for choice in choices if _is_told(stored, choice)]
    sets = [_Other(stored, config, device), *(_other_of(stored, choice) for choice in told)]
    lost: dict[tuple[float, str], float] = {}
    channels = config.channels_of(device)
    for channel in channels:
        services = _services_on(stored, stored.context, device, channel)
        for place, other in enumerate(sets):
            combined = other.combined(channel, services)
            other.tally.add(combined.limit_centi_dbm)
            if place == 0:
                _add_lost(lost, combined, other.tally, len(channels))
    means = {id(choice): other.tally.means for choice, other in zip(told, sets[1:], strict=True)}
    costs = [Cost(device.id, None, sets[0].tally.means)]
    costs += [
        Cost(device.id, choice, means.get(id(choice), {}), _without(stored, choice, occupied))
        for choice in choices
    ]
    return costs, [Lost(device.id, level, rule, share) for (level, rule), share in lost.items()]


def _is_told(stored: _Stored, choice: Choice) -> bool:
    """Whether the stored maps tell a choice; ratios depend on the width of the victim's channel."""
    config = stored.context.config
    if choice.own_run:
        return False
    if config.protection.method != "degradation":
        return True
    names: dict[float, set[str]] = {}
    for victim, maps in stored.maps.items():
        names.setdefault(channel_width_mhz(config.channels, victim), set()).update(each.name for each in maps)
    return all(maps_hold(config, choice, stored.device, own, width) for width, own in names.items())


def _without(stored: _Stored, choice: Choice, occupied: Sequence[int]) -> tuple[int, ...]:
    """DTT channels that would limit the device under a choice and have no maps."""
    config, device = choice.config, device_of(choice.config, stored.device)
    alone = config.model_copy(update={"devices": [device]})
    whole = victim_channels(alone, occupied, config.channels_of(device)) if config.has_television else []
    return tuple(sorted(set(whole) - set(stored.maps)))


class _Sampled(NamedTuple):
    """A service's bits and its limit on the sample; None: not evaluated anywhere, or DTT."""

    name: str
    flags: int
    limit: ServiceLimit | None


class _Other:
    """The combination under some settings, those of the run or of a choice."""

    def __init__(self, stored: _Stored, config: Config, device: Device, *, anew: bool = False) -> None:
        self.stored, self.config, self.device, self.anew = stored, config, device, anew
        # One for all channels: services keep in it what they made.
        own = config is stored.context.config
        self.context = stored.context if own else replace(stored.context, config=config)
        self.tally = _Tally(config, device, stored.sample.area_km2)
        self.rules = map_rules(config, device)
        self.flags = settled_flags(config, device)
        self.victims = victims_by_channel(config, device, stored.maps)

    def combined(self, channel: DeviceChannel, services: Sequence[_Sampled]) -> Combined:
        """Limit and what limits on the sample; ``services`` as they are sampled under the run's settings."""
        if self.anew:
            services = _services_on(self.stored, self.context, self.device, channel, services)
        dtt = _reception(self.stored, self.rules, channel, self.victims[channel])
        limits = [(own.flags, dtt if own.name == _DTT else own.limit) for own in services]
        targets = np.ones(self.stored.sample.row.shape, np.bool_)
        cap_dbm = device_cap_dbm(self.device)
        found = combine(limits, targets, cap_dbm=cap_dbm, settled_flags=self.flags)
        closed = closed_by_allocation(self.config, self.device, channel)
        return without_numbers(found) if closed else found


def _other_of(stored: _Stored, choice: Choice) -> _Other:
    device = device_of(choice.config, stored.device)
    shifted = device.model_copy(update={"margin_db": device.margin_db - choice.more_db})
    return _Other(stored, choice.config, shifted, anew=choice.stations)


def _services_on(
    stored: _Stored,
    context: ServiceContext,
    device: Device,
    channel: DeviceChannel,
    known: Sequence[_Sampled] = (),
) -> list[_Sampled]:
    """All services under the settings of a context, DTT without a limit: its maps are sampled once for all.

    ``known``: under the run's settings, from which only services with stations may differ.
    """
    found = {}
    for service, limit in prepare_services(context, device, channel, with_stations_only=bool(known)):
        sampled = None if service.name == _DTT or limit is None else stored.sample.limit(limit)
        found[service.name] = _Sampled(service.name, PreparedService(service, limit).flags, sampled)
    return [found.get(own.name, own) for own in known] if known else list(found.values())


def _reception(
    stored: _Stored, rules: MapRules, channel: DeviceChannel, victims: Sequence[tuple[int, Offset]]
) -> ServiceLimit:
    """Limit by DTT on the sample; home receivers are labelled by how many channels away they are."""
    sample, grid = stored.sample, stored.context.grid
    lowest = ServiceLimit(*(part[0] for part in unlimited(slice(0, 1), slice(0, sample.row.size))))
    for victim, offset in victims:
        for each in stored.maps[victim]:
            lower_by_map(lowest, rules, victim, each, offset, _codes_at(offset))
    placed = [
        (sample.of(partial(extent, change, grid)), change.change_db)
        for change in changes_of(stored.context, channel)
    ]
    return with_changes(lowest, placed, device_cap_dbm(rules.device)) if placed else lowest


def _codes_at(offset: Offset) -> NDArray[np.uint8]:
    """Codes by label of a map, home reception by its distance in channels."""
    codes = label_codes()
    place = next(i for i, (last, _) in enumerate(_DISTANCES) if abs(offset.number) <= last)
    codes[VictimLabel.HOME] = _FIRST_CODE + place
    return codes


def _add_lost(lost: dict[tuple[float, str], float], combined: Combined, tally: _Tally, channels: int) -> None:
    """Add the pixels of one channel to the shares by level and rule."""
    names = _rule_names()
    raw = max_eirp_centi_dbm(combined.limit_centi_dbm, tally.least_dbm)
    for level_dbm in tally.levels_dbm:
        if level_dbm is None:
            continue
        available = availability_class(combined.limit_centi_dbm, level_dbm) == Availability.AVAILABLE
        rules = {AVAILABLE: available & (raw != NOT_PERMITTED), TOO_WEAK: available & (raw == NOT_PERMITTED)}
        rules |= {
            names[code]: ~available & (combined.limiting_service == code)
            for code in np.unique(combined.limiting_service).tolist()
        }
        for rule, chosen in rules.items():
            share = float(tally.weight[chosen].sum()) / channels
            lost[level_dbm, rule] = lost.get((level_dbm, rule), 0.0) + share


def _rule_names() -> dict[int, str]:
    own = {_FIRST_CODE + place: name for place, (_, name) in enumerate(_DISTANCES)}
    return code_names() | {service_code("protected_station"): "protected_station"} | own
