"""A small made-up network on a small grid, and its coverage by plain pair-by-pair computing.

The reference uses pyproj for geometry, numpy for interpolation and the link form of P.1546: none of the
raster kernels, no bounds, no tiles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from pyproj import Geod, Transformer
from scipy.stats import norm

from pipeline.config.config import Config
from pipeline.coverage.channel import CLASS_BANDS, compute_blocks
from pipeline.coverage.inputs import Planning, channel_inputs
from pipeline.coverage.tiles import LEVEL_BANDS
from pipeline.grid.grid import Grid
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.link import p1546_field
from pipeline.terrain.records import SEA_PIECES, LonLatRaster, Sweep, TerrainSource

GRID = Grid("EPSG:3794", 1000.0, 420_000.0, 160_000.0, 75, 50)
CHANNEL = 30
FIRST_MHZ, WIDTH_MHZ = 474.0, 8.0
MODES = (("DVB-T", "64QAM 2/3"), ("DVB-T2", "256QAM 2/3"))
NOISE_DBUVM = np.array([45.0, 44.0])
SIGMA_DB = 5.5
STEP_DEG, HB_STEP_KM, SEA_STEP_KM = 5.0, 0.5, 2.0
ELLIPSOID = Geod(ellps="WGS84")


def config(**coverage) -> Config:
    sourced = {"source": "test", "verified": True}
    settings = {
        "q_min": {"value": 0.7, **sourced},
        "receiver_bands": [
            {
                "from_mhz": 400.0,
                "to_mhz": 900.0,
                "gain_dbd": 10.0,
                "feeder_db": 3.0,
                "flat_deg": 20.0,
                "end_deg": 60.0,
                "discrimination_db": 16.0,
            }
        ],
        "guard_us": {"net": 60.0},
    }
    service = {"status": "out_of_scope", "reason": "test"}
    names = ("pmse", "radio_astronomy", "aeronautical", "mobile", "ppdr", "fixed")
    device = {
        "id": "d",
        "emission_class": 1,
        "height_m": 30.0,
        "min_separation_m": {"value": 20.0, **sourced},
        "cap_dbm": 36.0,
        "min_eirp_dbm": -40.0,
        "load": "loaded",
    }
    segment = {"first_channel": 21, "last_channel": 60, "first_centre_mhz": FIRST_MHZ, "width_mhz": WIDTH_MHZ}
    return Config.model_validate(
        {
            "territory": {"home": ["SI"], "bbox_deg": [13.0, 45.0, 17.0, 47.0]},
            "grid": {"crs": "EPSG:3794", "resolution_m": 1000.0},
            "registers": {"transmitters": ["none.csv"]},
            "channels": {"plan": [segment], "wsd": [30]},
            "coverage": settings | coverage,
            "devices": [device],
            "services": dict.fromkeys(names, service) | {"dtt": {}, "foreign_dtt": {}},
        }
    )


class Scene(NamedTuple):
    surface: xr.DataArray
    transmitters: xr.Dataset
    sweeps: dict[str, Sweep]
    planning: Planning
    ground: LonLatRaster | None = None


def slope_m(lon, lat):
    """Height of ``sloping_ground``, linear in degrees: as exact between its points as on them."""
    return 420.0 + 800.0 * (np.asarray(lat) - 46.3) - 500.0 * (np.asarray(lon) - 14.5)


def sloping_ground() -> LonLatRaster:
    step, west, north = 0.01, 12.0, 48.0
    lon, lat = west + step * (np.arange(600) + 0.5), north - step * (np.arange(300) + 0.5)
    return LonLatRaster(slope_m(*np.meshgrid(lon, lat)).astype(np.float32), west, north, step, step)


def sweep(rng, *, sea: bool, terrain: bool) -> Sweep:
    """Smooth random heights around a mast; the sea begins between 20 and 60 km."""
    azimuths = np.arange(0.0, 360.0, STEP_DEG)
    heff_m = 180.0 + 140.0 * np.sin(np.radians(azimuths * 2) + rng.uniform(0, 6)) * rng.uniform(0.2, 1)
    ranges_km = np.arange(0.0, 15.0 + HB_STEP_KM, HB_STEP_KM)
    hb_m = heff_m[:, None] * (0.6 + 0.4 * ranges_km / 15.0)
    coast_km = 40.0 + 20.0 * np.sin(np.radians(azimuths))[:, None]
    sea_km = np.clip(np.arange(0.0, 200.0, SEA_STEP_KM) - coast_km, 0.0, 30.0)
    sea_pieces = np.rint(sea_km * SEA_PIECES / SEA_STEP_KM).astype(np.uint16)
    return Sweep(
        terrain_source=int(TerrainSource.DEM if terrain else TerrainSource.AGL),
        ground_asl_m=300.0,
        azimuth_step_deg=STEP_DEG,
        heff_m=heff_m.astype(np.float32),
        theta_eff1_deg=np.full(azimuths.size, np.nan, np.float32),
        hb_step_km=HB_STEP_KM,
        hb_m=hb_m.astype(np.float32) if terrain else np.zeros((azimuths.size, 0), np.float32),
        sea_step_km=SEA_STEP_KM,
        sea_pieces=sea_pieces if sea else np.zeros((azimuths.size, 0), np.uint16),
        tca_first_azimuth_deg=0.0,
        tca_azimuth_step_deg=1.0,
        tca_first_km=0.0,
        tca_step_km=1.0,
        tca_counts=np.zeros((0, 0), np.int16),
    )


def scene(count: int = 14, seed: int = 1) -> Scene:
    """Half of the grid is home land, half foreign, with some sea; stations inside and up to 150 km away."""
    rng = np.random.default_rng(seed)
    codes = np.where(np.arange(GRID.width) < 40, 1, 2) * np.ones((GRID.height, 1), int)
    codes[rng.random(codes.shape) < 0.2] = 0
    codes[:, -4:] = 255
    surface = xr.DataArray(codes.astype(np.uint8), dims=("y", "x"), attrs={"grid": GRID})
    number = np.arange(count)
    near = number < 9
    lon = np.where(near, rng.uniform(13.9, 14.9, count), rng.uniform(12.5, 16.5, count))
    lat = np.where(near, rng.uniform(46.1, 46.6, count), rng.uniform(45.3, 47.2, count))
    mode = number % 2
    ids = [f"t{k:02d}" for k in number]
    of = "transmitter"
    transmitters = xr.Dataset(
        {
            "id": (of, ids),
            "lon_deg": (of, lon),
            "lat_deg": (of, lat),
            "channel": (of, CHANNEL + np.where(number % 5 == 3, 1, np.where(number % 7 == 6, -1, 0))),
            "erp_kw": (of, rng.uniform(0.1, 20.0, count)),
            "antenna_height_agl_m": (of, rng.uniform(20, 90, count)),
            "polarisation": (of, np.array(["H", "H", "V", "M", "H", ""])[number % 6]),
            "system": (of, [MODES[m][0] for m in mode]),
            "mode": (of, [MODES[m][1] for m in mode]),
            "sfn": (of, np.where(np.isin(number, (0, 2, 4, 12)), "net", "")),
            "country": (of, np.where(number % 3 == 1, "AT", "SI")),
            "beam_tilt_deg": (of, np.full(count, np.nan)),
            "mast": (of, [f"m{k:02d}" for k in number]),
            "attenuation_db": ((of, "azimuth"), rng.uniform(0, 12, (count, 360)).astype(np.float32)),
            "vertical_attenuation_db": ((of, "depression"), np.full((count, 1001), np.nan, np.float32)),
        }
    )
    sweeps = {f"m{k:02d}": sweep(rng, sea=k % 2 == 0, terrain=k % 3 > 0) for k in number}
    offset = transmitters["channel"].values - CHANNEL
    ratio_db = np.where(offset == 0, np.array([[20.0], [21.5]]), -30.0)
    return Scene(surface, transmitters, sweeps, Planning(MODES, NOISE_DBUVM, ratio_db))


def coverage_of(
    made: Scene, settings: Config | None = None, *, density=None, complete: bool = False, **options
) -> xr.Dataset:
    """Coverage in memory: ``levels`` (band, y, x), ``classes`` (class_band, y, x).

    ``density`` file of persons per km2; ``complete``: with bounds by which nothing is left out.
    """
    settings = settings or config()
    inputs = channel_inputs(made.transmitters, made.sweeps, made.planning, settings, CHANNEL)
    if complete:
        inputs = inputs._replace(rules=inputs.rules._replace(bound_margin_db=np.inf))
    grid = made.surface.attrs["grid"]
    levels = np.empty((len(LEVEL_BANDS), *grid.shape), dtype=np.float32)
    classes = np.empty((len(CLASS_BANDS), *grid.shape), dtype=np.uint16)
    for rows, cols, *parts in compute_blocks(
        inputs, grid, made.surface.values, density, ground=made.ground, **options
    ):
        levels[:, rows, cols], classes[:, rows, cols] = parts
    return xr.Dataset(
        {"levels": (("band", "y", "x"), levels), "classes": (("class_band", "y", "x"), classes)}
    )


def pixel_degrees() -> tuple[np.ndarray, np.ndarray]:
    x_m = GRID.west_m + (np.arange(GRID.width) + 0.5) * GRID.resolution_m
    y_m = GRID.north_m - (np.arange(GRID.height) + 0.5) * GRID.resolution_m
    return Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True).transform(*np.meshgrid(x_m, y_m))


def _circular(table: np.ndarray, azimuth: float) -> np.ndarray:
    """Linear between radials, rows of ``table`` at 0, STEP_DEG ..."""
    closed = np.concatenate([table, table[:1]]).astype(float)
    position = azimuth / STEP_DEG
    low = int(position)
    return closed[low] + (position - low) * (closed[low + 1] - closed[low])


def link_field(
    scene: Scene, t: int, d_km: float, azimuth: float, t_pct: float, curves, ground_m: float = np.nan
) -> float:
    """Field of one link by the link form of the model, e.r.p. and patterns included."""
    row = scene.transmitters.isel(transmitter=t)
    sweep = scene.sweeps[str(row["mast"].values)]
    hb_m, sea_km = np.nan, 0.0
    if sweep.hb_m.size and d_km < 15.0:
        hb_m = np.interp(d_km, np.arange(sweep.hb_m.shape[1]) * HB_STEP_KM, _circular(sweep.hb_m, azimuth))
    if sweep.sea_pieces.size:
        ranges_km = np.arange(sweep.sea_pieces.shape[1]) * SEA_STEP_KM
        lengths_km = _circular(sweep.sea_pieces, azimuth) * SEA_STEP_KM / SEA_PIECES
        sea_km = min(np.interp(d_km, ranges_km, lengths_km), d_km)
    f_mhz = FIRST_MHZ + WIDTH_MHZ * (int(row["channel"]) - 21)
    nan = np.nan
    field, _, _ = p1546_field(
        curves,
        f_mhz,
        t_pct,
        d_km,
        sea_km,
        False,
        False,
        float(_circular(sweep.heff_m, azimuth)),
        float(row["antenna_height_agl_m"]),
        hb_m,
        sweep.terrain_source == TerrainSource.DEM,
        10.0,
        10.0,
        0,
        nan,
        50.0,
        nan,
        nan,
        sweep.ground_asl_m,
        ground_m,
        nan,
        nan,
    )
    attenuation = np.interp(
        azimuth, np.arange(361), np.append(row["attenuation_db"], row["attenuation_db"][0])
    )
    heff_m = float(_circular(sweep.heff_m, azimuth))
    rise_m = sweep.ground_asl_m + float(row["antenna_height_agl_m"]) - ground_m - 10.0
    below_m = heff_m - 10.0 if np.isnan(rise_m) else rise_m
    vertical = vertical_db(row, below_m, d_km)
    return field + 10 * np.log10(float(row["erp_kw"])) - attenuation - vertical


def vertical_db(row: xr.Dataset, below_m: float, d_km: float) -> float:
    """Vertical pattern towards a point so far below the antenna, on an Earth of 4/3 of 6370 km."""
    table = row["vertical_attenuation_db"].values
    if np.isnan(table).all():
        return 0.0
    down_deg = np.degrees(np.arctan(below_m / (1000.0 * d_km))) + np.degrees(0.5 * d_km / (4 / 3 * 6370.0))
    return float(np.interp(down_deg - np.nan_to_num(row["beam_tilt_deg"]), np.arange(-100, 901) / 10, table))


class Reference(NamedTuple):
    wanted: float
    field: float
    nuisance: float
    sigma: float
    azimuth: float
    probability: float
    server: int


def antenna_db(wanted: str, other: str, angle_deg: float) -> float:
    """The rule of docs/method.md, section 8 (receiving antenna), written down a second time."""
    directed = float(np.interp(angle_deg, [0, 20, 60, 180], [0, 0, 16, 16]))
    if wanted in ("", "M"):
        return 0.0
    if other in ("", wanted):
        return directed
    if other == "M":
        return -10 * np.log10(0.5 * 10 ** (-directed / 10) + 0.5 * 10**-1.6)
    return 16.0


def reference(scene: Scene, row: int, col: int, degrees, *, spillover: bool = False) -> Reference:
    """Every quantity of one pixel from all transmitters."""
    lon, lat = degrees[0][row, col], degrees[1][row, col]
    data, curves = scene.transmitters, load_curves()
    count = data.sizes["transmitter"]
    offset = data["channel"].values - CHANNEL
    here = np.full(count, lon), np.full(count, lat)
    azimuths, back, metres = ELLIPSOID.inv(data["lon_deg"], data["lat_deg"], *here)
    azimuths, back, d_km = azimuths % 360, back % 360, metres / 1000
    links = list(zip(range(count), d_km, azimuths, strict=True))
    ground_m = np.nan if scene.ground is None else float(slope_m(lon, lat))
    median = np.array([link_field(scene, *link, 50.0, curves, ground_m) for link in links])
    rare = np.array([link_field(scene, *link, 1.0, curves, ground_m) for link in links])
    home = data["country"].values == "SI"
    admitted = (offset == 0) & (spillover | (home == (scene.surface.values[row, col] == 1)))
    server = int(np.argmax(np.where(admitted, median, -np.inf)))
    networks, polarisations = data["sfn"].values, [str(p) for p in data["polarisation"].values]
    same = admitted & (networks == networks[server]) & (networks[server] != "")
    repeats = same & (np.abs(d_km - d_km[server]) / 0.299792458 <= 60.0)
    apart = np.abs((back - back[server] + 180) % 360 - 180)
    taken = np.array([antenna_db(polarisations[server], polarisations[t], apart[t]) for t in range(count)])
    wanted = median[server]
    if repeats.any():
        wanted = 10 * np.log10(np.sum(10 ** ((median - taken)[repeats] / 10)))
    mode = [MODES.index(pair) for pair in zip(data["system"].values, data["mode"].values, strict=True)][
        server
    ]
    others = ~repeats & (np.arange(count) != server)
    levels = (rare + scene.planning.ratio_db[mode] - taken)[others]
    nuisance, sigma = sum_levels(NOISE_DBUVM[mode], levels)
    q = norm.cdf((wanted - nuisance) / np.hypot(SIGMA_DB, sigma))
    azimuth = np.nan if polarisations[server] in ("", "M") else grid_azimuth(lon, lat, back[server])
    return Reference(wanted, median[server], nuisance, sigma, azimuth, q, server)


def sum_levels(noise_db: float, levels_db: np.ndarray) -> tuple[float, float]:
    """Fenton-Wilkinson in its textbook form, natural logarithms."""
    b = np.log(10) / 10
    s2 = (SIGMA_DB * b) ** 2
    means = np.exp(levels_db * b + s2 / 2)
    mean = np.exp(noise_db * b) + means.sum()
    variance = ((np.exp(s2) - 1) * means**2).sum()
    total2 = np.log(1 + variance / mean**2)
    return (np.log(mean) - total2 / 2) / b, np.sqrt(total2) / b


def grid_azimuth(lon: float, lat: float, azimuth: float) -> float:
    to_grid = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True)
    start, end = (to_grid.transform(*ELLIPSOID.fwd(lon, lat, azimuth, s)[:2]) for s in (-20.0, 20.0))
    return float(np.degrees(np.arctan2(end[0] - start[0], end[1] - start[1])) % 360)
