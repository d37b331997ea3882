# Part of the plugin channelmaps for QGIS.
"""The provider and its place in the registry of Processing; for QGIS 3 (Qt 5) and QGIS 4 (Qt 6)."""

from qgis.core import QgsApplication, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithms import ALGORITHMS


class Provider(QgsProcessingProvider):
    """All algorithms of the plugin."""

    def id(self):
        return "channelmaps"

    def name(self):
        return "Channelmaps"

    def longName(self):
        return "Channelmaps: channels for white-space devices"

    def icon(self):
        return QIcon()

    def loadAlgorithms(self):
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())


class Plugin:
    """What QGIS loads and unloads."""

    def __init__(self, iface):
        self.iface = iface
        self.provider = None

    def initProcessing(self):
        """Also called by ``qgis_process``, where there is no window."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        self.initProcessing()

    def unload(self):
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
