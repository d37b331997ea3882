"""`channelmaps validate`: everything a territory file names is read and checked; nothing is computed.

The masks of the padded grid are the exception: whether a coast lies within reach decides how wide it is.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
import yaml
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import MANDATORY_OFFSETS
from pipeline.config.register_mapping import RegisterMapping
from pipeline.coordination.f1565 import budget_document
from pipeline.coordination.radar import scene
from pipeline.coordination.rr97 import epfd_document
from pipeline.coordination.rr941 import comparison
from pipeline.coverage import receiver_surroundings
from pipeline.coverage.network import with_countries, within_reach
from pipeline.errors import InputError, fault_lines, in_file, raise_first, with_file
from pipeline.grid.foreign_rasters import read_place
from pipeline.grid.geodesy import outline_m
from pipeline.grid.grid import Grid
from pipeline.grid.polygons import Boundaries
from pipeline.hashing import input_files
from pipeline.plan import band_screening, left_out_rows, no_effect
from pipeline.plan.hill_reach import required_reach
from pipeline.plan.plausibility import (
    RegisterFacts,
    check_areas,
    check_receivers,
    check_transmitters,
    idle_by_estimate,
    register_lines,
    table_lines,
)
from pipeline.plan.plausible_places import booking_places, station_places
from pipeline.plan.territory_file import load_config
from pipeline.propagation.models import model_named
from pipeline.publish import query_facts
from pipeline.publish.report import texts as report_texts
from pipeline.radio.channel_plan import receiver_band
from pipeline.radio.emission import device_cap_dbm, least_eirp_dbm
from pipeline.rates import reach_entries
from pipeline.reference.limiting_channels import victim_channels
from pipeline.reference.ratio_tables import ModeKey, ProtectionTables, read_protection_tables
from pipeline.reference.ratios import check_ratios, dtt_ratio_table_db
from pipeline.registers.areas import read_adjustments, read_exclusions, read_masks
from pipeline.registers.transmitters import read_register
from pipeline.rows.row_models import RejectedRow
from pipeline.services import evaluated
from pipeline.terrain.elevation import load_elevation, require_cover
from pipeline.terrain.height_files import coast_lines
from pipeline.terrain.land_cover import load_land_cover
from pipeline.terrain.radial import CLEARANCE_KM
from pipeline.terrain.records import LonLatRaster
from pipeline.terrain.tile_sweeps import box_around, grid_lattice_deg, land_raster, on_lattice
from pipeline.territory import overlaps, regions
from pipeline.territory.masks import surface_mask
from pipeline.territory.places import Settlement, read_places, without_polygon
from pipeline.territory.population import read_counts
from pipeline.territory.rasters import CheckedTerritory, boundaries_of, padded_masks
from pipeline.workflow.remarks import report

_NO_FILE = "is not a file (of a folder with tables a ZIP can be read)"
_LAND_STEP_DEG = 0.01  # of land and sea: enough to know which voids of a terrain model lie at sea

# In the order of the printed lines: each has ``check(config, territory) -> Iterator[str]``. It reads all
# that is named for it, raises InputError for the first fault, yields what readers of the report have to know.
ROOMS = (
    band_screening,
    evaluated,
    query_facts,
    overlaps,
    regions,
    comparison,
    epfd_document,
    scene,
    budget_document,
    reach_entries,
    receiver_surroundings,
    report_texts,
    left_out_rows,
    no_effect,
)


class Checked(NamedTuple):
    """What `validate` says: the lines for a reader, and the table of plausibility."""

    lines: list[str]
    plausibility: list[RegisterFacts]


class Faults:
    """What is refused: the first fault ends the check, or (``every``) all are gathered in ``found``."""

    def __init__(self, config_path: Path, *, every: bool = False) -> None:
        self.config_path = config_path
        self.every = every
        self.found: dict[str, InputError] = {}
        self.missing: set[str] = set()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the faults of a part of the check instead of ending it, if all are wanted."""
        try:
            yield
        except InputError as error:
            if not self.every:
                raise
            for fault in (with_file(fault, self.config_path) for fault in error.faults):
                if fault.file not in self.missing:  # told already, by the setting that names it
                    self.found.setdefault(str(fault), fault)


def validate_command(
    config_path: Path, *, lenient: bool = False, shown: Callable[[list[str]], Iterable[str]] = list
) -> None:
    """Print what a run would compute, the lines ``shown``; InputError names the first fault."""
    print("\n".join(shown(_validated(config_path, Faults(config_path), lenient=lenient).lines)))


def validate_all(config_path: Path, *, lenient: bool = False) -> bool:
    """Print what a run would compute, or on the stream of errors all that is refused; whether all is well."""
    faults = Faults(config_path, every=True)
    found = _validated(config_path, faults, lenient=lenient)
    if not faults.found:
        print("\n".join(found.lines))
        return True
    for line in fault_lines(faults.found.values()):
        print(f"channelmaps: {line}", file=sys.stderr)
    if len(faults.found) > 1:
        print(f"channelmaps: {len(faults.found)} faults", file=sys.stderr)
    return False


def validate_json(config_path: Path, *, lenient: bool = False) -> tuple[str, bool]:
    """The same as JSON, and whether all is well.

    ``faults`` (file, row, field, value, allowed, problem): all that can be told beside each other;
    ``plausibility`` by file of a register, of what is refused too; ``remarks`` the lines of the report.
    """
    faults = Faults(config_path, every=True)
    found = _validated(config_path, faults, lenient=lenient)
    content = {
        "faults": [_entry(fault) for fault in faults.found.values()],
        "plausibility": [facts._asdict() for facts in found.plausibility],
        "remarks": [line.strip() for line in found.lines],
    }
    return json.dumps(content, indent=2, ensure_ascii=False), not faults.found


def _entry(fault: InputError) -> dict[str, object]:
    entry = {name: getattr(fault, name) for name in RejectedRow._fields}
    return {**entry, "value": None if fault.value is None else str(fault.value)}


def _lenient(config: Config) -> Config:
    return config.model_copy(update={"registers": config.registers.model_copy(update={"lenient": True})})


def _validated(config_path: Path, faults: Faults, *, lenient: bool) -> Checked:
    found = Checked([], [])
    with faults.noted():
        config = load_config(config_path)
        _check_path(config_path)
        config = _lenient(config) if lenient else config
        with faults.noted():
            _check_files(config, config_path, faults)
        with in_file(config_path):
            try:
                checked(config, config_path, faults, found)
            except InputError as error:
                _note_independent(config, faults, error)
    return found


def _note_independent(config: Config, faults: Faults, error: InputError) -> None:
    """After a fault that ends the check: what can be told all the same, if all is wanted."""
    if not faults.every:
        raise error
    with faults.noted():
        raise error
    rasters = [*(config.terrain.dem or ()), *([config.population.raster] if config.population else ())]
    parts: list[Callable[[], object]] = [
        partial(boundaries_of, config.territory),
        partial(read_protection_tables, config.protection),
        *(partial(read_place, path) for path in rasters if path is not None),
        partial(list, station_places(config)),
        partial(list, booking_places(config)),
        *_area_files(config),
    ]
    for part in parts:
        with faults.noted():
            part()


def _area_files(config: Config) -> Iterator[Callable[[], object]]:
    """Readers of the files of areas, each for itself: who reads all ends at the first that is wrong."""
    areas = config.areas
    yield from (partial(read_exclusions, [path]) for path in [*areas.exclusions, *areas.licensed])
    yield from (partial(read_masks, [path]) for path in areas.masks)
    yield from (partial(read_adjustments, [path]) for path in areas.adjustments)


def checked(config: Config, config_path: Path, faults: Faults, found: Checked) -> None:
    """Check all that a configuration names and fill ``found``; InputError where nothing more can be told."""
    if not any(service.evaluated for service in config.services.values()):
        raise InputError(
            "nothing is evaluated: no layer could say available",
            file=config_path,
            row="services",
            allowed="status: evaluate for one service or more",
        )
    register, rejected = _register_of(config, faults)
    modes = _modes_of(config, register)
    with faults.noted():
        _check_numbers(config, read_protection_tables(config.protection), modes)
    boundaries = boundaries_of(config.territory)
    masks = padded_masks(config, boundaries, required_reach(config, register, threads=os.cpu_count() or 1))
    grid: Grid = masks.attrs["grid"]
    elevation: LonLatRaster | None = None
    remarks: list[str] = []
    with faults.noted():
        elevation = _read_terrain(config, boundaries, masks, remarks)
    _check_places(config, boundaries, register, masks["surface"], elevation, faults, found)
    victims: list[int] = []
    with faults.noted():
        victims += check_reach(config, register, grid, config_path)
        _check_receivers(config, victims, register)
    territory = CheckedTerritory(config_path, boundaries, masks, modes, victims)
    with faults.noted():
        remarks += _check_population(config, boundaries, grid)
    _ask_rooms(config, territory, faults, remarks)
    for files in (station_places, booking_places):
        with faults.noted():
            receivers = check_receivers(config, boundaries, grid, files(config))
            found.plausibility.extend(receivers.facts)
            raise_first(receivers.faults)
    found.lines.extend(report(config, with_countries(config, register), rejected, grid, victims))
    found.lines.extend([*remarks, *register_lines(register, found.plausibility)])
    with faults.noted():
        found.lines.extend(check_areas(config, boundaries))
    found.lines.extend(table_lines(facts._asdict() for facts in found.plausibility))


def _ask_rooms(config: Config, territory: CheckedTerritory, faults: Faults, remarks: list[str]) -> None:
    """Have every room check what is named for it; what they say goes to ``remarks``."""
    for room in ROOMS:
        with faults.noted():
            remarks += room.check(config, territory)
    for part in _area_files(config) if faults.every else ():
        with faults.noted():
            part()


def _register_of(config: Config, faults: Faults) -> tuple[xr.Dataset, list[RejectedRow]]:
    """The register; where all faults are wanted the good rows of one that is refused."""
    with faults.noted():
        return read_register(config)
    for item in config.registers.transmitters if config.has_television else ():
        with faults.noted():  # faults of a whole file hide those of the others
            read_register(_with_transmitters(config, [item]))
    return read_register(_lenient(config))


def _with_transmitters(config: Config, items: list[Path | RegisterMapping]) -> Config:
    registers = config.registers.model_copy(update={"transmitters": items})
    return config.model_copy(update={"registers": registers})


def _check_places(
    config: Config,
    boundaries: Boundaries,
    register: xr.Dataset,
    surface: xr.DataArray,
    elevation: LonLatRaster | None,
    faults: Faults,
    found: Checked,
) -> None:
    """The table of the transmitter register; its rows that cannot be right are refused."""
    idle: set[str] | None = None
    with faults.noted():
        idle = idle_by_estimate(config, register, surface, elevation)
    told = check_transmitters(config, boundaries, register, surface.attrs["grid"], elevation, idle)
    found.plausibility.extend(told.facts)
    with faults.noted():
        raise_first(told.faults)


def _check_path(config_path: Path) -> None:
    """Refuse a name of a territory file that the workflow would take for something else than text."""
    name = os.path.relpath(config_path)
    if _read_as_option(name) != name:
        raise InputError(
            "the workflow cannot be told of a file of this name",
            file=config_path,
            allowed="a name that is no number, and no text that YAML reads as something else",
        )


def _read_as_option(text: str) -> object:
    """A text as Snakemake reads the value of an option: without quotes around it, as a number or as YAML."""
    bare = text.strip("'\"")
    for read in (int, float, partial(yaml.load, Loader=yaml.BaseLoader)):
        with suppress(ValueError, yaml.YAMLError):
            return read(bare)
    return bare


def _check_files(config: Config, config_path: Path, faults: Faults) -> None:
    """Refuse a territory that names files which are not there."""
    missing = [(key, path) for key, path in input_files(config) if not path.is_file()]
    faults.missing |= {str(path) for _, path in missing}
    problems = [_NO_FILE if path.exists() else "file does not exist" for _, path in missing]
    named = zip(problems, missing, strict=True)
    raise_first([InputError(said, file=config_path, row=key, value=str(path)) for said, (key, path) in named])


def _modes_of(config: Config, register: xr.Dataset) -> list[ModeKey]:
    """All (system, mode) in use, the default in place of none."""
    if not config.has_television:
        return []
    default = default_mode(config)
    pairs = zip(register["system"].values.tolist(), register["mode"].values.tolist(), strict=True)
    return sorted({(system, mode) if mode else default for system, mode in pairs})


def default_mode(config: Config) -> ModeKey:
    """(system, mode) of transmitters without one."""
    return config.coverage.default_mode.system, config.coverage.default_mode.mode


def _check_numbers(config: Config, tables: ProtectionTables, modes: list[ModeKey]) -> None:
    """Refuse tables without a number for every mode, device class and offset in use."""
    if config.has_television and default_mode(config) not in tables.modes:
        raise InputError(
            "mode is not in the table of modes",
            row="coverage.default_mode",
            value=" ".join(default_mode(config)),
            allowed=f"a row of {config.protection.modes}",
        )
    classes = [device.emission_class for device in config.devices]
    _check_devices(config)
    check_ratios(tables, modes, classes, config.protection.offsets or MANDATORY_OFFSETS)
    dtt_ratio_table_db(tables, modes)


def _check_devices(config: Config) -> None:
    """Refuse a device whose cap of density leaves nothing that it may transmit."""
    for number, device in enumerate(config.devices):
        if least_eirp_dbm(device) > device_cap_dbm(device):  # by the cap of the density
            raise InputError(
                "is above the cap: the device could never transmit",
                row=f"devices.{number}.min_eirp_dbm",
                value=device.min_eirp_dbm,
                allowed=f"up to {device_cap_dbm(device):g} dBm",
            )


def check_reach(config: Config, register: xr.Dataset, grid: Grid, config_path: Path) -> list[int]:
    """DTT channels that limit some device channel; refused where no transmitter is in reach on any."""
    if not config.has_television:
        return []
    near = within_reach(register, outline_m(grid), config.channels.reach_km)
    occupied = register["channel"].values[near].tolist()
    victims = victim_channels(config, occupied, config.all_device_channels())
    if not victims:
        raise InputError(
            "no transmitter within reach on any configured channel",
            file=config_path,
            row="registers.transmitters",
            value=f"{int(near.sum())} of {near.size} transmitters within {config.channels.reach_km:g} km",
            allowed="a transmitter on a channel that limits one of channels.wsd",
        )
    return victims


def _check_receivers(config: Config, victims: list[int], register: xr.Dataset) -> None:
    """Refuse a channel for which no receiving antenna is given."""
    centres_mhz = dict(zip(register["channel"].values.tolist(), register["centre_mhz"].values, strict=True))
    for channel in victims:
        receiver_band(config.coverage, float(centres_mhz[channel]))


def _check_population(config: Config, boundaries: Boundaries, grid: Grid) -> Iterator[str]:
    """Read the population, if there is one; the number of persons, which tells counts from densities."""
    if config.population is not None and config.population.raster is not None:
        counts = read_counts(config.population.raster, grid)
        persons, highest = float(np.nansum(counts.values)), float(np.nanmax(counts.values, initial=0.0))
        most = f"at most {highest:.0f} in one"
        yield f"  people        {persons:.0f} persons in the cells that the padded grid touches, {most}"
    elif config.population is not None and config.population.places is not None:
        places = read_places(config.population.places)
        yield _places_on_grid(config.population.places, places, grid)
        yield from without_polygon(places, boundaries)


def _places_on_grid(path: Path, places: Sequence[Settlement], grid: Grid) -> str:
    """The line on places of people; InputError where they would only be there if exchanged."""
    lon_deg, lat_deg = (
        np.array(values) for values in zip(*[(p.lon_deg, p.lat_deg) for p in places], strict=True)
    )
    here, exchanged = (_number_on_grid(grid, *pair) for pair in ((lon_deg, lat_deg), (lat_deg, lon_deg)))
    if not here and exchanged:
        raise InputError(
            "no place is on the padded grid; latitude and longitude look exchanged",
            file=path,
            field="latitude, longitude",
            value=f"{lat_deg[0]:g}, {lon_deg[0]:g}",
            allowed="degrees north and east",
        )
    return f"  people        {here} of {len(places)} places on the padded grid"


def _number_on_grid(grid: Grid, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]) -> int:
    possible = np.abs(lat_deg) <= 90.0
    _, _, on_grid = grid.pixels_of(lon_deg[possible], lat_deg[possible])
    return int(on_grid.sum())


def _read_terrain(
    config: Config, boundaries: Boundaries, masks: xr.Dataset, remarks: list[str]
) -> LonLatRaster | None:
    """The terrain model around the padded grid, refused if it does not cover it."""
    if config.terrain.dem is None:
        return None
    lon_deg, lat_deg = grid_lattice_deg(masks.attrs["grid"])
    box = box_around(lon_deg, lat_deg, CLEARANCE_KM)
    land = land_raster(surface_mask(boundaries, box, step_deg=_LAND_STEP_DEG))
    elevation = load_elevation(config.terrain.dem, box, land)
    remarks += coast_lines(config.terrain, elevation, land)
    needed = on_lattice(masks["reach"].values == 1)
    require_cover(elevation, lon_deg, lat_deg, files=config.terrain.dem, needed=needed)
    if "clutter" in model_named(config.propagation.coverage_model).needs:
        load_land_cover(config.terrain.clutter, box, land)
    return elevation
