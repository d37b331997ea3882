"""Job web: ``public/web/`` from the published layers of all devices, boundaries and terrain, nothing else.

index.html, app.js, app.css, LICENSES.txt    the page
maps.json                                    devices, channels, levels, classes, statements
boundaries.geojson                           land, borders, places
tiles/<layer>.pmtiles                        pictures of one layer: 512-pixel PNG tiles of the web's map
tiles/relief.pmtiles                         light and shade of the terrain, where there is a terrain model
numbers/<device>.pmtiles                     levels and limiting services of all channels (``web_tiles.py``)
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.publish.web.web_map import write_web_map


def main(config: Config, build: Path, *, threads: int) -> None:
    """Write all files of ``<build>/public/web``."""
    write_web_map(config, build / "public", threads=threads)
