"""``channelmaps reach``: rasters and shares of how far permitted base stations would reach, of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import block_slices
from pipeline.config.bonds import channel_named
from pipeline.errors import InputError
from pipeline.files import GEOTIFF_FILE, check_output_folder, csv_text, kind_of_table, write_output
from pipeline.grid import raster
from pipeline.grid.grid import STRIP_PX, Grid
from pipeline.grid.layer_files import layer_file
from pipeline.grid.raster import Part
from pipeline.layers import LAYERS
from pipeline.links.link_styles import QML_FILE, link_style
from pipeline.query.profiles import channel_entries
from pipeline.query.results import Run, config_of, population_of, published_file, read_public_run
from pipeline.rates.client_radios import read_clients
from pipeline.rates.link_modes import read_modes
from pipeline.rates.reach_layers import (
    REACH_COLUMNS,
    REACH_NOTICE,
    ReachOf,
    reach_files,
    reach_tables,
    write_reach_layers,
)
from pipeline.rows.row_models import finite

_PART_PX = 1024


class ReachRequest(NamedTuple):
    """The options of the command."""

    results: Path
    device: str
    modes: str
    mode: str
    cpe: str
    out: Path
    q_pct: float = 70.0
    from_km: tuple[float, ...] = (1.0, 5.0, 10.0)
    cpe_table: Path | None = None


def reach_command(request: ReachRequest) -> None:
    """Write the rasters and ``reach_statistics.csv`` of a device and a mode."""
    inputs = [request.results, *([request.cpe_table] if request.cpe_table else [])]
    if not 1.0 <= request.q_pct <= 99.0:
        raise InputError("is not allowed", field="--q-pct", value=request.q_pct, allowed="1 to 99 %")
    files = reach_files(request.device, request.mode, request.from_km)
    names = [_name(family, fields) for family, fields in files]
    styles = _styles(files)
    products = dict.fromkeys(names, GEOTIFF_FILE) | dict.fromkeys(styles, QML_FILE)
    products |= {"reach_statistics.csv": kind_of_table(*REACH_COLUMNS)}
    check_output_folder("--out", request.out, products, inputs)
    client, modes = read_clients(request.cpe_table).named(request.cpe), read_modes(request.modes)
    run = read_public_run(request.results)
    config, entry = config_of(run), device_of_run(run, request.device)
    height_m = float(str(entry["height_m"]))
    asked = ReachOf(request.device, height_m, modes, request.mode, client, request.q_pct, request.from_km)
    channels = [channel_named(str(one["channel"])) for one in channel_entries(run.manifest["query"], entry)]
    tables = reach_tables(asked, config.channels, channels)
    stacked = published_file(run, str(entry["file"]))
    grid = raster.read_grid(stacked)
    request.out.mkdir(parents=True, exist_ok=True)
    people = population_of(run, grid)

    def weights(rows: slice, cols: slice) -> Sequence[NDArray[np.floating[Any]] | None]:
        return grid.area_km2(rows, cols), None if people is None else people[rows, cols]

    def path_of(family: str, fields: Mapping[str, object]) -> Path:
        return request.out / _name(family, fields)

    tags = {"notice": config.notice, "run_id": str(run.manifest["run_id"]), "device": request.device}
    parts = _parts(stacked, grid)
    rows = write_reach_layers(asked, channels, tables, parts, grid, weights, path_of, tags)
    write_output(request.out / "reach_statistics.csv", csv_text(REACH_COLUMNS, rows))
    for style, scheme in styles.items():
        write_output(request.out / style, link_style(scheme))
    _tell(request.out, rows)


def _styles(files: Sequence[tuple[str, Mapping[str, object]]]) -> dict[str, str]:
    """Style beside each raster whose family has classes, and these classes."""
    schemes = {_name(family, fields): LAYERS[family].view.scheme for family, fields in files}
    return {Path(name).with_suffix(".qml").name: scheme for name, scheme in schemes.items() if scheme}


def _tell(out: Path, rows: Sequence[Mapping[str, object]]) -> None:
    print(REACH_NOTICE)
    for row in rows:
        said = row["population_pct"] or "-"
        print(f"at least {row['km']} km: {row['area_pct']} % of the area, {said} % of the people")
    print(f"Written to {out}: reach*.tif with styles for QGIS, reach_statistics.csv")


def _name(family: str, fields: Mapping[str, object]) -> str:
    """A file of a run, here beside the others."""
    return Path(layer_file(family, partial=False, **fields)).name


def _parts(stacked: Path, grid: Grid) -> Iterator[Part]:
    """Levels of all channels, part by part."""
    with raster.reading(stacked) as opened:
        for rows, cols in block_slices(grid.shape, (STRIP_PX, _PART_PX)):
            yield rows, cols, raster.read_window(opened, rows, cols)


def distances_of(text: str) -> tuple[float, ...]:
    """Distances in km of a list with commas, ascending."""
    try:
        found = sorted({finite(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or not (found[0] > 0.0 and found[-1] <= 300.0):
        raise InputError(
            "are no distances", field="--km", value=text, allowed="numbers up to 300 such as 1,5,10"
        )
    return tuple(found)


def device_of_run(run: Run, device: str) -> dict[str, object]:
    """What the manifest says of a device for queries; InputError for one that the run does not have."""
    entries = {str(entry["id"]): entry for entry in run.manifest.get("query", {}).get("devices", ())}
    if device not in entries:
        raise InputError(
            "no such device in the run", field="--device", value=device, allowed=", ".join(entries)
        )
    found: dict[str, object] = entries[device]
    return found
