"""The station that a limiting victim receives: its heights as its field was computed with them."""

from __future__ import annotations

import math
from typing import Any

from pipeline.coverage.fields import depression_deg
from pipeline.coverage.receiver_ground import ground_of_pixels, load_ground
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.level_terms import pixel_of
from pipeline.dtt.victims import ExplainedPixel
from pipeline.grid.grid import GEOD

# A mast in the pixel itself: the angle below its horizontal is not asked for nearer than this.
_NEAREST_KM = 1e-3


def station_facts(
    asked: ExplainedPixel, channel: int, server: dict[str, Any], row: int, col: int
) -> dict[str, object]:
    """The best server of a pixel as the job coverage lists it, and the way from there.

    With a terrain model the heights above sea level of both antennas, the slope and the angle at which the
    vertical pattern counts (docs/method.md, section 3); without one the distance alone.
    """
    facts: dict[str, object] = {"station": server}
    if "lon" not in server:
        return facts
    rows, cols = pixel_of(row, col)
    lon_deg, lat_deg = asked.grid.lonlat_deg(rows, cols)
    _, _, length_m = GEOD.inv(server["lon"], server["lat"], lon_deg.item(), lat_deg.item())
    d_km = max(length_m / 1000.0, _NEAREST_KM)
    way: dict[str, object] = {"distance_km": d_km}
    land = ChannelFiles(asked.build, channel).territory("land_lonlat")
    if asked.config.terrain.dem is not None and {"ground_asl_m", "antenna_agl_m"} <= server.keys():
        elevation = load_ground(asked.config.terrain, asked.grid.window(rows, cols), land)
        receiver_m = float(ground_of_pixels(elevation, asked.grid, rows, cols).item())
        receiver_m += asked.config.coverage.receiver_height_m
        station_m = server["ground_asl_m"] + server["antenna_agl_m"]
        if math.isfinite(receiver_m):
            rise_m = station_m - receiver_m
            way |= {
                "station_antenna_asl_m": station_m,
                "receiver_antenna_asl_m": receiver_m,
                "slope_km": math.hypot(d_km, 1e-3 * rise_m),
                "depression_deg": float(depression_deg(rise_m, d_km)),
            }
    return facts | {"station_path": way}
