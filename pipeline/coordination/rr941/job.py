"""Job rr941: two geostationary networks on the territory and the decision under RR No. 9.41.

Input: the networks and the case of the configuration, ``territory/surface.tif``. Output for every comparison:
``public/rr941_*.tif`` (docs/method.md, section 27; a band for each way), ``public/rr941_argpair.json`` and
``internal/rr941_decision.json``.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.coordination.rr941.comparison import compare
from pipeline.files import json_bytes, write_together
from pipeline.grid import raster
from pipeline.hashing import file_sha256, json_hash, plain


def main(config: Config, build: Path, *, threads: int, code: str) -> None:
    """Compute and write the files of every comparison, if there are any."""
    surface_path = build / "territory" / "surface.tif"
    for comparison in config.coordination.rr941:
        found = compare(comparison, raster.read(surface_path), threads=threads)
        own = [plain(comparison), file_sha256(surface_path), code]
        tags = found.tags | {"hash": json_hash(own), "notice": config.notice}
        for name, layer in found.layers.items():
            raster.write(build / name, layer, tags=tags, publish=True)
        write_together({build / name: json_bytes(content) for name, content in found.documents.items()})
