"""Rec. ITU-R P.1546-6: the names other packages use.

One link: ``p1546_field``; a table of links: ``p1546_links``. Rasters: ``prepare`` once per frequency and
percentage of time, then ``p1546_pixel_field`` per pixel and ``p1546_upper_bound`` to leave out what cannot
matter.
"""

from pipeline.propagation.p1546_link import p1546_field
from pipeline.propagation.p1546_links import LINK_COLUMNS, p1546_links
from pipeline.propagation.p1546_pixel import Prepared, p1546_pixel_field, p1546_upper_bound, prepare
from pipeline.propagation.p1546_tables import Area, Surface, load_curves

__all__ = [
    "LINK_COLUMNS",
    "Area",
    "Prepared",
    "Surface",
    "load_curves",
    "p1546_field",
    "p1546_links",
    "p1546_pixel_field",
    "p1546_upper_bound",
    "prepare",
]
