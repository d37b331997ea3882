"""The project of QGIS, the styles and the catalogue of joined maps: those of a run, over virtual rasters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.files import json_bytes, write_whole
from pipeline.grid.grid import Box, Grid
from pipeline.grid.layer_files import style_name
from pipeline.grid.raster import read_layout
from pipeline.plan.published_layers import COLLECTION, LayerFile, stac_item_file, stac_item_of, style_file
from pipeline.plan.run_files import project_to_pass_on, view_file, viewed_files
from pipeline.publish.catalogue import shown_layers
from pipeline.publish.legends import legend_of_parts
from pipeline.publish.qgis.below import write_below
from pipeline.publish.qgis.project import Node, RasterLayer, project_text
from pipeline.publish.qgis.projects import TerritoryView, projects
from pipeline.publish.qgis.qml import Legend, style_text
from pipeline.publish.qgis.views import view_legend, view_text
from pipeline.publish.release import period_of_bookings
from pipeline.publish.side_files import tags_of
from pipeline.publish.stac import asset_of, bbox_of, collection_of, item_of, link_to, times_of
from pipeline.publish.styles import Scheme, read_schemes
from pipeline.publish.web.place import box_of_pixels
from pipeline.publish.web.web_map import TIFF_ENDING, VRT_ENDING
from pipeline.studies.joined_runs import JoinedPart, JoinedRuns, family_of

_Legends = dict[tuple[str, int], Legend]


def virtual_file(file: str) -> str:
    """The virtual raster in the place of a published one, relative to the folder."""
    return Path(file).with_suffix(VRT_ENDING).as_posix()


def tile_file(layer: LayerFile, part: JoinedPart) -> str:
    """The file of a part, relative to the folder."""
    return Path(layer.file).with_suffix("").joinpath(f"{part.name}{TIFF_ENDING}").as_posix()


# --- QGIS ---------------------------------------------------------------------------------------------------


def write_project(joined: JoinedRuns, out: Path) -> None:
    """Write styles, views and the project into ``out``, which has the virtual rasters."""
    plan, schemes, grid = joined.plan, read_schemes(), joined.grid
    files = {layer.file for layer in joined.layers}
    shown = [layer for layer in shown_layers(plan) if layer.file in files]
    legends = _legends_of(joined, schemes)
    legends |= {
        (layer.file, layer.band): _legend(joined, layer.file, layer.band, layer.family, schemes)
        for layer in shown
        if (layer.file, layer.band) not in legends
    }
    period = period_of_bookings(plan)
    for layer in joined.layers:
        text = style_text(legends[layer.file, 1], period if "device" in layer.fields else None)
        write_whole(out / style_file(layer.file), text)
    legends |= _write_views(joined, out, schemes["max_eirp"])
    every = slice(0, grid.height), slice(0, grid.width)
    view = TerritoryView(grid.crs, grid.resolution_m, grid.box_m(*every), _box_deg(grid))
    below = write_below(plan, out, view.box_deg, view.resolution_m)
    file = project_to_pass_on(plan)
    project = dict(projects(plan, shown, legends, view, below))[file]
    nodes = [_over_virtual(node, {Path(name).name for name in files}) for node in project.nodes]
    write_whole(out / file, project_text(project._replace(nodes=nodes)))


def _legends_of(joined: JoinedRuns, schemes: dict[str, Scheme]) -> _Legends:
    """Legends of the first bands by file, for the styles."""
    return {
        (layer.file, 1): _legend(joined, layer.file, 1, style_name(layer.layer), schemes)
        for layer in joined.layers
    }


def _legend(joined: JoinedRuns, file: str, band: int, family: str, schemes: dict[str, Scheme]) -> Legend:
    folders = [part.run.folder for part in joined.parts]
    return legend_of_parts(folders, file, band, family, schemes)


def _write_views(joined: JoinedRuns, out: Path, scheme: Scheme) -> _Legends:
    """Write the views of levels and codes (``qgis/views.py``); their legends by file and band."""
    found, files = {}, {layer.file for layer in joined.layers}
    for file in viewed_files(joined.plan):
        if file not in files:
            continue
        layout = read_layout(out / virtual_file(file))
        tags = tags_of(joined.plan, layout.long_name, of_device=True)
        source = f"../{Path(virtual_file(file)).name}"
        write_whole(out / view_file(file), view_text(scheme, layout, source, layout.units[0], tags))
        found[file, 1] = view_legend(scheme, layout.units[0])
    return found


def _over_virtual(node: Node, names: set[str]) -> Node:
    """A node of the tree whose rasters of those names are the virtual ones."""
    children = [_over_virtual(child, names) for child in node.children]
    layer = node.layer
    if isinstance(layer, RasterLayer) and Path(layer.source).name in names:
        source = layer.source.removesuffix(TIFF_ENDING) + VRT_ENDING
        layer = layer._replace(source=source)
    return node._replace(layer=layer, children=children)


# --- STAC ---------------------------------------------------------------------------------------------------


def write_catalogue(joined: JoinedRuns, out: Path) -> None:
    """Write one collection, and an item for each part with what a run has one for."""
    plan, time, names = joined.plan, times_of(joined.plan), list[str]()
    for part in joined.parts:
        for subject, layers in _by_item(joined.layers).items():
            names.append(f"{part.name}_{subject}")
            write_whole(
                out / stac_item_file(names[-1]), json_bytes(_item(joined, part, names[-1], layers, time))
            )
    collection = collection_of(plan, _box_deg(joined.grid), time)
    boxes = [bbox_of(_box_deg(grid)) for grid in (joined.grid, *(_land_grid(part) for part in joined.parts))]
    collection["extent"]["spatial"]["bbox"] = boxes
    collection["assets"].pop("statistics")
    items = [link_to("item", f"./{Path(stac_item_file(name)).name}") for name in names]
    collection["links"] = [link_to("root", "./collection.json"), *items]
    write_whole(out / COLLECTION, json_bytes(collection))


def _by_item(layers: Sequence[LayerFile]) -> dict[str, list[LayerFile]]:
    found: dict[str, list[LayerFile]] = {}
    for layer in layers:
        found.setdefault(stac_item_of(layer), []).append(layer)
    return found


def _item(
    joined: JoinedRuns, part: JoinedPart, name: str, layers: Sequence[LayerFile], time: dict[str, Any]
) -> dict[str, Any]:
    """The item of a part; its assets are the files of this part."""
    schemes = read_schemes()
    layouts = {tile_file(layer, part): part.layout(layer) for layer in layers}
    item = item_of(joined.plan, name, layouts, _box_deg(part.grid), time)
    for layer in layers:
        file = tile_file(layer, part)
        scheme = schemes.get(style_name(layer.layer))
        item["assets"][family_of(layer)] = asset_of(file, layouts[file], scheme)
    return item


def _land_grid(part: JoinedPart) -> Grid:
    """The part of its grid that just holds its land."""
    return part.grid.window(part.rows, part.cols)


def _box_deg(grid: Grid) -> Box:
    return box_of_pixels(grid, (0.0, 0.0, float(grid.width), float(grid.height)))
