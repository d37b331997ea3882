"""What the blocks of a channel are computed from, as plain arrays for the kernels.

Planning values, stations, the terrain profiles of their masts, propagation model, receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.blocks import on_threads
from pipeline.config.channels import Channels
from pipeline.config.config import Config
from pipeline.config.reception import Coverage, nuisance_times_pct
from pipeline.coverage.flat_tables import FlatTables
from pipeline.coverage.loss_lookup import Losses, pack_losses, tables_of
from pipeline.errors import InputError
from pipeline.grid.geodesy import site_frames
from pipeline.propagation.hata import Environment
from pipeline.propagation.models import Surroundings, model_named
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import PreparedCurves, prepare
from pipeline.radio.antennas import POLARISATION_CODES
from pipeline.radio.channel_plan import channel_centre_mhz, plan_neighbours, receiver_band
from pipeline.radio.noise import noise_field_dbuvm
from pipeline.reference.ratio_tables import ModeKey, ModeValues, read_protection_tables
from pipeline.reference.ratios import dtt_overlap_ratio_db
from pipeline.registers.guard_intervals import guard_intervals
from pipeline.terrain.loss_tables import LossTable
from pipeline.terrain.records import TCA_COUNT_DEG, TCA_UNKNOWN, Sweep, TerrainSource, without_profiles

# Tables of a profile by name.
_PROFILES: dict[str, type] = dict.fromkeys(("heff_m", "theta_eff1_deg", "hb_m"), np.float32)
_PROFILES |= {"sea_pieces": np.uint16, "tca_counts": np.int16}
_LIGHT_KM_PER_US = 0.299792458
# Added to every bound of a field: covers rounding and the centimetres of interpolated positions.
BOUND_MARGIN_DB = 0.01


class Stations(NamedTuple):
    """n transmitters in order of id.

    ``frame`` float64[n, 12] site frames; ``offset`` 0 in the wanted channel, else the place of its channel
    among ``channel_slots``; ``home`` whether the station belongs to the territory's own administration;
    ``network`` number of the single-frequency network or -1, ``guard_km`` its guard interval as path
    difference; ``mode`` row of ``ratio_db``; ``mast`` index into :class:`Paths`; ``pattern_db`` float32[n,
    360]; ``vertical_db`` float32[n, depression], all NaN where none is known.
    """

    frame: NDArray[np.float64]
    offset: NDArray[np.int64]
    erp_dbkw: NDArray[np.float64]  # e.r.p.
    agl_m: NDArray[np.float64]
    polarisation: NDArray[np.int64]
    home: NDArray[np.bool_]
    network: NDArray[np.int64]
    guard_km: NDArray[np.float64]
    mode: NDArray[np.int64]
    mast: NDArray[np.int64]
    pattern_db: NDArray[np.float32]
    vertical_db: NDArray[np.float32]
    tilt_deg: NDArray[np.float64]


class Paths(NamedTuple):
    """The terrain profiles of m masts, each table flattened: mast k owns ``values[start[k]:start[k + 1]]``.

    ``radials``: number of radials of effective height, sea and hb; ``tca_radials`` that of the clearance
    angles. ``ground_asl_m``: ground of the mast above sea level, NaN = unknown. ``highest_m``: largest height
    a path of this mast can have at any azimuth and distance; ``lowest_angle_deg``: lower bound of horizon
    plus clearance angle, NaN without clearance angles.
    """

    terrain: NDArray[np.bool_]
    radials: NDArray[np.int64]
    step_deg: NDArray[np.float64]
    ground_asl_m: NDArray[np.float64]
    highest_m: NDArray[np.float64]
    lowest_angle_deg: NDArray[np.float64]
    heff_start: NDArray[np.int64]
    heff_m: NDArray[np.float32]
    theta_deg: NDArray[np.float32]
    hb_start: NDArray[np.int64]
    hb_m: NDArray[np.float32]
    hb_step_km: NDArray[np.float64]
    sea_start: NDArray[np.int64]
    sea_pieces: NDArray[np.uint16]
    sea_step_km: NDArray[np.float64]
    tca_start: NDArray[np.int64]
    tca_counts: NDArray[np.int16]
    tca_radials: NDArray[np.int64]
    tca_first_deg: NDArray[np.float64]
    tca_azimuth_step_deg: NDArray[np.float64]
    tca_first_km: NDArray[np.float64]
    tca_step_km: NDArray[np.float64]


def paths_of(transmitters: xr.Dataset, sweep_of: Callable[[str], Sweep], threads: int = 1) -> Paths:
    """The terrain profiles of the masts of some transmitters, in order of their keys."""
    pairs = zip(transmitters["mast"].values, transmitters["antenna_height_agl_m"].values, strict=True)
    agl_m = {str(key): float(height_m) for key, height_m in pairs}
    keys = sorted(agl_m)
    return pack_paths(on_threads(sweep_of, zip(keys), threads), [agl_m[key] for key in keys])


def pack_paths(sweeps: Iterable[Sweep], agl_m: Sequence[float]) -> Paths:
    """The terrain profiles of masts as flat arrays; ``agl_m`` antenna height above ground of each mast.

    Profiles are copied one after another and not held: those of one channel may take as much memory as all
    the rest of its job.
    """
    known = (int(TerrainSource.DEM), int(TerrainSource.PARTIAL))
    tables = {name: FlatTables(kind) for name, kind in _PROFILES.items()}
    light, highest_m, lowest_angle_deg = list[Sweep](), list[float](), list[float]()
    for sweep, height_m in zip(sweeps, agl_m, strict=True):
        for name, flat in tables.items():
            flat.add(getattr(sweep, name))
        highest_m.append(_highest_m(sweep, height_m))
        lowest_angle_deg.append(_lowest_angle_deg(sweep))
        light.append(without_profiles(sweep))
    return Paths(
        terrain=np.array([sweep.terrain_source in known for sweep in light], dtype=np.bool_),
        radials=np.array([sweep.heff_m.size for sweep in light], dtype=np.int64),
        step_deg=np.array([sweep.azimuth_step_deg for sweep in light], dtype=np.float64),
        ground_asl_m=np.array([sweep.ground_asl_m for sweep in light], dtype=np.float64),
        highest_m=np.array(highest_m, dtype=np.float64),
        lowest_angle_deg=np.array(lowest_angle_deg, dtype=np.float64),
        heff_start=tables["heff_m"].start,
        heff_m=tables["heff_m"].values,
        theta_deg=tables["theta_eff1_deg"].values,
        hb_start=tables["hb_m"].start,
        hb_m=tables["hb_m"].values,
        hb_step_km=np.array([sweep.hb_step_km for sweep in light], dtype=np.float64),
        sea_start=tables["sea_pieces"].start,
        sea_pieces=tables["sea_pieces"].values,
        sea_step_km=np.array([sweep.sea_step_km for sweep in light], dtype=np.float64),
        tca_start=tables["tca_counts"].start,
        tca_counts=tables["tca_counts"].values,
        tca_radials=np.array([sweep.tca_counts.shape[0] for sweep in light], dtype=np.int64),
        tca_first_deg=np.array([sweep.tca_first_azimuth_deg for sweep in light], dtype=np.float64),
        tca_azimuth_step_deg=np.array([sweep.tca_azimuth_step_deg for sweep in light], dtype=np.float64),
        tca_first_km=np.array([sweep.tca_first_km for sweep in light], dtype=np.float64),
        tca_step_km=np.array([sweep.tca_step_km for sweep in light], dtype=np.float64),
    )


def _highest_m(sweep: Sweep, agl_m: float) -> float:
    tables = (np.array([agl_m]), sweep.heff_m, sweep.hb_m)
    return max((float(np.nanmax(table)) for table in tables if np.isfinite(table).any()), default=0.0)


def _lowest_angle_deg(sweep: Sweep) -> float:
    known = sweep.tca_counts[sweep.tca_counts != TCA_UNKNOWN]
    if known.size == 0 or not np.isfinite(sweep.theta_eff1_deg).any():
        return float("nan")
    return float(np.nanmin(sweep.theta_eff1_deg)) + TCA_COUNT_DEG * float(known.min())


def pack_stations(
    transmitters: xr.Dataset,
    slots: Sequence[int],
    home: Sequence[str],
    modes: Sequence[tuple[str, str]],
    masts: Sequence[str],
    guard_us: NDArray[np.float64],
) -> Stations:
    """The transmitters of a channel and its neighbours (dim ``transmitter``, by id) as arrays.

    ``slots`` as of ``channel_slots``; ``modes`` (system, mode) in order of the rows of the ratio table; every
    transmitter's mode is among them. ``masts`` the keys in order of :class:`Paths`; ``guard_us``
    [transmitter].
    """
    networks = sorted({str(name) for name in transmitters["sfn"].values if name})
    sfn = [str(name) for name in transmitters["sfn"].values]
    pairs = zip(transmitters["system"].values, transmitters["mode"].values, strict=True)
    return Stations(
        frame=site_frames(transmitters["lon_deg"].values, transmitters["lat_deg"].values),
        offset=np.array(
            [_place_of(slots, number) for number in transmitters["channel"].values.tolist()], np.int64
        ),
        erp_dbkw=10.0 * np.log10(transmitters["erp_kw"].values.astype(np.float64)),
        agl_m=transmitters["antenna_height_agl_m"].values.astype(np.float64),
        polarisation=_indices(transmitters["polarisation"].values, POLARISATION_CODES),
        home=np.isin(transmitters["country"].values, list(home)),
        network=np.array([networks.index(name) if name else -1 for name in sfn], dtype=np.int64),
        guard_km=_LIGHT_KM_PER_US * guard_us,
        mode=np.array([modes.index((str(s), str(m))) for s, m in pairs], dtype=np.int64),
        mast=_indices(transmitters["mast"].values, {key: index for index, key in enumerate(masts)}),
        pattern_db=np.ascontiguousarray(transmitters["attenuation_db"].values, dtype=np.float32),
        vertical_db=np.ascontiguousarray(transmitters["vertical_attenuation_db"].values, dtype=np.float32),
        tilt_deg=np.nan_to_num(transmitters["beam_tilt_deg"].values.astype(np.float64)),
    )


def _place_of(slots: Sequence[int], channel: int) -> int:
    """Offset of a channel's stations: 0 for the channel in the middle."""
    return 0 if channel == slots[1] else slots.index(channel) - 1


def _indices(names: NDArray[np.str_], codes: Mapping[str, int]) -> NDArray[np.int64]:
    return np.array([int(codes[str(name)]) for name in names], dtype=np.int64)


class CoverageModel(IntEnum):
    """Models of wanted and interfering fields by the names of the table; chosen by hand here alone."""

    P1546 = 0
    P1812 = 1
    FREE_SPACE = 2
    HATA = 3
    EXTENDED_HATA = 4


class TvReceiver(NamedTuple):
    """The receiving antenna and its surroundings.

    ``by_pixel``: ``environment`` is that of the largest fields, to which each pixel adds its own.
    """

    h2_m: float
    clutter_m: float
    area: int  # pipeline.propagation.models.Surroundings
    environment: int  # pipeline.propagation.hata.Environment
    warm_sea: bool
    flat_deg: float
    end_deg: float
    directivity_db: float
    cross_polar_db: float
    by_pixel: bool = False


class FieldModel(NamedTuple):
    """The model at a channel and its neighbours below and above, for the times of wanted and other fields.

    ``prepared``: six ``PreparedCurves``, index 2 (offset + 1) + time; ``f_mhz`` [3]; more of both where
    channels of several rasters overlap or touch. ``losses`` of the transmitters, where tables were filled.
    """

    code: int  # CoverageModel
    curves: NDArray[np.float64]
    prepared: tuple[PreparedCurves, ...]
    f_mhz: NDArray[np.float64]
    losses: Losses


class ReceptionRules(NamedTuple):
    """Planning values: ``ratio_db`` [mode, transmitter], ``noise_dbuvm`` [mode], spreads in dB.

    ``spillover``: any transmitter may serve anywhere. ``bound_margin_db`` is added to all bounds by which
    work is left out; infinite, everything is computed.
    """

    ratio_db: NDArray[np.float64]
    noise_dbuvm: NDArray[np.float64]
    wanted_sigma_db: float
    interferer_sigma_db: float
    spillover: bool
    bound_margin_db: float = BOUND_MARGIN_DB


class ChannelInputs(NamedTuple):
    """Everything the blocks of one channel share."""

    stations: Stations
    paths: Paths
    model: FieldModel
    receiver: TvReceiver
    rules: ReceptionRules
    q_min: float
    min_density_per_km2: float


class Planning(NamedTuple):
    """``modes`` in order of rows; ``noise_dbuvm`` [mode]; ``ratio_db`` [mode, transmitter]."""

    modes: tuple[ModeKey, ...]
    noise_dbuvm: NDArray[np.float64]
    ratio_db: NDArray[np.float64]


def planning_of(config: Config, transmitters: xr.Dataset, channel: int) -> Planning:
    """Planning values from the tables that the configuration names."""
    tables = read_protection_tables(config.protection)
    neighbours = plan_neighbours(config.channels, channel)
    return planning_values(
        transmitters,
        channel_centre_mhz(config.channels, channel),
        config.coverage,
        tables.modes,
        lambda mode, other: dtt_overlap_ratio_db(tables, mode, *neighbours[other]),
    )


def planning_values(
    transmitters: xr.Dataset,
    centre_mhz: float,
    coverage: Coverage,
    modes: Mapping[ModeKey, ModeValues],
    ratio_db: Callable[[ModeKey, int], float],
) -> Planning:
    """Noise fields and protection ratios for the wanted modes of a channel.

    ``modes``: C/N and noise bandwidth by (system, mode); ``ratio_db(wanted mode, channel)`` with the
    channel of the interferer. Modes that occur only in adjacent channels get rows too, which nothing uses.
    """
    used = sorted(set(_modes(transmitters)))
    if missing := [key for key in used if key not in modes]:
        known = ", ".join(" ".join(key) for key in sorted(modes))
        raise InputError("unknown mode", field="multiplex_mode", value=" ".join(missing[0]), allowed=known)
    band = receiver_band(coverage, centre_mhz)
    antenna = (band.gain_dbd, band.feeder_db)
    noise = [
        noise_field_dbuvm(
            centre_mhz, modes[key].noise_bandwidth_mhz, coverage.noise_figure_db, modes[key].c_n_db, *antenna
        )
        for key in used
    ]
    channels = transmitters["channel"].values.tolist()
    ratios = [[ratio_db(key, other) for other in channels] for key in used]
    return Planning(tuple(used), np.array(noise), np.array(ratios, dtype=np.float64).reshape(len(used), -1))


def _modes(transmitters: xr.Dataset) -> Sequence[ModeKey]:
    pairs = zip(transmitters["system"].values, transmitters["mode"].values, strict=True)
    return [(str(system), str(mode)) for system, mode in pairs]


def channel_inputs(
    transmitters: xr.Dataset,
    sweeps: Mapping[str, Sweep] | Paths,
    planning: Planning,
    config: Config,
    channel: int,
    time: int = 0,
    losses: Iterable[LossTable] | None = None,
) -> ChannelInputs:
    """Arrays for the kernels; interfering fields at the ``time``-th percentage of those configured.

    ``transmitters`` as of ``network.select_channels``; ``sweeps`` terrain profiles by mast key, or those
    of ``paths_of``; ``losses`` of each transmitter if the model has tables.
    """
    coverage = config.coverage
    masts = sorted({str(key) for key in transmitters["mast"].values})
    rules = ReceptionRules(
        planning.ratio_db,
        planning.noise_dbuvm,
        coverage.location_sigma_db,
        coverage.location_sigma_db,
        # The threshold method asks for the field of any transmitter (docs/method.md, section 13).
        coverage.protect_spillover or config.protection.method == "threshold",
    )
    stations = pack_stations(
        transmitters,
        channel_slots(config.channels, channel),
        config.territory.home,
        planning.modes,
        masts,
        guard_intervals(transmitters, coverage).guard_us,
    )
    return ChannelInputs(
        stations,
        sweeps if isinstance(sweeps, Paths) else paths_of(transmitters, sweeps.__getitem__),
        _field_model(config, channel, time, losses, stations.offset == 0),
        _receiver(config, channel),
        rules,
        coverage.served_from,
        coverage.min_density_per_km2,
    )


def _field_model(
    config: Config, channel: int, time: int, losses: Iterable[LossTable] | None, wanted: NDArray[np.bool_]
) -> FieldModel:
    """The model at the frequencies of ``channel_slots``; ``wanted`` [transmitter] of the channel itself."""
    slots = channel_slots(config.channels, channel)
    f_mhz = np.array([channel_centre_mhz(config.channels, slot) for slot in slots])
    settings = config.propagation
    t_pct = (settings.wanted_time_pct, nuisance_times_pct(settings.nuisance_time_pct)[time])
    curves = load_curves()
    prepared = tuple(prepare(curves, f, t) for f in f_mhz for t in t_pct)
    code = int(CoverageModel[settings.coverage_model.upper()])
    tables = () if losses is None else tables_of(losses, time, wanted)
    return FieldModel(code, curves, prepared, f_mhz, pack_losses(tables))


def channel_slots(channels: Channels, channel: int) -> list[int]:
    """Channels with a place in the tables of a wanted channel: one below, itself, one above, further ones.

    Further ones there are only where several rasters overlap or touch; the place of a neighbour that the plan
    does not have is taken by the channel itself.
    """
    own_mhz = channel_centre_mhz(channels, channel)
    others = [number for number in plan_neighbours(channels, channel) if number != channel]
    below = [number for number in others if channel_centre_mhz(channels, number) < own_mhz]
    above = [number for number in others if number not in below]
    return [(below or [channel])[0], channel, (above or [channel])[0], *below[1:], *above[1:]]


def _receiver(config: Config, channel: int) -> TvReceiver:
    band = receiver_band(config.coverage, channel_centre_mhz(config.channels, channel))
    area, by_pixel = config.propagation.area, has_surroundings(config)
    environment = {"rural": Environment.OPEN, "suburban": Environment.SUBURBAN}.get(area, Environment.URBAN)
    if by_pixel:
        environment = Environment.OPEN
    return TvReceiver(
        config.coverage.receiver_height_m,
        config.propagation.clutter_height_m,
        int(Surroundings[area.upper()]),
        int(environment),
        config.territory.sea == "warm",
        band.flat_deg,
        band.end_deg,
        band.discrimination_db,
        config.coverage.cross_polar_db,
        by_pixel,
    )


def has_surroundings(config: Config) -> bool:
    """Whether each receiver has the surroundings of its land cover, by a model that knows some."""
    needs = model_named(config.propagation.coverage_model).needs
    return config.terrain.clutter is not None and "surroundings" in needs
