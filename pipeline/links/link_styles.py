"""QGIS styles of rasters of links: classes and colours of ``map_classes.yaml``, as of published layers."""

from __future__ import annotations

from pipeline.files import OutputKind, kind_of_start
from pipeline.publish.qgis.qml import legend_of, style_text
from pipeline.publish.styles import Scheme, read_schemes

QML_FILE: OutputKind = kind_of_start("a style of QGIS", rb"\s*<(\?xml|!DOCTYPE|qgis)")


def link_scheme(name: str) -> Scheme:
    """The classes of ``reach`` or ``service_class``."""
    return read_schemes()[name]


def link_style(name: str) -> str:
    """The style of a raster in these classes, which QGIS loads with the raster of the same name."""
    scheme = link_scheme(name)
    return style_text(legend_of(scheme, unit=scheme.unit, whole=True))


def code_names(name: str) -> dict[int, str]:
    """Names of the values of a scheme, each of which is a class."""
    classes = link_scheme(name).classes
    return {int(one.low if one.code is None else one.code): one.label for one in classes}  # type: ignore[arg-type]
