"""``channelmaps compare``: what changed between two runs, as maps, as a table and as a list of inputs.

``difference_<device>_chNN.tif`` holds the difference in 0.01 dB where both runs give a number;
``change_<device>_chNN.tif`` the class of the change (``PixelChange``), also where one of them gives none.
``channels.csv`` tells area and people that gain or lose a channel at a level, ``inputs.csv`` what went in.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.availability.classes import Availability, availability_class, level_name, published_levels_dbm
from pipeline.config.bonds import DeviceChannel, channel_named, plain_channel
from pipeline.errors import InputError
from pipeline.files import (
    GEOTIFF_FILE,
    PNG_FILE,
    OutputKind,
    check_output_folder,
    csv_text,
    kind_of_table,
    write_output,
)
from pipeline.grid import raster
from pipeline.grid.grid import Box, Grid
from pipeline.grid.layer_files import channel_bands, layer_file, two_digits
from pipeline.publish.manifest_changes import ChangedInput, changed_inputs
from pipeline.publish.qgis.qml import legend_of, style_text
from pipeline.publish.styles import read_schemes
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.query.results import Run, config_of, population_of, published_file, read_onto, read_run
from pipeline.radio.allocations import is_partial
from pipeline.studies.pictures import draw_changes
from pipeline.studies.tool_projects import QGS_FILE, STYLE_FILE, maps_project

_CHANNEL_COLUMNS = (
    "device",
    "level_dbm",
    "channel",
    "gained_km2",
    "lost_km2",
    "gained_persons",
    "lost_persons",
)
_INPUT_COLUMNS = ("kind", "key", "run_a", "run_b")
_MAPS = ("difference", "change")
_TITLES = {"change": "kind of change", "difference": "change of max e.i.r.p."}
_PROJECT = "compare.qgs"
# Changed inputs that are told on the screen.
_TOLD = 8


class PixelChange(IntEnum):
    """What happened to a pixel from run A to run B; where several hold the last one counts."""

    UNCHANGED = 0
    RAISED = 1
    LOWERED = 2
    NOW_PERMITTED = 3
    NO_LONGER_PERMITTED = 4
    NOW_EVALUATED = 5
    NO_LONGER_EVALUATED = 6
    NOW_INSIDE = 7
    NO_LONGER_INSIDE = 8
    OUTSIDE = 255


_CHANGE_NAMES = {int(code): code.name.lower().replace("_", " ") for code in PixelChange}


class ComparedRuns(NamedTuple):
    """Two runs, the devices (ids) they share with their channels, the levels of either, the grid for both."""

    first: Run
    second: Run
    channels: dict[str, list[DeviceChannel]]
    levels_dbm: tuple[float, ...]
    grid: Grid


class Balance(NamedTuple):
    """Area and persons with a channel in B and not in A, and the other way round; persons NaN if unknown."""

    gained_km2: float
    lost_km2: float
    gained_persons: float
    lost_persons: float


def compare_command(first: Path, second: Path, out: Path) -> None:
    """Write all files of the comparison to ``out`` and print what changed in a few lines."""
    pair = _pair_of(read_run(first), read_run(second))
    check_output_folder("--out", out, _products(pair), [first, second])
    _check_layers(pair)
    area_km2 = pair.grid.area_km2()
    persons = population_of(pair.second, pair.grid)
    if persons is None:
        print("channelmaps: no population of this run at hand; persons are left empty", file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    table: list[dict[str, object]] = []
    home = np.zeros(area_km2.shape, dtype=np.bool_)
    for device, channels in pair.channels.items():
        net = np.zeros((len(pair.levels_dbm), *area_km2.shape), dtype=np.int16)
        inside = np.zeros(area_km2.shape, dtype=np.bool_)
        for channel in channels:
            a, b = _read_both(pair, device, channel)
            _write_maps(out, pair, device, channel, a, b)
            inside |= (a != NODATA_CENTI) | (b != NODATA_CENTI)
            for i, level_dbm in enumerate(pair.levels_dbm):
                before, after = _available_in_both(pair, device, channel, level_dbm, (a, b))
                net[i] += after.astype(np.int16) - before
                found = _balance(before, after, area_km2, persons)
                table.append(_row_of(device, level_dbm, channel, found))
        home |= inside
        _draw_device(out, pair, device, table, np.where(inside, net, np.nan))
    inputs = changed_inputs(pair.first.manifest, pair.second.manifest)
    write_output(out / _PROJECT, _project(pair, home))
    write_output(out / "channels.csv", csv_text(_CHANNEL_COLUMNS, table))
    write_output(out / "inputs.csv", csv_text(_INPUT_COLUMNS, [change._asdict() for change in inputs]))
    print("\n".join(summary(pair, table, inputs, out)))


def _check_layers(pair: ComparedRuns) -> None:
    """InputError for the first damaged layer, before anything is written."""
    for device, channels in pair.channels.items():
        for channel in channels:
            for run in (pair.first, pair.second):
                _layer(run, device, channel)


def _products(pair: ComparedRuns) -> dict[str, OutputKind]:
    """The files of a comparison, by name in their folder."""
    tables = {"channels.csv": kind_of_table(*_CHANNEL_COLUMNS), "inputs.csv": kind_of_table(*_INPUT_COLUMNS)}
    pictures = {_picture_file(device): PNG_FILE for device in pair.channels}
    maps = {
        _map_file(name, device, channel): GEOTIFF_FILE
        for name in _MAPS
        for device, channels in pair.channels.items()
        for channel in channels
    }
    styles = {f"{Path(name).stem}.qml": STYLE_FILE for name in maps}
    return tables | pictures | maps | styles | {_PROJECT: QGS_FILE}


def _project(pair: ComparedRuns, inside: NDArray[np.bool_]) -> str:
    """A project of QGIS over the pixels ``inside``: a layer for each device, kind of map and channel."""
    groups = {
        f"{said}, {device}": [
            (name, f"{said} ch {channel} {device}", _map_file(name, device, channel)) for channel in channels
        ]
        for device, channels in pair.channels.items()
        for name, said in _TITLES.items()
    }
    manifest = pair.second.manifest
    notice = f"From {_named(pair.first)} to {_named(pair.second)}. {manifest.get('notice', '')}".strip()
    title = f"Changes to {manifest.get('title') or manifest['territory']}"
    return maps_project(title, notice, pair.grid.crs, _box_of(pair.grid, inside), groups)


def _box_of(grid: Grid, inside: NDArray[np.bool_]) -> Box:
    """West, south, east and north in m of the pixels ``inside``, with a margin of a twentieth."""
    rows, cols = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return grid.bounds_m
    step_m, west_m, north_m = grid.resolution_m, grid.west_m, grid.north_m
    margin_m = step_m * max(rows[-1] - rows[0], cols[-1] - cols[0], 20) / 20.0
    return (
        float(west_m + step_m * cols[0] - margin_m),
        float(north_m - step_m * (rows[-1] + 1) - margin_m),
        float(west_m + step_m * (cols[-1] + 1) + margin_m),
        float(north_m - step_m * rows[0] + margin_m),
    )


def _map_file(name: str, device: str, channel: DeviceChannel) -> str:
    return f"{name}_{device}_ch{two_digits(channel)}.tif"


def _picture_file(device: str) -> str:
    return f"compare_{device}.png"


def _pair_of(first: Run, second: Run) -> ComparedRuns:
    """What two runs have in common; InputError where there is nothing to compare."""
    settings = config_of(first), config_of(second)
    known = [{device.id: config.channels_of(device) for device in config.devices} for config in settings]
    shared = {
        name: [channel for channel in channels if channel in known[1].get(name, ())]
        for name, channels in known[0].items()
    }
    channels = {name: found for name, found in shared.items() if found}
    if not channels:
        raise InputError("runs share no device or no channel", file=second.folder, allowed=str(first.folder))
    device, (one, *_) = next(iter(channels.items()))
    layers = [_layer(run, device, one) for run in (first, second)]
    grid = common_grid(*map(raster.read_grid, layers), file=layers[1])
    levels_dbm = sorted({level for config in settings for level in config.levels_dbm})
    return ComparedRuns(first, second, channels, tuple(levels_dbm), grid)


def _layer(run: Run, device: str, channel: DeviceChannel) -> Path:
    return published_file(
        run, layer_file("max_eirp", device=device, channel=channel, partial=is_partial(config_of(run)))
    )


def common_grid(first: Grid, second: Grid, *, file: Path) -> Grid:
    """The smallest grid that holds two; grids of one CRS and resolution share their pixels."""
    if (first.crs, first.resolution_m) != (second.crs, second.resolution_m):
        raise InputError(
            "runs lie on different pixels",
            file=file,
            value=f"{second.crs}, {second.resolution_m:g} m",
            allowed=f"{first.crs}, {first.resolution_m:g} m",
        )
    bounds_m = np.array([first.bounds_m, second.bounds_m])
    west_m, south_m = bounds_m[:, :2].min(axis=0)
    east_m, north_m = bounds_m[:, 2:].max(axis=0)
    step_m = first.resolution_m
    return Grid(
        first.crs,
        step_m,
        float(west_m),
        float(north_m),
        round((east_m - west_m) / step_m),
        round((north_m - south_m) / step_m),
    )


def _read_both(
    pair: ComparedRuns, device: str, channel: DeviceChannel
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Published integers of both runs on the common grid."""
    first, second = (read_onto(_layer(run, device, channel), pair.grid, NODATA_CENTI) for run in pair[:2])
    return first, second


def is_number(raw: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Where a published integer is a level and not a code."""
    return (raw != NODATA_CENTI) & (raw != NOT_PERMITTED) & (raw != NOT_EVALUATED)


def difference_centi(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.int16]:
    """B - A in 0.01 dB where both are levels, else nodata."""
    difference = b.astype(np.int32) - a.astype(np.int32)
    return np.where(is_number(a) & is_number(b), difference, NODATA_CENTI).astype(np.int16)


def change_class(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Code of ``PixelChange`` for every pixel."""
    both = is_number(a) & is_number(b)
    changes = np.full(a.shape, PixelChange.UNCHANGED, dtype=np.uint8)
    changes[both & (b > a)] = PixelChange.RAISED
    changes[both & (b < a)] = PixelChange.LOWERED
    changes[(a == NOT_PERMITTED) & is_number(b)] = PixelChange.NOW_PERMITTED
    changes[is_number(a) & (b == NOT_PERMITTED)] = PixelChange.NO_LONGER_PERMITTED
    for code, now, gone in (
        (NOT_EVALUATED, PixelChange.NO_LONGER_EVALUATED, PixelChange.NOW_EVALUATED),
        (NODATA_CENTI, PixelChange.NO_LONGER_INSIDE, PixelChange.NOW_INSIDE),
    ):
        changes[(a != code) & (b == code)] = now
        changes[(a == code) & (b != code)] = gone
    changes[(a == NODATA_CENTI) & (b == NODATA_CENTI)] = PixelChange.OUTSIDE
    return changes


def _write_maps(
    out: Path,
    pair: ComparedRuns,
    device: str,
    channel: DeviceChannel,
    a: NDArray[np.int16],
    b: NDArray[np.int16],
) -> None:
    """The two maps of one device and channel."""
    where = f"{device}, channel {channel}"
    tags = {"run_a": pair.first.folder.name, "run_b": pair.second.folder.name, "device": device}
    difference = raster.make_array(
        difference_centi(a, b),
        pair.grid,
        units="dB",
        nodata=NODATA_CENTI,
        scale_factor=0.01,
        long_name=f"change of maximum e.i.r.p., {where}",
    )
    changes = raster.make_array(
        change_class(a, b),
        pair.grid,
        units="",
        nodata=int(PixelChange.OUTSIDE),
        categories=_CHANGE_NAMES,
        long_name=f"kind of change, {where}",
    )
    schemes = read_schemes()
    for name, layer in zip(_MAPS, (difference, changes), strict=True):
        file = out / _map_file(name, device, channel)
        raster.write(file, layer, tags=tags, publish=True)
        style = style_text(legend_of(schemes[name], unit=schemes[name].unit, whole=True))
        write_output(file.with_suffix(".qml"), style)


def _available_in_both(
    pair: ComparedRuns,
    device: str,
    channel: DeviceChannel,
    level_dbm: float,
    both: tuple[NDArray[np.int16], NDArray[np.int16]],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a channel is available at a level, by the layers of levels of each run.

    A level that a run did not publish is looked for in its maximum e.i.r.p. ``both``.
    """
    first, second = (
        _available_in(run, pair.grid, device, channel, level_dbm, raw)
        for run, raw in zip(pair[:2], both, strict=True)
    )
    return first, second


def _available_in(
    run: Run, grid: Grid, device: str, channel: DeviceChannel, level_dbm: float, raw: NDArray[np.int16]
) -> NDArray[np.bool_]:
    config = config_of(run)
    (own,) = (each for each in config.devices if each.id == device)
    if level_dbm not in published_levels_dbm(config, own):
        return available(raw, level_dbm)
    place = {"device": device, "level": level_name(level_dbm)}
    path = published_file(run, layer_file("availability", partial=is_partial(config), **place))
    (band,) = channel_bands("availability", [channel])
    return np.asarray(read_onto(path, grid, Availability.OUTSIDE, band) == Availability.AVAILABLE)


def available(raw: NDArray[np.int16], level_dbm: float) -> NDArray[np.bool_]:
    """Where a channel is available at a level; what is not evaluated is not."""
    found: NDArray[np.bool_] = availability_class(raw, level_dbm) == Availability.AVAILABLE
    return found


def _balance(
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    area_km2: NDArray[np.float32],
    persons: NDArray[np.float32] | None,
) -> Balance:
    """Area and people that gain and lose a channel; arrays [y, x]."""
    gained, lost = after & ~before, before & ~after
    people = [
        np.nan if persons is None else float(np.nansum(persons[where], dtype=np.float64))
        for where in (gained, lost)
    ]
    areas = [float(area_km2[where].sum(dtype=np.float64)) for where in (gained, lost)]
    return Balance(*areas, *people)


def _row_of(device: str, level_dbm: float, channel: DeviceChannel, found: Balance) -> dict[str, object]:
    """One line of ``channels.csv``."""
    values = ["" if np.isnan(value) else f"{value:.3f}" for value in found]
    return dict(
        zip(_CHANNEL_COLUMNS, (device, level_name(level_dbm), plain_channel(channel), *values), strict=True)
    )


def _draw_device(
    out: Path,
    pair: ComparedRuns,
    device: str,
    table: Sequence[Mapping[str, object]],
    net: NDArray[np.float64],
) -> None:
    """``compare_<device>.png``: the level at which most changes; ``net`` [level, y, x], NaN outside."""
    chosen = int(np.argmax(np.nansum(np.abs(net), axis=(1, 2))))
    level = level_name(pair.levels_dbm[chosen])
    rows = [row for row in table if (row["device"], row["level_dbm"]) == (device, level)]
    bars = {
        plain_channel(channel_named(str(row["channel"]))): (
            float(str(row["gained_km2"])),
            float(str(row["lost_km2"])),
        )
        for row in rows
    }
    title = (
        f"Channels that {device} gains and loses at {level} dBm\n"
        f"from {_named(pair.first)}\nto {_named(pair.second)}"
    )
    draw_changes(out / _picture_file(device), title, net[chosen], pair.grid.bounds_m, bars)


def _named(run: Run) -> str:
    """A run in a title: of what, and when it was computed; its id where two were at one minute."""
    what = run.manifest.get("title") or run.manifest["territory"]
    when = str(run.manifest.get("computed_at", "")).replace("T", " ")[:16]
    return f"{what}, {when} ({run.folder.resolve().name[:8]})"


def summary(
    pair: ComparedRuns, table: Sequence[Mapping[str, object]], inputs: Sequence[ChangedInput], out: Path
) -> Iterator[str]:
    """Lines for the reader: what went in, and how much was gained and lost, all channels together."""
    yield f"A  {_named(pair.first)}"
    yield f"B  {_named(pair.second)}"
    yield from _told_inputs(inputs)
    yield "Gained and lost from A to B, in the sum of the channels:"
    for device in pair.channels:
        for level in map(level_name, pair.levels_dbm):
            rows = [row for row in table if (row["device"], row["level_dbm"]) == (device, level)]
            told = [f"{verb} {_sum_of_rows(rows, verb)}" for verb in ("gained", "lost")]
            yield f"  {device} at {level} dBm: {', '.join(told)}"
    maps = "difference_*.tif and change_*.tif with styles"
    yield f"Written to {out}: {_PROJECT} (open it in QGIS), {maps}, channels.csv, inputs.csv, compare_*.png"


def _told_inputs(inputs: Sequence[ChangedInput]) -> Iterator[str]:
    """The first of what went in otherwise; settings with both values."""
    if not inputs:
        yield "Inputs, settings and program are the same."
        return
    yield "Changed:"
    for kind, key, before, after in sorted(inputs, key=lambda one: one.kind != "setting")[:_TOLD]:
        values = f": {before or 'none'} -> {after or 'none'}" if kind in ("setting", "package") else ""
        yield f"  {kind} {key}{values}"
    if len(inputs) > _TOLD:
        yield f"  and {len(inputs) - _TOLD} more: inputs.csv"


def _sum_of_rows(rows: Sequence[Mapping[str, object]], verb: str) -> str:
    """Area, and people where they are known."""
    area_km2 = sum(float(str(row[f"{verb}_km2"])) for row in rows)
    people = [str(row[f"{verb}_persons"]) for row in rows]
    known = f" with {sum(map(float, people)):,.0f} people" if all(people) else ""
    return f"{area_km2:,.1f} km2{known}"
