"""Variants of the method that `channelmaps sensitivity` compares: each changes one thing of the territory."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.config.base import ModelFor, Number, Section


class Sensitivity(Section):
    """Values to try beside those of the territory; one that equals the territory's own adds no variant."""

    coverage_models: list[Annotated[str, ModelFor("coverage")]] = ["p1546", "extended_hata"]
    """Models of wanted and interfering DTT fields, in place of `propagation.coverage_model`."""
    wsd_models: list[Annotated[str, ModelFor("homogeneous")]] = ["p1546", "extended_hata"]
    """Models of the path from device to victim, in place of `propagation.wsd_model`."""
    location_sigmas_db: list[Annotated[Number, Field(gt=0, le=12)]] = [4.5, 5.5, 6.5]
    """Location variation, in place of `coverage.location_sigma_db` and `protection.far_sigma_db`."""
    dqs_pct: list[Annotated[Number, Field(gt=0, le=30)]] = [0.5, 1.0, 2.0]
    """Allowed fall of location probability, in place of the device's `dq_pct`."""
