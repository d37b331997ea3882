"""Separation-distance method (SM.2405 Annex 10, 47 CFR 15.712): contours and distances are tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.config.base import Number, Section
from pipeline.shipped import TABLES


class Separation(Section):
    """Distances from the protected contour of each transmitter, read with `method: separation`."""

    contours: Path = TABLES / "separation_contours.csv"
    """Field of the protected contour by system and frequency."""
    distances: Path = TABLES / "separation_fcc.csv"
    """Separation by antenna height and e.i.r.p., co-channel and adjacent."""
    azimuth_step_deg: Annotated[Number, Field(ge=0.5, le=45)] = 1.0
    """Step between the radials of a contour."""
