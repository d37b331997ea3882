"""Job rr97ab: a non-geostationary system and a large earth station (RR Nos. 9.7A and 9.7B).

Input: the systems of the configuration, ``territory/surface.tif``. Output: ``public/rr97ab_epfd_max.tif``,
``public/rr97ab_cond.tif`` (docs/method.md, section 28) and ``internal/rr97ab_decision.json``; of a simulation
also ``public/rr97ab_epfd_simulated.tif``, ``public/rr97ab_exceedance.tif``,
``public/rr97ab_epfd_distribution.csv``.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.coordination.rr97.epfd import run
from pipeline.coordination.rr97.epfd_document import document_of, layer_tags, read_judged
from pipeline.coordination.rr97.simulation import DISTRIBUTION_COLUMNS, distribution_rows, simulate
from pipeline.files import csv_text, json_bytes, write_together
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file
from pipeline.hashing import file_sha256, json_hash, plain
from pipeline.territory.codes import Surface


def main(config: Config, build: Path, *, threads: int, code: str) -> None:
    """Compute and write the files, if there is anything to compare."""
    settings = config.coordination.rr97ab
    if settings is None:
        return
    surface_path = build / "territory" / "surface.tif"
    surface = raster.read(surface_path)
    systems, limits, judgement = read_judged(settings)
    grid, home = surface.attrs["grid"], surface.values == Surface.HOME
    layers = run(systems, judgement, grid, home, threads=threads)
    own = [plain(settings), file_sha256(surface_path), code]
    tags = layer_tags(limits, judgement) | {"hash": json_hash(own), "notice": config.notice}
    for name, layer in layers.items():
        raster.write(build / layer_file(f"rr97ab_{name}"), layer, tags=tags, publish=True)
    documents: dict[Path, bytes | str] = {}
    found = None
    if settings.simulation is not None:
        found = simulate(systems, judgement, grid, home, settings.simulation, threads=threads)
        for name, layer in found.layers.items():
            raster.write(
                build / layer_file(f"rr97ab_{name}"), layer, tags=tags | {"mode": "simulation"}, publish=True
            )
        table = csv_text(DISTRIBUTION_COLUMNS, distribution_rows(found))
        documents[build / layer_file("rr97ab_epfd_distribution")] = table
    document = document_of(systems, limits, judgement, layers, settings.case, found)
    write_together({**documents, build / layer_file("rr97ab_decision"): json_bytes(document)})
