"""Job rr941: two geostationary networks on the territory and the decision under RR No. 9.41.

Input: the networks and the case of the configuration, ``territory/surface.tif``. Output for every comparison:
``public/rr941_*.tif`` (docs/method.md, section 27; a band for each way), ``public/rr941_argpair.json`` and
``internal/rr941_decision.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.config.config import Config
from pipeline.coordination.rr941.comparison import documents_of, layer_tags, notes, read_comparison
from pipeline.coordination.rr941.rr941_maps import RR941_LAYERS, run
from pipeline.files import json_bytes, write_together
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file
from pipeline.hashing import file_sha256, json_hash, plain
from pipeline.territory.codes import Surface


def main(config: Config, build: Path, *, threads: int, code: str) -> None:
    """Compute and write the files of every comparison, if there are any."""
    if not config.coordination.rr941:
        return
    surface_path = build / "territory" / "surface.tif"
    surface = raster.read(surface_path)
    wanted = surface.values == Surface.HOME
    for comparison in config.coordination.rr941:
        networks, limits = read_comparison(comparison)
        for line in notes(networks, limits):
            print(f"channelmaps: {line}", file=sys.stderr)
        maps = run(networks, limits, surface.attrs["grid"], wanted, threads=threads)
        documents = documents_of(comparison, networks, limits, maps, surface.attrs["grid"], wanted)
        own = [plain(comparison), file_sha256(surface_path), code]
        tags = layer_tags(comparison, limits, documents) | {"hash": json_hash(own), "notice": config.notice}
        for name in RR941_LAYERS:
            path = build / layer_file(f"rr941_{name}", case=comparison.id)
            raster.write(path, maps.layers[name], tags=tags, publish=True)
        write_together({build / name: json_bytes(content) for name, content in documents.items()})
