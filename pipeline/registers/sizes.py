"""How many rows each register of a territory has: what a run compares with the one before it."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from pipeline.config.config import Config
from pipeline.registers.tables import read_table

TRANSMITTERS, BOOKINGS = "registers.transmitters", "pmse.registers"


def register_sizes(config: Config, transmitters: xr.Dataset, bookings: xr.Dataset | None) -> dict[str, int]:
    """Rows by key of the territory file: those that are used of transmitters and bookings, else all."""
    sizes = {TRANSMITTERS: transmitters.sizes["transmitter"]}
    if bookings is not None:
        sizes[BOOKINGS] = bookings.sizes["assignment"]
    for key, paths in station_files(config).items():
        sizes[key] = sum(len(read_table(path, (), may_be_empty=True).records) for path in paths)
    return sizes


def station_files(config: Config) -> dict[str, list[Path]]:
    """Registers of the services other than DTT and PMSE, by key."""
    incumbents = config.incumbents
    if incumbents is None:
        return {}
    astronomy, aeronautical = incumbents.radio_astronomy, incumbents.aeronautical
    files = {
        "incumbents.radio_astronomy.stations": [astronomy.stations] if astronomy else [],
        "incumbents.aeronautical.stations": [aeronautical.stations]
        if aeronautical and aeronautical.stations
        else [],
        "incumbents.mobile.registers": incumbents.mobile.registers if incumbents.mobile else [],
        "incumbents.ppdr.registers": incumbents.ppdr.registers if incumbents.ppdr else [],
        "incumbents.fixed.registers": incumbents.fixed.registers if incumbents.fixed else [],
    }
    return {key: paths for key, paths in files.items() if paths}
