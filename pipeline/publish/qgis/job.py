"""Job qgis: style and side file beside every published raster, the projects, and what else these show.

``<territory>.qgs`` has no data of stations: what reception tells of them is in ``internal/`` together with
``internal/<territory>_internal.qgs``, which shows it too. ``public/<territory>_public.qgs`` needs no other
folder than that in which it lies. ``public/qgis/`` has what only the projects use: views of rasters whose
values are levels and codes (``views.py``), names of places, the relief of the terrain.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.config.config import Config
from pipeline.files import write_whole
from pipeline.grid import raster
from pipeline.grid.layer_files import style_name
from pipeline.plan.plan import plan_of
from pipeline.plan.published_layers import side_file, style_file
from pipeline.plan.run_files import TRANSMITTER_FILE, max_eirp_files
from pipeline.publish.catalogue import published_rasters, shown_layers
from pipeline.publish.legends import legend
from pipeline.publish.qgis import vectors
from pipeline.publish.qgis.below import write_below
from pipeline.publish.qgis.project import project_text
from pipeline.publish.qgis.projects import expanded, legends_of, projects, territory_view
from pipeline.publish.qgis.qml import style_text
from pipeline.publish.qgis.views import write_views
from pipeline.publish.release import period_of_bookings
from pipeline.publish.side_files import side_text, tags_of
from pipeline.publish.styles import read_schemes


def main(config: Config, build: Path, *, threads: int) -> None:
    """Write styles, views, vector layers and projects into ``build``."""
    plan, schemes = plan_of(config), read_schemes()
    layers = list(expanded(build, shown_layers(plan)))
    legends = legends_of(build, layers, schemes)
    period = period_of_bookings(plan)
    for published in published_rasters(plan):
        file = published.file
        found = legends.get((file, 1)) or legend(build, file, 1, style_name(published.layer), schemes)
        # Layers of devices hold for the time of the bookings.
        of_device = "device" in published.fields
        write_whole(build / style_file(file), style_text(found, period if of_device else None).encode())
        if file.endswith(".tif"):
            tags = tags_of(plan, raster.read_layout(build / file).long_name, of_device=of_device)
            write_whole(build / side_file(file), side_text(tags).encode())
    view = territory_view(build / max_eirp_files(plan, plan.config.devices[0].id)[0])
    below = write_below(plan, build, view.box_deg, view.resolution_m)
    write_whole(build / TRANSMITTER_FILE, vectors.transmitter_bytes(plan.register, plan.config.territory))
    legends |= write_views(plan, build, schemes["max_eirp"])
    for file, project in projects(plan, layers, legends, view, below):
        write_whole(build / file, project_text(project).encode())
