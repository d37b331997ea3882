"""The separation method: devices keep a distance from protected contours (SM.2405 Annex 10, 47 CFR 15.712).

The e.i.r.p. that a pixel may use is the largest step of the table whose distance it keeps, measured between
its square and the nearest pixel that a contour touches. An e.i.r.p. between two steps needs the distance of
the higher one; a device of at most 100 kHz needs those of 36 dBm.

The protected contour lies where F(50,90) = 2 F(50,50) - F(50,10) falls to a field; F(L,T) is exceeded at L %
of locations for T % of the time. The fields are those of the FCC's curves, or of P.1546-6 over land, with the
effective height of each azimuth (HAAT without a terrain model).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pyproj import Transformer
from rasterio.features import rasterize

from pipeline.budget import NEXT_LIMITS, Budget, Term, strictest
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.coverage.network import load_sweeps, read_network
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.victims import ExplainedPixel, VictimLabel
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.grid import GEOD, LONLAT, Grid
from pipeline.kernels import kernel
from pipeline.propagation.fcc_curves import distances_km, has_curves
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import PreparedCurves, flat_path_field_dbuvm, prepare
from pipeline.radio.antennas import AZIMUTHS
from pipeline.radio.channel_plan import Offset, channel_centre_mhz
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.ratio_tables import ModeKey
from pipeline.reference.separation_distances import (
    RELATIONS,
    SEPARATION_BANDS,
    permitted_dbm,
    read_distances,
    steps_of,
)
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows, row_problem
from pipeline.terrain.records import Sweep
from pipeline.territory.neighbours import square_distance_px

_QUANTITIES = {"field_dbuvm": (0.0, 120.0), "dipole_mhz": (30.0, 4000.0), "least_height_m": (-100.0, 1000.0)}
_Frequency = Annotated[NumberCell, Field(ge=30, le=4000, description="30 to 4000 MHz")]
MEDIAN_PCT, HIGH_PCT, _TENTH_PCT = 50.0, 90.0, 10.0
_NEAREST_KM, _FARTHEST_KM, _NODES = 0.1, 500.0, 150
_HALVINGS = 25


class ContourRow(SourcedRow):
    """One number on the contours of a system between two frequencies."""

    system: str
    from_mhz: _Frequency
    to_mhz: _Frequency
    quantity: Annotated[
        Literal["field_dbuvm", "dipole_mhz", "least_height_m"], Field(description=", ".join(_QUANTITIES))
    ]
    value: NumberCell

    @model_validator(mode="after")
    def _in_range(self) -> ContourRow:
        low, high = _QUANTITIES[self.quantity]
        if not low <= self.value <= high:
            raise row_problem("value", "value is not allowed", f"a number from {low:g} to {high:g}")
        return self


class ProtectedContour(NamedTuple):
    """Field of the contour at a frequency, and the least antenna height that counts."""

    field_dbuvm: float
    least_height_m: float


def read_contours(path: Path) -> list[ContourRow]:
    """All rows of a table of contours; a line that is wrong is refused."""
    return read_rows(path, ContourRow)


def contour_of(rows: Sequence[ContourRow], system: str, f_mhz: float) -> ProtectedContour | None:
    """Contour of a system at a frequency, less the dipole factor 20 log10(f0/f) if one is given."""
    found = {
        row.quantity: row.value for row in rows if row.system == system and row.from_mhz <= f_mhz < row.to_mhz
    }
    if "field_dbuvm" not in found:
        return None
    reference_mhz = found.get("dipole_mhz", f_mhz)
    field_dbuvm = found["field_dbuvm"] - 20.0 * math.log10(reference_mhz / f_mhz)
    return ProtectedContour(field_dbuvm, found.get("least_height_m", -math.inf))


def contour_km(
    contour: ProtectedContour,
    f_mhz: float,
    height_m: NDArray[np.float64],
    erp_dbkw: NDArray[np.float64],
    receiver_m: float | None,
    time_pct: float = HIGH_PCT,
) -> NDArray[np.float64]:
    """Distance in km of the contour by radial [n], from effective height and e.r.p. of each radial.

    The farthest point that still has the field, to 1 m on the far side; 0 where not even the nearest has.
    By P.1546 for a receiver at ``receiver_m``; None: by the FCC's curves, which are those of 9.1 m.
    ``time_pct`` 50 or 90.
    """
    heights_m = np.maximum(height_m, contour.least_height_m)
    wanted_dbuvm = contour.field_dbuvm - erp_dbkw
    if receiver_m is None:
        return distances_km(f_mhz, time_pct, heights_m, wanted_dbuvm)
    curves = load_curves()
    # The median as both is the median: 2 F(50,50) - F(50,50).
    other_pct = _TENTH_PCT if time_pct == HIGH_PCT else MEDIAN_PCT
    prepared = (prepare(curves, f_mhz, MEDIAN_PCT), prepare(curves, f_mhz, other_pct))
    nodes_km = np.geomspace(_NEAREST_KM, _FARTHEST_KM, _NODES)
    return farthest_km(*prepared, curves, heights_m, wanted_dbuvm, receiver_m, nodes_km)


@kernel
def f5090_dbuvm(
    median: PreparedCurves,
    tenth: PreparedCurves,
    curves: NDArray[np.float64],
    d_km: float,
    height_m: float,
    receiver_m: float,
) -> float:
    """Field of 1 kW e.r.p. exceeded for 90 % of the time: the distribution in dB is taken as symmetric."""
    e50 = flat_path_field_dbuvm(median, curves, d_km, height_m, receiver_m, 0.0)
    e10 = flat_path_field_dbuvm(tenth, curves, d_km, height_m, receiver_m, 0.0)
    return 2.0 * e50 - e10


@kernel
def farthest_km(
    median: PreparedCurves,
    tenth: PreparedCurves,
    curves: NDArray[np.float64],
    height_m: NDArray[np.float64],
    wanted_dbuvm: NDArray[np.float64],
    receiver_m: float,
    nodes_km: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Farthest distance with at least ``wanted_dbuvm`` by radial, searched from the far end."""
    distance_km = np.zeros(height_m.size)
    for i in range(height_m.size):
        h, wanted = height_m[i], wanted_dbuvm[i]
        k = nodes_km.size - 1
        while k >= 0:
            if f5090_dbuvm(median, tenth, curves, nodes_km[k], h, receiver_m) >= wanted:
                break
            k -= 1
        if k < 0:
            continue
        low = nodes_km[k]
        high = nodes_km[min(k + 1, nodes_km.size - 1)]
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if f5090_dbuvm(median, tenth, curves, middle, h, receiver_m) >= wanted:
                low = middle
            else:
                high = middle
        distance_km[i] = high
    return distance_km


def contour_polygons(
    config: Config, channel: int, stations: xr.Dataset, sweeps: dict[str, Sweep], crs: str
) -> list[shapely.Polygon]:
    """Contours of the stations in a projected CRS, one each."""
    f_mhz = channel_centre_mhz(config.channels, channel)
    settings = config.protection.separation
    rows = read_contours(settings.contours)
    azimuths_deg = np.arange(0.0, 360.0, settings.azimuth_step_deg)
    to_grid = Transformer.from_crs(LONLAT, crs, always_xy=True)
    polygons = []
    for i in range(stations.sizes["transmitter"]):
        station = stations.isel(transmitter=i)
        contour = _required_contour(settings.contours, rows, str(station["system"].item()), f_mhz)
        sweep = sweeps[str(station["mast"].item())]
        radius_km = radii_km(config, contour, station, sweep, azimuths_deg, f_mhz)
        lon_deg, lat_deg = ring_deg(station, azimuths_deg, radius_km)
        polygons.append(shapely.Polygon(np.column_stack(to_grid.transform(lon_deg, lat_deg))))
    return polygons


def _required_contour(file: Path, rows: Sequence[ContourRow], system: str, f_mhz: float) -> ProtectedContour:
    contour = contour_of(rows, system, f_mhz)
    if contour is None:
        raise InputError(
            "no contour for a system",
            file=file,
            field="system",
            value=f"{system} at {f_mhz:g} MHz",
            allowed="a field_dbuvm row for every system in use",
        )
    return contour


def radii_km(
    config: Config,
    contour: ProtectedContour,
    station: xr.Dataset,
    sweep: Sweep,
    azimuths_deg: NDArray[np.float64],
    f_mhz: float,
    time_pct: float = HIGH_PCT,
) -> NDArray[np.float64]:
    """Contour distance at each azimuth, widened so that straight edges do not cut into the circle."""
    radials_deg = np.arange(sweep.heff_m.size) * sweep.azimuth_step_deg
    height_m = np.interp(azimuths_deg, radials_deg, sweep.heff_m.astype(np.float64), period=360.0)
    pattern_db = station["attenuation_db"].values.astype(np.float64)
    attenuation_db = np.interp(azimuths_deg, np.arange(AZIMUTHS), pattern_db, period=360.0)
    erp_dbkw = 10.0 * math.log10(float(station["erp_kw"])) - attenuation_db
    by_fcc = config.protection.method == "separation" and config.protection.separation.curves == "fcc"
    receiver_m = None if by_fcc else config.coverage.receiver_height_m
    radius_km = contour_km(contour, f_mhz, height_m, erp_dbkw, receiver_m, time_pct)
    return radius_km / math.cos(math.radians(0.5 * config.protection.separation.azimuth_step_deg))


def ring_deg(
    station: xr.Dataset, azimuths_deg: NDArray[np.float64], radius_km: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of the ends of radials of a station."""
    lon_deg, lat_deg = (np.full(azimuths_deg.size, float(station[name])) for name in ("lon_deg", "lat_deg"))
    lon_deg, lat_deg, _ = GEOD.fwd(lon_deg, lat_deg, azimuths_deg, 1000.0 * radius_km)
    return lon_deg, lat_deg


def inside_contours(polygons: Sequence[shapely.Polygon], grid: Grid) -> NDArray[np.bool_]:
    """Pixels that any contour touches, bool[y, x]."""
    inside = np.zeros(grid.shape, dtype=np.uint8)
    box = shapely.box(*grid.bounds_m)
    near = [polygon for polygon in polygons if polygon.intersects(box)]
    if near:
        rasterize([(p, 1) for p in near], out=inside, transform=grid.transform, all_touched=True)
    return inside.astype(np.bool_)


class SeparationMaps(NamedTuple):
    """E.i.r.p. float32 and label uint8 (``VictimLabel``) by relation, [co | adjacent, y, x]."""

    eirp_dbm: NDArray[np.float32]
    label: NDArray[np.uint8]


def separation_maps(config: Config, build: Path, channel: int, device: Device, grid: Grid) -> SeparationMaps:
    """Maps of one DTT channel and device: contours of own and of foreign stations, as far as evaluated."""
    network = read_network(config, grid, channel)
    chosen = (network["channel"].values == channel) & (network["protection"].values != "none")
    network = network.isel(transmitter=chosen)
    sweeps = load_sweeps(build, network)
    home = np.isin(network["country"].values, config.territory.home)
    shape = (len(RELATIONS), grid.height, grid.width)
    maps = SeparationMaps(np.full(shape, np.inf, np.float32), np.zeros(shape, np.uint8))
    parts: tuple[tuple[str, NDArray[np.bool_], VictimLabel], ...] = (
        ("dtt", home, VictimLabel.HOME),
        ("foreign_dtt", ~home, VictimLabel.FOREIGN),
    )
    for service, its, label in parts:
        if config.services[service].evaluated and its.any():
            stations = network.isel(transmitter=np.flatnonzero(its))
            inside = inside_contours(contour_polygons(config, channel, stations, sweeps, grid.crs), grid)
            _lower(maps, config, device, inside, grid, label)
    return maps


def _lower(
    maps: SeparationMaps,
    config: Config,
    device: Device,
    inside: NDArray[np.bool_],
    grid: Grid,
    label: VictimLabel,
) -> None:
    """Lower the maps by one set of contours."""
    file = config.protection.separation.distances
    rules = read_distances(file)
    # The table is of one channel: a bond has its share of the whole e.i.r.p. in each of its channels.
    bond_db = 10.0 * math.log10(device.bond)
    km_per_px = grid.resolution_m / 1000.0 / grid.largest_scale()
    distance_km = square_distance_px(inside).astype(np.float64) * km_per_px
    for k, relation in enumerate(RELATIONS):
        steps = steps_of(rules, device, relation, file)
        eirp_dbm = permitted_dbm(steps, device_cap_dbm(device) - bond_db, inside, distance_km)
        eirp_dbm += np.float32(bond_db)
        stricter = eirp_dbm < maps.eirp_dbm[k]
        maps.eirp_dbm[k][stricter] = eirp_dbm[stricter]
        maps.label[k][stricter] = label


# --- checks and budget --------------------------------------------------------------------------------------


def check_separation(config: Config, modes: Iterable[ModeKey], victims: Iterable[int]) -> None:
    """Refuse tables without a contour for a system in use or without distances for a device."""
    if config.protection.method != "separation":
        return
    settings = config.protection.separation
    contours, rules = read_contours(settings.contours), read_distances(settings.distances)
    for device in config.devices:
        for relation in RELATIONS:
            steps_of(rules, device, relation, settings.distances)
    for system in sorted({system for system, _ in modes}):
        for channel in victims:
            f_mhz = channel_centre_mhz(config.channels, channel)
            _required_contour(settings.contours, contours, system, f_mhz)
            if settings.curves == "fcc" and not has_curves(f_mhz):
                raise InputError(
                    "the FCC has no curves at the frequency of a channel",
                    row="protection.separation.curves",
                    value=f"channel {channel}, {f_mhz:g} MHz",
                    allowed="p1546 outside 54-108, 174-216 and 470-806 MHz",
                )


def explain_separation(asked: ExplainedPixel, victims: Sequence[tuple[int, Offset]]) -> Budget | None:
    """The strictest channel at a pixel, and the next ones; the one term is the e.i.r.p. of its distance."""
    found = [(*_stored(asked, victim, offset), victim, offset.number) for victim, offset in victims]
    ascending = sorted((one for one in found if one[0] < np.inf), key=lambda one: one[0])
    return strictest(_budget(asked, *one) for one in ascending[: 1 + NEXT_LIMITS])


def _budget(asked: ExplainedPixel, eirp_dbm: float, label: int, victim: int, number: int) -> Budget:
    """The budget of one victim channel."""
    facts = {"kind": "protected contour", "channel": victim, "offset": number}
    facts |= _nearest_station(asked, victim, label)
    note = f"dBm, offset {number:+d}, contour of channel {victim}"
    return Budget(facts, (Term("e.i.r.p. whose separation is kept", eirp_dbm, note),), label)


def _stored(asked: ExplainedPixel, victim: int, offset: Offset) -> tuple[float, int]:
    """Limit and label of one victim channel at a pixel."""
    limits_file, labels_file = ChannelFiles(asked.build, victim).protection(asked.device)
    rows, cols = asked.window
    for name, offsets in SEPARATION_BANDS.items():
        if offset.number in offsets:
            level_dbm = raster.read(limits_file, bands=[name], rows=rows, cols=cols, stacked=True).values
            label = raster.read(labels_file, bands=[name], rows=rows, cols=cols, stacked=True).values
            return float(level_dbm[0, 0, 0]), int(label[0, 0, 0])
    return np.inf, int(VictimLabel.NONE)


def _nearest_station(asked: ExplainedPixel, victim: int, label: int) -> dict[str, object]:
    """The station of the limiting side whose contour is nearest to the pixel's square, and how near."""
    config, grid, (row, col) = asked.config, asked.grid, (asked.row, asked.col)
    network = read_network(config, grid, victim)
    home = np.isin(network["country"].values, config.territory.home)
    side = home.copy() if label == VictimLabel.HOME else ~home
    side &= (network["channel"].values == victim) & (network["protection"].values != "none")
    network = network.isel(transmitter=np.flatnonzero(side))
    sweeps = load_sweeps(asked.build, network)
    polygons = contour_polygons(config, victim, network, sweeps, grid.crs)
    square = shapely.box(*grid.box_m(slice(row, row + 1), slice(col, col + 1)))
    distances_m = shapely.distance(np.array(polygons), square)
    nearest = int(np.argmin(distances_m))
    return _facts(network.isel(transmitter=nearest)) | {
        "distance_km": float(distances_m[nearest]) / 1000.0 / grid.largest_scale()
    }


def _facts(station: xr.Dataset) -> dict[str, object]:
    return {
        "station": str(station["id"].item()),
        "country": str(station["country"].item()),
        "lon": float(station["lon_deg"]),
        "lat": float(station["lat_deg"]),
    }
