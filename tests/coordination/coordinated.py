"""The tiny territory with a section of coordination, its input files and a surface."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
import yaml
from satellites import case_b, write_yaml
from test_rr97ab_maps import CONTENT

from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.territory.codes import Surface

SECTION = """
coordination:
  rr941:
    - networks: networks.yaml
      case:
        kind: inclusion
        edition: WRC15
        region: 3
        request_received: "2020-06-01"
        ific_date: 2020-10-13
        comment_received: "2021-02-13"
        calculation_supplied: true
  rr97ab: {systems: systems.yaml}
  radars:
    administration: SVN
    borders: world.gpkg
    clip_deg: [10.0, 43.0, 18.5, 49.0]
    frequencies_mhz: [42.25, 30.0]
    register_file: radars.csv
  links: links.csv
"""
RADARS = """\
A,SVN,SVN,TX,42.25,50,+19.0,N0N--,,N,N,+455000,+0142000,Home,H-1,S5AA1,a@adm.example,,01.10.2014,,Y,
A,I,I,TX,42.25,50,+19.0,N0N--,,N,N,+453000,+0133000,Abroad,I-1,IAA1,a@adm.example,,01.10.2014,,Y,
A,SVN,SVN,RX,42.25,50,,N0N--,,N,N,+455000,+0142000,Receiver,H-2,,a@adm.example,,01.10.2014,,Y,
A,SVN,SVN,TX,7,50,+19.0,N0N--,,N,N,+455000,+0142000,Gap,H-3,S5AA3,a@adm.example,,01.10.2014,,Y,
"""
LINKS = """\
id,portion,country,standard,bit_rate_kbps,length_km,br,a1,b,c,blocks_per_s,built_before_1996
one,international,intermediate,G.828,150336,105,1,,,,8000,
"""
GRID = Grid("EPSG:3794", 2000.0, 420_000.0, 130_000.0, 40, 30)


def world() -> gpd.GeoDataFrame:
    """Home around 14.5 E, 46 N, a neighbour west and one east; sea south of 45.5 N."""
    shapes = [
        shapely.box(13.8, 45.5, 15.5, 46.5),
        shapely.box(10.0, 45.5, 13.8, 49.0),
        shapely.box(15.5, 45.5, 18.5, 49.0),
    ]
    return gpd.GeoDataFrame(
        {"iso_numeric": ["705", "380", "191"], "name": ["home", "west", "east"]},
        geometry=shapes,
        crs="EPSG:4326",
    )


def coordinate(tiny: Path) -> Path:
    """Add the section to the territory file and put its inputs and a surface beside it."""
    folder = tiny.parent
    tiny.write_text(tiny.read_text(encoding="utf-8") + SECTION, encoding="utf-8")
    write_yaml(folder / "networks.yaml", case_b())
    write_yaml(folder / "systems.yaml", CONTENT)
    world().to_file(folder / "world.gpkg", driver="GPKG")
    (folder / "radars.csv").write_bytes(RADARS.encode("latin-1"))
    (folder / "links.csv").write_text(LINKS, encoding="utf-8")
    values = np.full((GRID.height, GRID.width), Surface.FOREIGN, np.uint8)
    values[5:25, 4:30] = Surface.HOME
    values[22:25, 4:12] = Surface.SEA
    surface = raster.make_array(values, GRID, units="", long_name="surface", nodata=None)
    raster.write(folder / "build/tiny/territory/surface.tif", surface, tags={}, publish=False)
    return folder / "build/tiny"


def change(tiny: Path, **keys: object) -> None:
    """Change keys of the section: ``radars__administration="QQQ"``."""
    content = yaml.safe_load(tiny.read_text(encoding="utf-8"))
    for key, value in keys.items():
        node = content["coordination"]
        *path, last = key.split("__")
        for part in path:
            node = node[part]
        node[last] = value
    tiny.write_text(yaml.safe_dump(content), encoding="utf-8")
