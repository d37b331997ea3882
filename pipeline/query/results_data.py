"""A published run as arrays and tables, for programs: what `channelmaps` gives to those who import it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.publish.release import MANIFEST
from pipeline.quantise import NOT_EVALUATED
from pipeline.query.database import close_database, open_database
from pipeline.query.manifest_check import check_manifest
from pipeline.query.profiles import channel_entries
from pipeline.query.query import Request, answer
from pipeline.query.results import published_file, read_public_run

_CENTI = 100.0


def open_results(results: str | Path, device: str | None = None) -> xr.DataArray:
    """Maximum e.i.r.p. of a device in all its channels: int16 [channel, y, x] in 0.01 dBm, as published.

    ``results``: a run, or a territory's folder (its latest run); ``device``: an id, the first of the run if
    absent. Coordinates ``channel`` (as text: bonds are ``20-21``), ``x_m``, ``y_m`` (centres of pixels);
    attributes ``device``, ``run_id``, ``valid_until``, ``grid``. Codes are codes: ``array.channelmaps``
    tells levels from them. InputError for a folder without a run and an unknown device.
    """
    run = read_public_run(Path(results))
    check_manifest(run.folder / MANIFEST, run.manifest, "query")
    entries = {entry["id"]: entry for entry in run.manifest["query"]["devices"]}
    chosen = device or next(iter(entries))
    if chosen not in entries:
        raise InputError("no such device", field="device", value=chosen, allowed=", ".join(entries))
    levels = raster.read(published_file(run, entries[chosen]["file"]), stacked=True)
    channels = [str(entry["channel"]) for entry in channel_entries(run.manifest["query"], entries[chosen])]
    told = {
        "device": chosen,
        "run_id": run.manifest["run_id"],
        "valid_until": run.manifest["valid_utc"]["stopTime"],
    }
    named = levels.rename(band="channel").rename("max_eirp").assign_coords(channel=channels)
    return named.assign_attrs(told)


def availability_at(
    results: str | Path,
    lon_deg: float,
    lat_deg: float,
    *,
    device: str | None = None,
    height_m: float | None = None,
    uncertainty_m: float = 0.0,
) -> pd.DataFrame:
    """Channels available at a place, a row each: ``channel``, ``max_eirp_dbm``; what a database answers.

    The minimum over a circle of ``uncertainty_m``. A channel that is absent must not be used, nor any of them
    after ``attrs["valid_until"]`` (UTC), when bookings change or the run is over. PawsError where a device
    would get an error; InputError for a folder without a run.
    """
    database = open_database(Path(results))
    try:
        message = answer(database, Request(lon_deg, lat_deg, device, height_m, uncertainty_m))
    finally:
        close_database(database)
    rows = [(str(entry["channel"]), entry["dbm"]) for entry in message["channels"]]
    table = pd.DataFrame(rows, columns=["channel", "max_eirp_dbm"])
    table.attrs = {
        "device": message["device"],
        "run_id": message["runId"],
        "valid_until": message["spectrumSpecs"][0]["spectrumSchedules"][0]["eventTime"]["stopTime"],
    }
    return table


@xr.register_dataarray_accessor("channelmaps")
class ChannelmapsAccessor:
    """``array.channelmaps`` of an array of :func:`open_results`: levels without codes, and places."""

    def __init__(self, levels: xr.DataArray) -> None:
        self._levels = levels

    def dbm(self) -> xr.DataArray:
        """Levels in dBm, float32; NaN outside, where nothing is permitted and where nothing is evaluated."""
        centi = self._levels
        return (centi.where(centi > NOT_EVALUATED).astype(np.float32) / _CENTI).assign_attrs(units="dBm")

    def count(self, level_dbm: float) -> xr.DataArray:
        """Number of channels [y, x] in which at least ``level_dbm`` is permitted; 0 outside, too."""
        least = max(np.ceil(round(level_dbm * _CENTI, 6)), NOT_EVALUATED + 1)
        return (self._levels >= least).sum("channel")

    def at(self, lon_deg: float, lat_deg: float) -> xr.DataArray:
        """The values [channel] of the pixel that contains a place; InputError beyond the array."""
        grid: Grid = self._levels.attrs["grid"]
        row, col = grid.pixel_of(lon_deg, lat_deg)
        if not grid.has_pixel(row, col):
            raise InputError("is beyond the grid of the run", field="place", value=f"{lon_deg}, {lat_deg}")
        return self._levels.isel(y=row, x=col)
