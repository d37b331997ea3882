"""The wanted field of a victim: its terms, and the profile of terrain on the way from its station.

The terms are those of the model of coverage of the run; mechanism, horizons and obstruction are those of
P.1812-8 along the profile between the two places, whatever the model (docs/method.md, section 35).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.budget import Term
from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coverage.fields import shape_fields
from pipeline.coverage.inputs import ChannelInputs, Stations
from pipeline.coverage.point_fields import (
    PointTerrain,
    point_fields,
    point_inputs,
    rays_from,
    terrain_to_points,
)
from pipeline.coverage.profile_fields import PlacesGround, ground_of_paths, mast_and_waves, profile_fields
from pipeline.coverage.receiver_surroundings import surroundings_at
from pipeline.errors import InputError
from pipeline.hashing import file_sha256, input_files
from pipeline.propagation.models import model_named
from pipeline.propagation.p1812.climate import median_radius_km
from pipeline.propagation.p1812.diffraction import wavelength_m
from pipeline.registers.transmitters import read_register
from pipeline.terrain.loss_tables import PlacePath, path_to, unknown_path

# A mast in the pixel itself: there is no terrain between.
_SHORTEST_KM = 0.01
_RECEPTION = ("reception", "foreign reception")
PATH_INPUTS = ("registers.", "terrain.", "territory.")
"""The inputs a path is made of: stations, terrain, its cover and the boundaries of the land."""
# Fields of a single-frequency network add up to little more; above that another path made the maps.
_LARGE_REST_DB = 3.0


class DrawnProfile(NamedTuple):
    """A path as a picture shows it: [n] along it, heights in m above the chord of sea level between its ends.

    ``earth_m``: rise of the effective Earth; ``terrain_m``, ``cover_m`` above sea level; ``ray_m`` between
    the antennas; ``fresnel_m`` radius of the first zone. ``horizons_km``: from the station, none on a clear
    path.
    """

    d_km: NDArray[np.float64]
    earth_m: NDArray[np.float64]
    terrain_m: NDArray[np.float64]
    cover_m: NDArray[np.float64]
    ray_m: NDArray[np.float64]
    fresnel_m: NDArray[np.float64]
    horizons_km: tuple[float, ...]


class WantedPath(NamedTuple):
    """Facts and terms of a wanted field, with plain JSON values, and its profile."""

    facts: dict[str, Any]
    terms: tuple[Term, ...]
    drawn: DrawnProfile


class _Way(NamedTuple):
    """One transmitter and one place, with all between them."""

    config: Config
    network: xr.Dataset
    inputs: ChannelInputs
    terrain: PointTerrain
    environments: NDArray[np.uint8] | None
    ground: PlacesGround
    lon_deg: NDArray[np.float64]
    lat_deg: NDArray[np.float64]


def has_wanted_path(victim: Mapping[str, Any]) -> bool:
    """Whether a victim is reception with a wanted field."""
    return victim.get("kind") in _RECEPTION


def changed_input(
    config: Config, entries: Iterable[Mapping[str, Any]], keys: tuple[str, ...] = PATH_INPUTS
) -> str:
    """What has become of the first input of a run that is not as it was; empty if all are.

    ``entries`` those of the run's manifest: key of the setting, path and SHA-256; ``keys``: how the keys of
    those looked at begin.
    """
    today = dict(input_files(config))
    for entry in entries:
        if entry["key"].startswith(keys):
            path = today.get(entry["key"])
            if path is None or not path.is_file():
                return f"{entry['path']} is not here"
            if file_sha256(path) != entry["sha256"]:
                return f"{entry['path']} has changed since the run"
    return ""


def wanted_path(config: Config, victim: Mapping[str, Any]) -> WantedPath | None:
    """The way of the wanted field of a victim as ``explain`` tells it; None without terrain or station."""
    if not has_wanted_path(victim) or config.terrain.dem is None:
        return None
    register, _ = read_register(config)
    (numbers,) = np.nonzero(register["id"].values == victim.get("station", {}).get("id", ""))
    if numbers.size == 0:
        return None
    way = _way_of(config, register.isel(transmitter=numbers), victim)
    d_km, az_deg = rays_from(way.inputs, 0, way.lon_deg, way.lat_deg)
    if d_km[0] < _SHORTEST_KM:
        return None
    mast, waves = mast_and_waves(config, way.network, way.inputs, way.ground)
    place = float(az_deg[0]), float(d_km[0])
    receiver_m = config.coverage.receiver_height_m
    path = path_to(mast, way.ground.profiles, waves, way.ground.step_km, *place, receiver_m)
    if path is None:
        raise unknown_path(mast, float(way.lon_deg[0]), float(way.lat_deg[0]), "victim")
    drawn = profile_of(path, waves.lapse_n_per_km)
    terms = _terms(way, path, float(victim["wanted_dbuvm"]))
    return WantedPath(_facts(config, victim, path, drawn, place[0]), terms, drawn)


def _way_of(config: Config, network: xr.Dataset, victim: Mapping[str, Any]) -> _Way:
    lon_deg, lat_deg = np.array([victim["lon"]], np.float64), np.array([victim["lat"]], np.float64)
    terrain = terrain_to_points(config, network, lon_deg, lat_deg)
    inputs = point_inputs(config, network, terrain.sweeps, int(victim["channel"]))
    ground = ground_of_paths(config, network, terrain.land, lon_deg, lat_deg)
    environments = surroundings_at(config, lon_deg, lat_deg)
    return _Way(config, network, inputs, terrain, environments, ground, lon_deg, lat_deg)


# --- the field ----------------------------------------------------------------------------------------------


def _terms(way: _Way, path: PlacePath, wanted_dbuvm: float) -> tuple[Term, ...]:
    """What the wanted field of the maps is made of; the last term is what the direct way leaves over."""
    stations = way.inputs.stations
    plain = stations._replace(
        erp_dbkw=np.zeros_like(stations.erp_dbkw),
        pattern_db=np.zeros_like(stations.pattern_db),
        vertical_db=np.full_like(stations.vertical_db, np.nan),
    )
    of_1kw_dbuvm = _field_dbuvm(way, way.inputs._replace(stations=plain))
    turned_db = _shape_db(way, plain._replace(pattern_db=stations.pattern_db))
    tilted_db = _shape_db(way, plain._replace(vertical_db=stations.vertical_db))
    terms = [
        *_model_terms(way, path, of_1kw_dbuvm),
        Term("e.r.p. over 1 kW", float(stations.erp_dbkw[0]), "of the register"),
        Term("horizontal pattern", turned_db, "at the azimuth of the place"),
        Term("vertical pattern", tilted_db, "at the depression of the place"),
    ]
    rest_db = wanted_dbuvm - math.fsum(term.value_db for term in terms)
    note = "what the maps have more: single-frequency network, interpolation, digits of the place"
    if abs(rest_db) > _LARGE_REST_DB:
        note = (
            f"WARNING: over {_LARGE_REST_DB:g} dB, this path does not explain the field of the maps; {note}"
        )
    return (*terms, Term("maps less this path", rest_db, note))


def _field_dbuvm(way: _Way, inputs: ChannelInputs) -> float:
    """The field at the place by the model of coverage."""
    place = way.lon_deg, way.lat_deg, inputs.receiver.h2_m
    if sees_profiles(way.config.propagation.coverage_model):
        found = profile_fields(way.config, way.network, inputs, 0, way.ground, *place, way.terrain.ground_m)
        return float(found.field_dbuvm[0])
    return float(point_fields(inputs, 0, *place, way.terrain.ground_m, way.environments)[0][0])


def _shape_db(way: _Way, stations: Stations) -> float:
    """What the e.r.p. and the patterns of the station add to the field of 1 kW at the place."""
    d_km, az_deg = rays_from(way.inputs, 0, way.lon_deg, way.lat_deg)
    every, ground_m, added_db = np.arange(1), way.terrain.ground_m.astype(np.float32), np.zeros(1)
    receiver = way.inputs.receiver
    shape_fields(stations, way.inputs.paths, receiver, 0, every, ground_m, d_km, az_deg, added_db)
    return float(added_db[0])


def _model_terms(way: _Way, path: PlacePath, of_1kw_dbuvm: float) -> list[Term]:
    """The field of 1 kW e.r.p.: by mechanism where the model tells them, else as one number."""
    model = model_named(way.config.propagation.coverage_model)
    if not sees_profiles(model.name):
        return [Term("field of 1 kW e.r.p.", of_1kw_dbuvm, f"{model.title}, {_time(way.config)}")]
    link = path.link
    free_dbuvm = model.field_constant_db + 20.0 * math.log10(1e3 * link.f_ghz) - link.fixed.free_space_db
    focused_db = link.fixed.free_space_db - link.terms.enhanced_db
    scattered_db = link.joined.diffraction_path_db - link.loss_db
    bent = link.fixed.median
    note = (
        f"Bullington {bent.actual_db:.2f} dB, sphere more by {bent.total_db - bent.actual_db:.2f} dB (median)"
    )
    return [
        Term("free space, 1 kW e.r.p.", free_dbuvm, "slant distance"),
        Term("focusing and multipath", focused_db, _time(way.config)),
        Term("diffraction", -link.terms.diffraction_db, note),
        Term("ducting, troposcatter", scattered_db, _other_losses(path)),
    ]


def _other_losses(path: PlacePath) -> str:
    terms, joined = path.link.terms, path.link.joined
    losses = f"{terms.ducting_db:.1f} and {terms.troposcatter_db:.1f} dB"
    return f"loss {losses}, joined with {joined.diffraction_path_db:.1f} dB"


def _time(config: Config) -> str:
    return f"{config.propagation.wanted_time_pct:g} % of time"


# --- the profile --------------------------------------------------------------------------------------------


def profile_of(path: PlacePath, lapse_n_per_km: float) -> DrawnProfile:
    """Ray and terrain of a path over an Earth of the median effective radius (P.1812-8, eq. 6).

    The radius of the first Fresnel zone is sqrt(wavelength d1 d2 / (d1 + d2)).
    """
    d_km, link = path.d_km, path.link
    length_km, share = d_km[-1], d_km / d_km[-1]
    both_km2 = d_km * (length_km - d_km)
    earth_m = 500.0 * both_km2 / median_radius_km(lapse_n_per_km)
    ray_m = (1.0 - share) * link.path.ends_m[0] + share * link.path.ends_m[1]
    fresnel_m = np.sqrt(1e3 * wavelength_m(link.f_ghz) * both_km2 / length_km)
    horizons: tuple[float, ...] = ()
    if link.path.horizons.transhorizon:
        horizons = (link.duct.from_transmitter_km, length_km - link.duct.from_receiver_km)
    return DrawnProfile(d_km, earth_m, path.terrain_m, path.cover_m, ray_m, fresnel_m, horizons)


def worst_sample(drawn: DrawnProfile) -> tuple[int, float]:
    """The sample between the ends with the least clearance in radii of the first Fresnel zone, and that."""
    inner = slice(1, drawn.d_km.size - 1)
    top_m = drawn.terrain_m[inner] + drawn.cover_m[inner] + drawn.earth_m[inner]
    clearance_f1 = (drawn.ray_m[inner] - top_m) / drawn.fresnel_m[inner]
    worst = int(np.argmin(clearance_f1))
    return 1 + worst, float(clearance_f1[worst])


def _facts(
    config: Config, victim: Mapping[str, Any], path: PlacePath, drawn: DrawnProfile, azimuth_deg: float
) -> dict[str, Any]:
    """Where the path leads and what stands on it; heights above sea level, clearances of the ray."""
    link, (worst, clearance_f1) = path.link, worst_sample(drawn)
    facts: dict[str, Any] = {
        "station": victim["station"]["id"],
        "channel": int(victim["channel"]),
        "lon": victim["lon"],
        "lat": victim["lat"],
        "model": config.propagation.coverage_model,
        "distance_km": round(float(drawn.d_km[-1]), 4),
        "azimuth_deg": round(azimuth_deg, 2),
        "antennas_asl_m": [round(height_m, 1) for height_m in link.path.ends_m],
        "mechanism_p1812": model_named("p1812").regimes[link.regime],
        "path": "transhorizon" if link.path.horizons.transhorizon else "los",
        "diffraction_db": round(link.fixed.median.total_db, 2),
        "obstruction": {
            "distance_km": round(float(drawn.d_km[worst]), 3),
            "height_asl_m": round(float(drawn.terrain_m[worst] + drawn.cover_m[worst]), 1),
            "clearance_m": round(clearance_f1 * float(drawn.fresnel_m[worst]), 1),
            "clearance_f1": round(clearance_f1, 3),
        },
    }
    if drawn.horizons_km:
        angles = link.path.horizons.transmitter_mrad, link.path.horizons.receiver_mrad
        ends = (drawn.horizons_km[0], drawn.d_km[-1] - drawn.horizons_km[1])
        names = ("horizon_of_station", "horizon_of_receiver")
        for name, at_km, away_km, mrad in zip(names, drawn.horizons_km, ends, angles, strict=True):
            height_m = float(np.interp(at_km, drawn.d_km, drawn.terrain_m))
            facts[name] = {
                "distance_km": round(float(away_km), 3),
                "height_asl_m": round(height_m, 1),
                "elevation_mrad": round(mrad, 2),
            }
    return facts


def require_path(found: WantedPath | None) -> WantedPath:
    """The path, or InputError where a picture of one is asked for and there is none."""
    if found is None:
        raise InputError(
            "no path to draw",
            field="--profile",
            allowed="a place, channel and device whose limits name DTT reception with its station, and a "
            "territory with terrain.dem",
        )
    return found
