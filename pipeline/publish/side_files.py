"""GDAL's side file ``.aux.xml`` of a published raster: title, credits, licence, validity.

gdalinfo, QGIS and rasterio show them as they show the tags within the file. They stand beside it because they
are about the publication: a new title or licence computes no map again (docs/decisions/0016-side-files.md).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping

from pipeline.plan.plan import Plan
from pipeline.publish.release import period_of_bookings

Terms = Mapping[str, str]


def terms_of(plan: Plan) -> dict[str, str]:
    """What holds for all rasters of a run: attribution, licence, validity, as far as the settings say.

    The period of answers begins when a run is published or renewed, which no file but the manifest may tell;
    one that PMSE bookings fix is told itself, for layers of devices (:func:`tags_of`).
    """
    config = plan.config
    period = period_of_bookings(plan)
    hours = f"{config.validity_hours:g} h; begin and end are in manifest.json of the run"
    found = {
        "attribution": config.attribution,
        "licence": config.licence,
        "validity": "/".join(period) if period else hours,
    }
    return {name: " ".join(text.split()) for name, text in found.items() if text.strip()}


def tags_of(plan: Plan, long_name: str, *, of_device: bool) -> dict[str, str]:
    """Tags of one raster; only the maps of devices have a validity."""
    terms = terms_of(plan)
    if not of_device:
        terms.pop("validity")
    return {"title": f"{plan.config.title or plan.config.name}: {long_name}"} | terms


def side_text(tags: Terms) -> str:
    """Text of a side file."""
    root = ET.Element("PAMDataset")
    root.append(metadata_element(tags))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def metadata_element(tags: Terms) -> ET.Element:
    """The tags as GDAL has them in side files and virtual rasters."""
    found = ET.Element("Metadata")
    for name, text in tags.items():
        ET.SubElement(found, "MDI", key=name).text = text
    return found
