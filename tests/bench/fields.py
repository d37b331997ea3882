"""Speed of wanted and interfering fields on a raster: one core, sweeps and compiling excluded."""

from __future__ import annotations

import numpy as np

from pipeline.coverage.fields import INTERFERING, WANTED
from pipeline.coverage.inputs import CoverageModel, FieldModel, Paths, Stations, TvReceiver, pack_paths
from pipeline.coverage.loss_filling import fill_codes
from pipeline.coverage.loss_lookup import Losses, PolarTable, lookup_room, pack_losses, table_fields
from pipeline.coverage.point_fields import fields_at_places
from pipeline.grid.geodesy import Lattice, lattice, pixel_frames, site_frames, tile_places, tile_rays
from pipeline.grid.grid import Grid
from pipeline.kernels import kernel
from pipeline.propagation.models import Surroundings
from pipeline.propagation.p1546.curves import load_curves
from pipeline.propagation.p1546.pixel import prepare
from pipeline.terrain.polar_nodes import node_km, octave_ranges
from pipeline.terrain.records import SEA_PIECES, Sweep, TerrainSource
from tests.bench.common import cpu_s, median_s

GRID = Grid("EPSG:3794", 100.0, 420_000.0, 160_000.0, 512, 512)
TILE_PX = 32
CHANNEL_MHZ = np.array([642.0, 650.0, 658.0])
TIMES_PCT = np.array([50.0, 1.0])
RECEIVER = TvReceiver(10.0, 10.0, int(Surroundings.RURAL), 0, False, 20.0, 60.0, 16.0, 16.0)


def network(*, sea: bool, count: int = 8) -> tuple[Stations, Paths]:
    """Stations 30 to 250 km around, effective heights of 50 to 350 m; with ``sea`` 30 km of it on the way."""
    rng = np.random.default_rng(1)
    azimuth = np.radians(np.arange(0.0, 360.0, 0.5))
    shore_km = 15.0 + 10.0 * np.sin(azimuth)[:, None]
    sea_pieces = np.rint(SEA_PIECES * np.clip(np.arange(0.0, 400.0) - shore_km, 0.0, 30.0)).astype(np.uint16)
    none, unknown = np.zeros((azimuth.size, 0), np.float32), np.full(azimuth.size, np.nan, np.float32)
    sweeps = []
    for k in range(count):
        heff_m = (200.0 + 150.0 * np.sin(2 * azimuth + k)).astype(np.float32)
        sweeps.append(
            Sweep(
                int(TerrainSource.DEM),
                300.0,
                0.5,
                heff_m,
                unknown,
                0.25,
                none,
                1.0,
                sea_pieces if sea else none.astype(np.uint16),
                0.0,
                1.0,
                0.0,
                1.0,
                np.zeros((0, 0), np.int16),
            )
        )
    bearing, degrees = rng.uniform(0, 2 * np.pi, count), np.geomspace(0.5, 2.4, count)
    lon_deg, lat_deg = 14.9 + 1.4 * degrees * np.sin(bearing), 46.2 + degrees * np.cos(bearing)
    zeros, whole = np.zeros(count), np.zeros(count, np.int64)
    pattern_db = rng.uniform(0, 10, (count, 360)).astype(np.float32)
    stations = Stations(
        site_frames(lon_deg, lat_deg),
        whole,
        zeros + 10.0,
        zeros + 60.0,
        whole + 1,
        whole == 0,
        whole - 1,
        zeros,
        whole,
        np.arange(count),
        pattern_db,
        np.full((count, 1001), np.nan, np.float32),
        zeros,
    )
    return stations, pack_paths(sweeps, [60.0] * count)


def measure() -> dict[str, float]:
    """Both fields with distance, azimuth, effective height and pattern, over land and over land and sea."""
    return {
        "field_ns_per_pixel_per_transmitter": pair_ns(sea=False),
        "mixed_path_field_ns_per_pixel_per_transmitter": pair_ns(sea=True),
        "field_sample_ns_per_pixel_per_transmitter": table_sample_ns(),
    }


def direct_model() -> FieldModel:
    """P.1546 without tables."""
    curves = load_curves()
    prepared = tuple(prepare(curves, f, t) for f in CHANNEL_MHZ for t in TIMES_PCT)
    return FieldModel(int(CoverageModel.P1546), curves, prepared, CHANNEL_MHZ, pack_losses([]))


def pair_ns(*, sea: bool) -> float:
    """Time for both fields of one transmitter at one pixel, frames of the pixels included, without tables."""
    stations, paths = network(sea=sea)
    model, area = direct_model(), lattice(GRID)
    corners = np.array([(row, col) for row in range(0, 512, 64) for col in range(0, 512, 64)])
    pairs = len(corners) * TILE_PX * TILE_PX * stations.mast.size
    return 1e9 * median_s(lambda: compute_tiles(stations, paths, model, RECEIVER, area, corners)) / pairs


def table_sample_ns() -> float:
    """``sample_ns`` of tables of P.1546."""
    stations, paths = network(sea=True)
    return sample_ns(filled(stations, paths, direct_model(), RECEIVER), stations.frame, GRID)


def sample_ns(losses: Losses, sites: np.ndarray, grid: Grid) -> float:
    """Time of one field from a table and of its ray, at one pixel; what all transmitters share apart.

    ``sites`` frames of the transmitters. Every tile is far from the one before, as the table is then cold.
    """
    corners, area = np.random.default_rng(0).integers(0, grid.width - TILE_PX, (400, 2)), lattice(grid)
    apart_s, whole_s = (
        cpu_s(lambda fields=fields: sample_tiles(losses, sites, area, corners, fields))
        for fields in (False, True)
    )
    return 1e9 * (whole_s - apart_s) / (len(corners) * TILE_PX * TILE_PX * len(sites))


@kernel
def sample_tiles(
    losses: Losses, sites: np.ndarray, area: Lattice, corners: np.ndarray, with_fields: bool
) -> float:
    """Interfering fields at the pixels of tiles as the coverage reads them; places alone without."""
    frames, total_dbuvm = np.empty((11, TILE_PX, TILE_PX)), 0.0
    d_km, az_deg = np.empty(TILE_PX * TILE_PX, np.float32), np.empty(TILE_PX * TILE_PX, np.float32)
    field_dbuvm, room = np.empty(TILE_PX * TILE_PX, np.float32), lookup_room(TILE_PX * TILE_PX)
    for row, col in corners:
        pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, row, col, frames)
        seen = tile_places(frames.reshape(11, -1), frames[:3, TILE_PX // 2, TILE_PX // 2].copy())
        total_dbuvm += seen.around_m[0, 0]
        if with_fields:
            for t in range(len(sites)):
                tile_rays(sites[t], seen, d_km, az_deg)
                table_fields(losses, t, INTERFERING, d_km, az_deg, field_dbuvm, room)
                total_dbuvm += field_dbuvm[0]
    return total_dbuvm


def filled(stations: Stations, paths: Paths, model: FieldModel, receiver: TvReceiver) -> Losses:
    """Tables of both fields of all stations, from 15 km to beyond the grid."""
    ranges, tables = octave_ranges(15.0, 400.0, 8.0, 6), []
    whole = np.tile(np.array([0, ranges.nodes]), (720, 1))
    for t in range(stations.mast.size):
        codes = np.empty((2, 720, ranges.nodes), np.uint16)
        for time in (WANTED, INTERFERING):
            fill_codes(stations, paths, model, receiver, t, time, node_km(ranges), whole, codes[time])
        tables.append(PolarTable(0.0, 0.5, ranges, -60.0, (codes[0], codes[1])))
    from_km, to_km = np.full(len(tables), 15.0), np.full(len(tables), 400.0)
    return pack_losses(tables, from_km, to_km, level=True)


@kernel
def compute_tiles(
    stations: Stations,
    paths: Paths,
    model: FieldModel,
    receiver: TvReceiver,
    area: Lattice,
    corners: np.ndarray,
) -> None:
    """Both fields of every station in every tile, called from compiled code as the coverage stage does."""
    pixels = np.arange(TILE_PX * TILE_PX)
    ground_m = np.full(pixels.size, 250.0, np.float32)
    frames = np.empty((11, TILE_PX, TILE_PX))
    d_km, az_deg = np.empty(pixels.size, np.float32), np.empty(pixels.size, np.float32)
    field, room = np.empty(pixels.size, np.float32), lookup_room(pixels.size)
    for row, col in corners:
        pixel_frames(area.step_px, area.first_row, area.first_col, area.nodes, row, col, frames)
        seen = tile_places(frames.reshape(11, -1), frames[:3, TILE_PX // 2, TILE_PX // 2].copy())
        for t in range(stations.mast.size):
            tile_rays(stations.frame[t], seen, d_km, az_deg)
            for time in (WANTED, INTERFERING):
                fields_at_places(
                    stations, paths, model, receiver, t, time, pixels, ground_m, d_km, az_deg, field, room
                )
