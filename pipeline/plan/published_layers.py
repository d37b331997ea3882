"""The files that a territory has of each row in the table of layers, with the values of their fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pipeline.availability.allotments import block_names
from pipeline.availability.classes import level_name, published_levels_dbm
from pipeline.companions import AUXILIARY
from pipeline.config.bonds import Bond
from pipeline.config.config import Config
from pipeline.grid.layer_files import fields_of, layer_file, two_digits
from pipeline.layers import LAYERS, Layer
from pipeline.radio.allocations import is_partial

COLLECTION = "stac/collection.json"


class LayerFile(NamedTuple):
    """A published file, relative to the run's folder, of a row; ``fields`` those of its path."""

    layer: Layer
    fields: Mapping[str, object]
    file: str


def published_layers(
    config: Config,
    dtt_channels: Sequence[int] = (),
    slices: Sequence[str] = (),
    *,
    job: str | None = None,
    **fixed: object,
) -> Iterator[LayerFile]:
    """Files of all rows, or of those that one job writes, in the order of the table.

    ``dtt_channels``, ``slices``: those of the plan. Neighbours in the table with the same fields stay side by
    side for each value. ``fixed``: fields of one value only, also a wildcard such as ``{channel}``.
    """
    rows = [row for row in LAYERS.values() if job in (None, row.job) and _is_wanted(config, row.when)]
    partial, known = is_partial(config), {"dtt_channel": dtt_channels, "slice": slices}
    for names, alike in groupby(rows, key=lambda row: fields_of(row.path)):
        together = list(alike)
        for fields in _combinations(config, known, names, fixed):
            yield from (
                LayerFile(row, fields, layer_file(row.family, partial=partial, **fields)) for row in together
            )


def stac_item_of(found: LayerFile) -> str:
    """Name of the item that a public raster is an asset of."""
    device, channel = found.fields.get("device"), found.fields.get("channel")
    if device is None:
        return found.layer.job
    return f"{device}_ch{two_digits(channel)}" if isinstance(channel, int | Bond) else str(device)


def stac_item_file(item: str) -> str:
    """The file of a STAC item, relative to the run's folder."""
    return f"stac/{item}.json"


def style_file(name: str) -> str:
    """The style that QGIS loads with a raster: it lies beside it and has its name."""
    return Path(name).with_suffix(".qml").as_posix()


def side_file(name: str) -> str:
    """GDAL's side file of a raster, with what is told of its publication."""
    return f"{name}{AUXILIARY}"


def _combinations(
    config: Config, known: Mapping[str, Sequence[object]], names: Sequence[str], fixed: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    """All values of some fields; those of the last one vary fastest."""
    if not names:
        yield {}
        return
    *before, last = names
    for fields in _combinations(config, known, before, fixed):
        values = [fixed[last]] if last in fixed else _values(config, known, last, fields)
        yield from ({**fields, last: value} for value in values)


def _values(
    config: Config, known: Mapping[str, Sequence[object]], name: str, fields: Mapping[str, object]
) -> Sequence[object]:
    if name == "device":
        return [device.id for device in config.devices]
    if name == "level":
        (device,) = [device for device in config.devices if device.id == fields["device"]]
        return [level_name(level_dbm) for level_dbm in published_levels_dbm(config, device)]
    if name == "channel":
        (device,) = [device for device in config.devices if device.id == fields["device"]]
        return config.channels_of(device)
    if name == "mode":
        return [entry.slug for entry in config.reach if entry.device == fields["device"]]
    if name == "km":
        (entry,) = [
            one for one in config.reach if (one.device, one.slug) == (fields["device"], fields["mode"])
        ]
        return entry.at_least_km
    if name == "block":
        return block_names(config.allotments)
    if name == "case":
        return [comparison.id for comparison in config.coordination.rr941]
    if name in known:
        return known[name]
    raise ValueError(f"no values for the field {name}")


def _is_wanted(config: Config, setting: str) -> bool:
    """Whether a setting, dotted, is there, or has one of the values after ``=``; no setting: always."""
    key, _, values = setting.partition("=")
    value: object = config
    for name in key.split(".") if key else ():
        value = None if value is None else getattr(value, name)
    return str(value) in values.split("|") if values else bool(value)
