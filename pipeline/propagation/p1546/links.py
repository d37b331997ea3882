"""Rec. ITU-R P.1546-6 over a table of links: one row per link through ``p1546_field``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels import kernel
from pipeline.propagation.p1546.curves import Curves
from pipeline.propagation.p1546.link import p1546_field

# Columns of the table, in the order of the arguments of ``p1546_field``; logical ones are 0 or 1.
LINK_COLUMNS = (
    "f_mhz",
    "t_pct",
    "d_km",
    "sea_km",
    "warm_sea",
    "only_sea",
    "heff_m",
    "ha_m",
    "hb_m",
    "terrain",
    "h2_m",
    "r2_m",
    "area",
    "r1_m",
    "q_pct",
    "wa_m",
    "tca_deg",
    "htter_m",
    "hrter_m",
    "eff1_deg",
    "eff2_deg",
)


@kernel
def p1546_links(
    curves: Curves, links: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Field of 1 kW e.r.p. in dB(uV/m), code of ``Branch`` and validity of each link.

    ``links`` float64[n, 21] with the columns ``LINK_COLUMNS``, NaN = absent.
    """
    count = links.shape[0]
    field_dbuvm = np.empty(count)
    branch = np.empty(count, np.int64)
    valid = np.empty(count, np.bool_)
    for row in range(count):
        link = links[row]
        field_dbuvm[row], branch[row], valid[row] = p1546_field(
            curves,
            link[0],
            link[1],
            link[2],
            link[3],
            link[4] > 0.0,
            link[5] > 0.0,
            link[6],
            link[7],
            link[8],
            link[9] > 0.0,
            link[10],
            link[11],
            int(link[12]),
            link[13],
            link[14],
            link[15],
            link[16],
            link[17],
            link[18],
            link[19],
            link[20],
        )
    return field_dbuvm, branch, valid
