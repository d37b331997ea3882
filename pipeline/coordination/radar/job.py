"""Job radar612: coordination distances of oceanographic radars (Resolution 612, Rev.WRC-12).

Input: country polygons and register of the configuration, ``territory/surface.tif``. Output:
``public/radar612_*.tif`` (docs/method.md, section 29; a band for each frequency), ``public/radar612_adm.csv``
(what the bits of ``adm_k`` stand for) and, with a register, ``internal/radar612.gpkg`` with the layers
``radar612_zone`` and ``radar612_affected``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.config.config import Config
from pipeline.coordination.radar.resolution612 import DISTANCES
from pipeline.coordination.radar.scene import candidate_layers, scene_of
from pipeline.coordination.radar.zones import ZONE_GEOMETRIES, zone_layers
from pipeline.files import write_together
from pipeline.grid import raster
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.layer_files import layer_file
from pipeline.hashing import file_sha256, json_hash, plain


def main(config: Config, build: Path, *, threads: int, code: str) -> None:
    """Compute and write the files, if radars are configured."""
    settings = config.coordination.radars
    if settings is None:
        return
    surface_path = build / "territory" / "surface.tif"
    scene = scene_of(settings, raster.read(surface_path))
    for name in scene.ignored:
        print(f"channelmaps: {settings.borders}: no ITU code for {name}, left out", file=sys.stderr)
    contents: dict[Path, bytes] = {}
    if scene.candidates:
        layers, contents[build / layer_file("radar612_adm")] = candidate_layers(
            settings, scene, threads=threads
        )
        own = [plain(settings), file_sha256(surface_path), code]
        tags = {"source": DISTANCES.name, "hash": json_hash(own), "notice": config.notice}
        for name, layer in layers.items():
            raster.write(build / layer_file(f"radar612_{name}"), layer, tags=tags, publish=True)
    if settings.register_file is not None:
        zones = zone_layers(scene.stations, scene.ground, settings.sea_min_km)
        contents[build / layer_file("radar612_zones")] = geopackage_bytes(zones, ZONE_GEOMETRIES)
    write_together(contents)
