# Part of the plugin channelmaps for QGIS.
"""Plugin of QGIS: the Processing provider ``channelmaps``. Imported by QGIS alone."""


def classFactory(iface):
    """The plugin, for QGIS with a window or without (``iface`` None)."""
    from .provider import Plugin

    return Plugin(iface)
