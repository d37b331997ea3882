"""From the published layers of several variants to a map of their spread and statistics of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.availability.classes import Availability, availability_class, level_name
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.studies.compare import is_number

SPREAD_BANDS = ("spread", "lowest", "highest")
BAND_UNITS = ("dB", "dBm", "dBm")
_PERCENTILES = (5, 50, 95)


def spread_bands(raw: NDArray[np.int16]) -> NDArray[np.int16]:
    """Spread, lowest and highest of ``raw`` [variant, y, x] in 0.01 dB, int16[3, y, x].

    Codes as in the published layers: -9998 where a variant is not evaluated; -9999 in spread and lowest
    where some variant permits nothing, in highest where none permits anything.
    """
    known = is_number(raw)
    largest, smallest = np.iinfo(np.int16).max, np.iinfo(np.int16).min
    low = np.where(known, raw, largest).min(axis=0).astype(np.int32)
    high = np.where(known, raw, smallest).max(axis=0).astype(np.int32)
    bands = np.stack([high - low, low, high])
    barred = raw == NOT_PERMITTED
    bands[:2, barred.any(axis=0)] = NOT_PERMITTED
    bands[2, ~known.any(axis=0)] = NOT_PERMITTED
    bands[:, (raw == NOT_EVALUATED).any(axis=0)] = NOT_EVALUATED
    bands[:, (raw == NODATA_CENTI).any(axis=0)] = NODATA_CENTI
    return bands.astype(np.int16)


def statistics(
    names: Sequence[str], raw: NDArray[np.int16], area_km2: NDArray[np.float32], levels_dbm: Sequence[float]
) -> list[dict[str, object]]:
    """One row a variant: difference to the first one where both are levels, and shares of the area.

    Mean and shares are weighted by true area, percentiles are of pixels.
    """
    inside = raw[0] != NODATA_CENTI
    area = np.broadcast_to(area_km2, inside.shape)[inside].astype(np.float64)
    rows: list[dict[str, object]] = []
    for name, layer in zip(names, raw, strict=True):
        both = is_number(raw[0]) & is_number(layer)
        difference_db = (layer[both].astype(np.float64) - raw[0][both]) / 100.0
        row: dict[str, object] = {"variant": name}
        row |= _differences(difference_db, np.broadcast_to(area_km2, both.shape)[both])
        row["not_permitted_pct"] = _share(layer[inside] == NOT_PERMITTED, area)
        for level in levels_dbm:
            available = availability_class(layer[inside], level) == Availability.AVAILABLE
            row[f"available_{level_name(level)}dbm_pct"] = _share(available, area)
        rows.append(row)
    return rows


def _differences(difference_db: NDArray[np.float64], area_km2: NDArray[np.floating]) -> dict[str, str]:
    if difference_db.size == 0:
        return {"mean_db": ""} | {f"p{p:02d}_db": "" for p in _PERCENTILES}
    mean_db = float(np.average(difference_db, weights=area_km2))
    found_db = np.percentile(difference_db, _PERCENTILES)
    return {"mean_db": f"{mean_db:.3f}"} | {
        f"p{p:02d}_db": f"{value:.3f}" for p, value in zip(_PERCENTILES, found_db, strict=True)
    }


def _share(chosen: NDArray[np.bool_], area: NDArray[np.float64]) -> str:
    return f"{100.0 * float(area[chosen].sum()) / float(area.sum()):.4f}" if area.size else ""
