"""Run by the system's Python with QGIS: opens a project and tells what QGIS makes of it, as JSON.

    /usr/bin/python3 qgis_probe.py PROJECT RESULT.json [RASTER ...]

Of every layer of the project: whether it is valid, its CRS, its legend, its labels at several scales, and
which rasters are shown once it is ticked. Of every raster: the legend that its style beside it gives.
Besides, the first view of the project is drawn to RESULT.png, and every raster alone to RESULT.<stem>.png.
"""

import json
import os
import sys
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextScope,
    QgsLayerTreeModel,
    QgsLayoutExporter,
    QgsLayoutItem,
    QgsLayoutItemLabel,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPointXY,
    QgsProject,
    QgsRaster,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def crs_of(crs):
    """Code of a CRS that QGIS knows how to use."""
    return crs.authid() if crs.isValid() else ""


def legend_of(layer):
    """Labels and colours of a raster's legend, in order."""
    return [[label, colour.name(QColor.HexArgb)] for label, colour in layer.renderer().legendSymbologyItems()]


def facts_of(layer):
    found = {
        "name": layer.name(),
        "valid": layer.isValid(),
        "crs": crs_of(layer.crs()),
        "source": layer.source(),
    }
    if layer.isValid() and isinstance(layer, QgsRasterLayer):
        found["legend"] = legend_of(layer)
        found["renderer"] = layer.renderer().type()
        found["band"] = layer.renderer().usesBands()[0]
    elif layer.isValid():
        found["features"] = layer.featureCount()
        found["renderer"] = layer.renderer().type()
        found["legend"] = [[item.label(), ""] for item in layer.renderer().legendSymbolItems()]
        found["labels"] = {scale: labels_of(layer, scale) for scale in (100_000, 1_000_000, 100_000_000)}
    return found


def period_of(layer):
    """Begin and end in the style beside a raster; on opening, QGIS 3.22 takes its colours, not its time."""
    layer.loadDefaultStyle()
    times = layer.temporalProperties()
    span = times.fixedTemporalRange()
    return [span.begin().toString(1), span.end().toString(1)] if times.isActive() else []


def labels_of(layer, scale):
    """Text beside the features of a layer on a map of 1 to ``scale``; none beyond the smallest scale."""
    if not layer.labelsEnabled():
        return []
    settings = layer.labeling().settings()
    if settings.scaleVisibility and scale > settings.minimumScale:
        return []
    expression, context, found = QgsExpression(settings.fieldName), QgsExpressionContext(), []
    context.appendScope(QgsExpressionContextScope())
    context.lastScope().setVariable("map_scale", scale)
    for feature in layer.getFeatures():
        context.setFeature(feature)
        found.append(expression.evaluate(context))
    return found


def printed_legend(root):
    """Labels of every raster's legend as the panel and printed maps have them."""
    model = QgsLayerTreeModel(root)
    return {
        node.layerId(): [str(item.data(0)) for item in model.layerLegendNodes(node)]
        for node in root.findLayers()
        if isinstance(node.layer(), QgsRasterLayer)
    }


def ticked(root):
    """Rasters that are shown after a user ticks one, for each of them."""
    found = {}
    for node in root.findLayers():
        if isinstance(node.layer(), QgsRasterLayer):
            root.findLayer("relief_of_the_terrain") and root.findLayer(
                "relief_of_the_terrain"
            ).setItemVisibilityChecked(False)
            node.setItemVisibilityCheckedParentRecursive(True)
            found[node.layerId()] = [
                layer.id() for layer in root.checkedLayers() if isinstance(layer, QgsRasterLayer)
            ]
    return found


def group_of(node):
    """The tree of groups with the ids of the layers in them."""
    return [
        {"group": child.name(), "expanded": child.isExpanded(), "children": group_of(child)}
        if hasattr(child, "findGroups") and not hasattr(child, "layerId")
        else {"layer": child.layerId(), "name": child.name(), "checked": child.isVisible()}
        for child in node.children()
    ]


def told(layer):
    """Values of both bands as the tool for a pixel tells them, on a lattice over the layer."""
    extent, found = layer.extent(), []
    for column in range(40):
        for row in range(40):
            x = extent.xMinimum() + (column + 0.5) / 40 * extent.width()
            y = extent.yMinimum() + (row + 0.5) / 40 * extent.height()
            values = layer.dataProvider().identify(QgsPointXY(x, y), QgsRaster.IdentifyFormatValue).results()
            found.append([values[band] for band in sorted(values)])
    return found


def themes_of(project):
    """Layers that each theme shows."""
    themes = project.mapThemeCollection()
    return {name: themes.mapThemeVisibleLayerIds(name) for name in themes.mapThemes()}


def layouts_of(project, result):
    """Items and texts of each layout, and its picture."""
    found = {}
    for number, layout in enumerate(project.layoutManager().layouts()):
        items = [item for item in layout.items() if isinstance(item, QgsLayoutItem)]
        picture = result.replace(".json", f".layout{number}.png")
        settings = QgsLayoutExporter.ImageExportSettings()
        settings.dpi = 60
        QgsLayoutExporter(layout).exportToImage(picture, settings)
        found[layout.name()] = {
            "items": {item.id(): True for item in items},
            "texts": [item.text() for item in items if isinstance(item, QgsLayoutItemLabel)],
            "picture": picture,
        }
    return found


def draw(layers, crs, extent, path, side_px=900):
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(crs)
    settings.setExtent(QgsRectangle(extent))
    settings.setOutputSize(QSize(side_px, int(side_px * extent.height() / max(extent.width(), 1))))
    settings.setBackgroundColor(QColor("#dfe9f0"))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(path)


def main():
    project_file, result, *rasters = sys.argv[1:]
    application = QgsApplication([], False)
    application.initQgis()
    project = QgsProject.instance()
    opened = project.read(project_file)
    root = project.layerTreeRoot()
    extent = project.viewSettings().defaultViewExtent()
    visible = [node.layer() for node in root.findLayers() if node.isVisible() and node.layer()]
    draw(visible, project.crs(), extent, result.replace(".json", ".png"))
    alone = {}
    for path in rasters:
        layer = QgsRasterLayer(path, "alone")
        alone[path] = facts_of(layer)
        stem = Path(path).stem
        draw([layer], layer.crs(), extent, result.replace(".json", f".{stem}.png"))
        alone[path]["period"] = period_of(layer)
        alone[path]["information"] = layer.htmlMetadata()
    facts = {
        "version": Qgis.QGIS_VERSION,
        "opened": opened,
        "title": project.title(),
        "crs": crs_of(project.crs()),
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "layers": {key: facts_of(layer) for key, layer in project.mapLayers().items()},
        "tree": group_of(root),
        "rasters": alone,
        "printed": printed_legend(root),
        "shown": [node.layerId() for node in root.findLayers() if node.isVisible()],
        "themes": themes_of(project),
        "layouts": layouts_of(project, result),
        "told": {
            key: told(layer)
            for key, layer in project.mapLayers().items()
            if layer.source().endswith("max_eirp_fixed30_ch22.vrt")
        },
        "ticked": ticked(root),
    }
    Path(result).write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # exitQgis() crashes while layers are alive


main()
