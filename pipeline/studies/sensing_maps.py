"""Maps beside those of a run of what sensing can and cannot do (SM.2405, Annex 2); they change no other map.

``sensing_gap``: by how much the level of a just hidden detector lies below its need, where television is
served: there geolocation alone protects. ``dfs_detect``: where a radar of a register exceeds the threshold of
dynamic frequency selection, in free space up to the radio horizon.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.config.load import read_model
from pipeline.coordination.sensing import (
    NOT_DECIDED,
    SensingCase,
    dfs_document,
    hidden_level_dbm,
    level_needed_dbm,
)
from pipeline.errors import InputError
from pipeline.files import GEOTIFF_FILE, Output, check_outputs
from pipeline.grid import raster
from pipeline.grid.grid import GEOD
from pipeline.grid.layer_files import layer_file
from pipeline.quantise import from_raw, to_float32
from pipeline.query.results import Run, config_of, published_file, read_public_run, read_run
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.rows.row_models import IdCell, LatCell, LonCell, NumberCell, RowModel, read_rows

_NOWHERE = 255
# Radio horizon over an Earth of 4/3 of its radius: 4.12 (sqrt h1 + sqrt h2) km.
_HORIZON_KM = 4.12
_FREE_SPACE_DB = 32.45


class RadarRow(RowModel):
    """A radar whose signal devices have to detect."""

    id: IdCell
    lon: LonCell
    lat: LatCell
    height_m: Annotated[NumberCell, Field(ge=1, le=5000, description="1 to 5000 m above ground")]
    f_mhz: Annotated[NumberCell, Field(ge=4000, le=7000, description="4000 to 7000 MHz")]
    bandwidth_mhz: Annotated[NumberCell, Field(gt=0, le=500, description="up to 500 MHz")]
    eirp_dbm: Annotated[NumberCell, Field(ge=0, le=150, description="0 to 150 dBm, peak")]


def sensing_gap_command(config: Path, results: Path, out: Path) -> None:
    """Write the gap in dB, the largest of the channels served at a pixel; above 0 the detector misses one."""
    check_outputs([Output("--out", out, GEOTIFF_FILE)], [config])
    case, run = read_model(config, SensingCase), read_run(results)
    largest: NDArray[np.float64] | None = None
    for f_mhz, field_dbuvm in _served_fields(run):
        zero = case.model_copy(update={"f_mhz": f_mhz, "field_dbuvm": 0.0})
        gap_db = level_needed_dbm(zero) - hidden_level_dbm(zero) - field_dbuvm
        largest = gap_db if largest is None else np.fmax(largest, gap_db)
    if largest is None:
        allowed = "a run with internal/dtt_served_chNN.tif"
        raise InputError("has no maps of reception", file=results, allowed=allowed)
    grid = raster.read_grid(run.folder / next(iter(_reception_files(run)))[1])
    layer = raster.make_array(
        to_float32(largest, "ceil"),
        grid,
        units="dB",
        long_name="level needed less level of a hidden detector",
        nodata=np.nan,
    )
    raster.write(out, layer, tags={"note": NOT_DECIDED}, publish=False)
    served = np.isfinite(largest)
    missed_pct = 100.0 * float((largest[served] > 0.0).mean()) if served.any() else 0.0
    print(
        f"a detector misses a served channel in {missed_pct:.1f} % of the pixels with one: {out}",
        NOT_DECIDED,
        sep="\n",
    )


def _reception_files(run: Run) -> Iterator[tuple[float, str, str]]:
    """Centre in MHz and names of field and reception of each channel that the run has them of."""
    channels, known = config_of(run).channels, {entry["path"] for entry in run.manifest["outputs"]}
    for channel in [
        c for segment in channels.plan for c in range(segment.first_channel, segment.last_channel + 1)
    ]:
        field, served = (layer_file(family, dtt_channel=channel) for family in ("dtt_field", "dtt_served"))
        if field in known and served in known:
            yield channel_centre_mhz(channels, channel), field, served


def _served_fields(run: Run) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Centre in MHz, and field of the best server in dB(uV/m) where it is received, NaN elsewhere."""
    for f_mhz, field_file, served_file in _reception_files(run):
        field, served = (raster.read(published_file(run, name)) for name in (field_file, served_file))
        yield f_mhz, np.where(served.values == 1, from_raw(field).values, np.nan)


class DfsMap(NamedTuple):
    """A device that has to detect radars in its channel."""

    f_mhz: float
    bandwidth_mhz: float
    eirp_dbm: float
    height_m: float


def dfs_detect_command(device: DfsMap, radars: Path, results: Path, out: Path) -> None:
    """Write 1 where the device detects a radar in its channel, 0 elsewhere on the run's grid."""
    check_outputs([Output("--out", out, GEOTIFF_FILE)], [radars])
    document = dfs_document(device.f_mhz, device.bandwidth_mhz, device.eirp_dbm)
    if not document["dfs"]:
        allowed = "a channel in a band of DFS"
        raise InputError("needs no detection", row="--f-mhz", value=device.f_mhz, allowed=allowed)
    if not 0.5 <= device.height_m <= 1000.0:
        raise InputError("is out of range", row="--height-m", value=device.height_m, allowed="0.5 to 1000 m")
    threshold_dbm = float(str(document["threshold_dbm"]))
    rows = read_rows(radars, RadarRow)
    run = read_public_run(results)
    grid = raster.read_grid(published_file(run, run.manifest["query"]["devices"][0]["file"]))
    lon_deg, lat_deg = grid.lonlat_deg()
    found = np.zeros(grid.shape, np.uint8)
    for radar in rows:
        share = _share_in(radar, device)
        if share > 0.0:
            level_dbm = (
                radar.eirp_dbm + 10.0 * math.log10(share) - _losses_db(radar, device, lon_deg, lat_deg)
            )
            found |= (level_dbm > threshold_dbm).astype(np.uint8)
    layer = raster.make_array(found, grid, units="", long_name="a radar is detected", nodata=_NOWHERE)
    raster.write(out, layer, tags={"note": NOT_DECIDED, "threshold_dbm": f"{threshold_dbm:g}"}, publish=False)
    print(
        f"a radar is detected in {100.0 * float(found.mean()):.1f} % of the pixels: {out}",
        NOT_DECIDED,
        sep="\n",
    )


def _share_in(radar: RadarRow, device: DfsMap) -> float:
    """Share of the radar's power inside the channel."""
    halves_mhz = 0.5 * radar.bandwidth_mhz, 0.5 * device.bandwidth_mhz
    low = max(radar.f_mhz - halves_mhz[0], device.f_mhz - halves_mhz[1])
    high = min(radar.f_mhz + halves_mhz[0], device.f_mhz + halves_mhz[1])
    return max(high - low, 0.0) / radar.bandwidth_mhz


def _losses_db(
    radar: RadarRow, device: DfsMap, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Free-space loss to places [y, x], at least that of 10 m; infinite beyond the radio horizon."""
    site = np.full_like(lon_deg, radar.lon), np.full_like(lat_deg, radar.lat)
    d_km = np.maximum(1e-3 * np.asarray(GEOD.inv(*site, lon_deg, lat_deg)[2]), 0.01)
    horizon_km = _HORIZON_KM * (math.sqrt(radar.height_m) + math.sqrt(device.height_m))
    loss_db = _FREE_SPACE_DB + 20.0 * np.log10(device.f_mhz * d_km)
    return np.asarray(np.where(d_km <= horizon_km, loss_db, np.inf))
