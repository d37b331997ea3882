"""The published rasters as an analyst sees them: kind of layer, heading, title."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.availability.classes import level_name
from pipeline.config.bonds import Bond
from pipeline.grid.layer_files import fields_of, layer_file, style_name
from pipeline.layers import Raster
from pipeline.plan.plan import Plan, channels_of, levels_of, slice_names
from pipeline.plan.published_layers import LayerFile, published_layers
from pipeline.plan.run_files import max_eirp_files
from pipeline.radio.allocations import is_partial
from pipeline.radio.channel_plan import channel_centre_mhz

ALL_BANDS = 0
_MOST_FIRST = 20


class Shown(NamedTuple):
    """A band of a published raster in a project; ``file`` relative to the run's folder.

    ``band`` counts from 1; ALL_BANDS: as many layers as the file has bands, named by them.
    ``family``: scheme of its classes, or a kind of code that has names of its own (``legends.py``).
    ``internal``: its legend or values name stations.
    """

    file: str
    band: int
    family: str
    group: tuple[str, ...]
    title: str
    internal: bool = False

    @property
    def id(self) -> str:
        """Name of the layer within a project."""
        return f"{Path(self.file).stem}_band{self.band}"


def shown_layers(plan: Plan) -> list[Shown]:
    """All layers of a project, from top to bottom."""
    found = [shown for published in published_rasters(plan) for shown in _shown_bands(plan, published)]
    headings = list(dict.fromkeys(layer.group[0] for layer in found))
    return sorted(found, key=lambda layer: headings.index(layer.group[0]))


def published_rasters(plan: Plan) -> list[LayerFile]:
    """All published rasters with their rows."""
    files = published_layers(plan.config, plan.victims, slice_names(plan))
    return [published for published in files if published.layer.raster is not None]


def families(plan: Plan) -> dict[str, str]:
    """Scheme, or kind of code, of every published raster."""
    return {published.file: style_name(published.layer) for published in published_rasters(plan)}


def first_shown(plan: Plan) -> str:
    """The file that is switched on when a project opens, as in the web map: how many channels there are.

    For the first device, at the level in the middle; its maximum e.i.r.p. if none is published.
    """
    device = plan.config.devices[0].id
    counts = _counts(plan, device)
    return counts[len(counts) // 2] if counts else max_eirp_files(plan, device)[0]


def overview(plan: Plan, layers: Sequence[Shown]) -> list[Shown]:
    """The layers that a reader looks at first: numbers of channels, at most 20; all others are by channel.

    All levels of the first device, then the level in the middle of the others, then their other levels;
    where none is published, the maximum e.i.r.p. of the first device.
    """
    first, *others = (device.id for device in plan.config.devices)
    names = [f for device in (first, *others) for f in _counts(plan, device)]
    middle = [_counts(plan, device)[len(_counts(plan, device)) // 2 :][:1] for device in others]
    ranked = [*_counts(plan, first), *(name for part in middle for name in part), *names]
    chosen = list(dict.fromkeys(ranked))[:_MOST_FIRST] or max_eirp_files(plan, first)[:_MOST_FIRST]
    return [layer for layer in layers if layer.file in chosen]


def _counts(plan: Plan, device: str) -> list[str]:
    """Files of the numbers of channels of a device, by level."""
    partial = is_partial(plan.config)
    names = [level_name(level_dbm) for level_dbm in levels_of(plan, device)]
    return [layer_file("available_channels", device=device, level=name, partial=partial) for name in names]


def band_fields(row: Raster, path: str) -> set[str]:
    """What the bands of a file are for, beyond what the file is for."""
    return set(fields_of(row.bands)) - set(fields_of(path))


def _shown_bands(plan: Plan, published: LayerFile) -> Iterator[Shown]:
    layer, row = published.layer, published.layer.raster
    if row is None or not layer.view.group:
        return
    by_band = band_fields(row, layer.path)
    if by_band == {"channel"}:
        channels = channels_of(plan, str(published.fields["device"]))
        bands = [(band, {"channel": channel}) for band, channel in enumerate(channels, start=1)]
    else:
        bands = [(ALL_BANDS if by_band else 1, {})]
    for band, fields in bands:
        known = _titles(plan, {**published.fields, **fields})
        group = tuple(heading.format(**known) for heading in layer.view.group)
        title = f"{layer.view.title.format(**known)}{known['of_case']}"
        internal = layer.view.qgis == "internal"
        yield Shown(published.file, band, style_name(layer), group, title, internal)


def _titles(plan: Plan, fields: dict[str, object]) -> dict[str, object]:
    """The fields of titles and headings: those of the file, centre of its channel, name of its case."""
    channel = fields.get("channel", fields.get("dtt_channel"))
    case = fields.get("case")
    more: dict[str, object] = {"of_case": f", {case}" if case else ""}
    if isinstance(channel, int | Bond):
        more["centre_mhz"] = channel_centre_mhz(plan.config.channels, channel)
    return fields | more
