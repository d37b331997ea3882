"""Files of published layers as their rows in ``layers.py`` describe them: names, labels, values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.bonds import Bond, DeviceChannel, channels_in
from pipeline.grid.grid import Grid
from pipeline.grid.raster import Layout, layout_on, make_array
from pipeline.layers import LAYERS, Layer, Raster

_Fields = Mapping[str, object]
_NO_FIELDS: _Fields = {}

# Tag of the point-query rasters: the largest scale of their grid.
SCALE_TAG = "largest_scale"

# Before the ending of the files of devices in a run that leaves out incumbents.
PARTIAL = "_partial"
_JOBS_OF_DEVICES = frozenset({"combine", "availability", "choices", "regions", "query", "reach"})


def two_digits(channel: DeviceChannel) -> str:
    """A channel as it stands in file names, a bond as ``02-03``."""
    numbers = channels_in(channel)
    return "-".join(f"{number:02d}" for number in dict.fromkeys((numbers[0], numbers[-1])))


def layer_file(family: str, *, partial: bool = False, **fields: object) -> str:
    """Name of a file of a family, relative to the run's folder.

    Fields: ``device`` by id, ``channel`` (or bond), ``dtt_channel``, ``level`` in dBm, ``mode`` and ``km`` of
    a reach, ``case`` of RR No. 9.41 or None.
    A text stays as it is, so that a rule may leave ``{channel}`` open. ``partial``: the run leaves out
    incumbents, which the names of what concerns devices say.
    """
    row = LAYERS[family]
    name = row.path.format(**{name: _in_a_name(name, value) for name, value in fields.items()})
    return partial_name(name) if partial and row.job in _JOBS_OF_DEVICES else name


def partial_name(name: str) -> str:
    """The name with the suffix of partial runs before its ending."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}{PARTIAL}{dot}{ending}"


def archive_name(file: str) -> str:
    """Name of a layer's pictures in the web map, whose page knows them by family, device and channel."""
    return Path(file).stem.removesuffix(PARTIAL)


def raster_names(job: str) -> tuple[str, ...]:
    """Families of the rasters that a job writes, without the job's name in front: ``dtt_down`` of rr941."""
    rows = [row for row in LAYERS.values() if row.job == job and row.raster is not None]
    return tuple(row.family.removeprefix(f"{job}_") for row in rows)


def fields_of(text: str) -> tuple[str, ...]:
    """The fields in braces of a path, a title or a label, in their order."""
    return tuple(name for _, name, _, _ in Formatter().parse(text) if name)


def raster_of(family: str) -> Raster:
    """The raster part of a family's row."""
    found = LAYERS[family].raster
    if found is None:
        raise ValueError(f"{family} is no raster")
    return found


def channel_bands(family: str, channels: Iterable[DeviceChannel]) -> list[str]:
    """Descriptions of the bands of a family that has one for each channel."""
    return [raster_of(family).bands.format(channel=channel) for channel in channels]


def empty_values(family: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Raw values that are nodata everywhere."""
    return np.full(shape, raster_of(family).nodata, dtype=raster_of(family).dtype)


def make_layer(
    family: str,
    values: NDArray[Any],
    grid: Grid,
    fields: _Fields = _NO_FIELDS,
    *,
    bands: Sequence[str] = (),
    codes: Mapping[int, str] | None = None,
) -> xr.DataArray:
    """Raw ``values`` [y, x] or [band, y, x] with the labels of the family's row.

    ``fields``: those of the labels; ``bands``: names of the bands where there are several; ``codes``: names
    of the values where the row has none.
    """
    row = raster_of(family)
    if values.dtype != row.dtype:
        raise ValueError(f"{family}: values of type {values.dtype}, in the table {row.dtype}")
    if row.bands and values.ndim == 2:
        values, bands = values[np.newaxis], [row.bands.format(**fields)]
    return make_array(
        values, grid, nodata=row.nodata, band_names=bands or None, **_labels(row, codes, fields)
    )


def layer_layout(
    family: str,
    grid: Grid,
    bands: Sequence[str] = (),
    fields: _Fields = _NO_FIELDS,
    *,
    tags: Mapping[str, str],
    codes: Mapping[int, str] | None = None,
) -> Layout:
    """Layout of a layer that is written in parts; ``bands``, ``codes`` as in :func:`make_layer`."""
    row = raster_of(family)
    labels = _labels(row, codes, fields)
    bands = bands or [row.bands.format(**fields) or labels["long_name"]]
    return layout_on(grid, bands, dtype=row.dtype, nodata=row.nodata, tags=tags, **labels)


def style_name(layer: Layer) -> str:
    """Scheme of a layer's classes, or the family's own name where its values have names of their own."""
    return layer.view.scheme or layer.family


def _labels(row: Raster, codes: Mapping[int, str] | None, fields: _Fields) -> dict[str, Any]:
    labels: dict[str, Any] = {"units": row.unit.format(**fields), "long_name": row.long_name.format(**fields)}
    if row.scale != 1.0:
        labels["scale_factor"] = row.scale
    if codes or row.codes:
        labels["categories"] = codes or dict(row.codes)
    return labels


def _in_a_name(name: str, value: object) -> str:
    if name == "case":
        return f"_{value}" if value else ""
    if isinstance(value, int | Bond) and name in {"channel", "dtt_channel"}:
        return two_digits(value)
    return f"{value:g}" if isinstance(value, int | float) else str(value)
