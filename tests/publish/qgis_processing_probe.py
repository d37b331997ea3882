"""Run by the system's Python with QGIS: what Processing makes of the plugin in a folder, as JSON.

    /usr/bin/python3 qgis_processing_probe.py FOLDER_OF_PLUGINS TASKS.json RESULT.json

A task is the name of an algorithm with its parameters; told are its outputs, or why it failed.
"""

import importlib
import json
import os
import sys
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import QgsApplication, QgsProcessingException

SYSTEM_PLUGINS = "/usr/share/qgis/python/plugins"


def rows_of(layer):
    """Attributes and place of the features of a layer."""
    found = []
    for feature in layer.getFeatures():
        point = feature.geometry().asPoint()
        found.append([feature.attributes(), point.x(), point.y()])
    return found


def main():
    plugins, tasks, result = sys.argv[1:]
    sys.path[:0] = [plugins, SYSTEM_PLUGINS]
    application = QgsApplication([], False)
    application.initQgis()
    from processing.core.Processing import Processing
    from qgis import processing

    Processing.initialize()
    plugin = importlib.import_module("channelmaps").classFactory(None)
    plugin.initProcessing()
    provider = QgsApplication.processingRegistry().providerById("channelmaps")
    found = {
        "algorithms": {a.id(): [p.name() for p in a.parameterDefinitions()] for a in provider.algorithms()},
        "tasks": [],
    }
    for name, parameters in json.loads(Path(tasks).read_text()):
        try:
            done = processing.run(name, parameters)
        except QgsProcessingException as error:
            found["tasks"].append({"failed": str(error)})
            continue
        layer = done.pop("OUTPUT", "")
        done["OUTPUT"] = layer if isinstance(layer, str) else rows_of(layer)
        found["tasks"].append(done)
    plugin.unload()
    found["left"] = QgsApplication.processingRegistry().providerById("channelmaps") is not None
    Path(result).write_text(json.dumps(found, indent=1), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # exitQgis() crashes while layers are alive


main()
