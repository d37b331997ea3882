"""Job radar612: coordination distances of oceanographic radars (Resolution 612, Rev.WRC-12).

Input: country polygons and register of the configuration, ``territory/surface.tif``. Output:
``public/radar612_*.tif`` (docs/method.md, section 29; a band for each frequency), ``public/radar612_adm.csv``
(what the bits of ``adm_k`` stand for) and, with a register, ``internal/radar612.gpkg`` with the layers
``radar612_zone`` and ``radar612_affected``.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.coordination.radar.resolution612 import DISTANCES
from pipeline.coordination.radar.scene import radar_files
from pipeline.files import write_together
from pipeline.grid import raster
from pipeline.hashing import file_sha256, json_hash, plain


def main(config: Config, build: Path, *, threads: int, code: str) -> None:
    """Compute and write the files, if radars are configured."""
    settings = config.coordination.radars
    if settings is None:
        return
    surface_path = build / "territory" / "surface.tif"
    layers, contents = radar_files(settings, raster.read(surface_path), threads=threads)
    own = [plain(settings), file_sha256(surface_path), code]
    tags = {"source": DISTANCES.name, "hash": json_hash(own), "notice": config.notice}
    for name, layer in layers.items():
        raster.write(build / name, layer, tags=tags, publish=True)
    write_together({build / name: content for name, content in contents.items()})
