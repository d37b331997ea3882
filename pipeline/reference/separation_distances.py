"""Separation distances by antenna height and e.i.r.p. (47 CFR 15.712(a)(2)): tables, steps of a device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.errors import InputError
from pipeline.reference.number_tables import ANY, read_number, read_rows

RELATIONS = {"co": (0,), "adjacent": (-1, 1)}
"""Channel offsets (device minus DTT) to which the distances of a relation apply."""
BANDS = {f"separation {relation}": offsets for relation, offsets in RELATIONS.items()}
"""Names of the maps and the offsets at which they hold."""
KINDS = {"A": "fixed", "B": "portable"}
DISTANCE_COLUMNS = ("device", "from_height_m", "to_height_m", "relation", "eirp_dbm", "distance_km")
# 47 CFR 15.712(a)(2), read at lexfed.com: narrowband devices use the distances of 36 dBm.
NARROWBAND_MHZ, NARROWBAND_DBM = 0.1, 36.0


class Step(NamedTuple):
    """Distance in km that an e.i.r.p. needs; None = none, even inside the contour."""

    eirp_dbm: float
    distance_km: float | None


class Rule(NamedTuple):
    """One row of a table of distances; heights from_m <= h < to_m."""

    device: str
    from_m: float
    to_m: float
    relation: str
    step: Step


def read_distances(path: Path) -> list[Rule]:
    """All rows of a table of separation distances; a line that is wrong is refused."""
    rules: list[Rule] = []
    for row in read_rows(path, DISTANCE_COLUMNS):
        for field, known in (("device", (ANY, *KINDS.values())), ("relation", tuple(RELATIONS))):
            if row.values[field] not in known:
                raise InputError(
                    "value is not allowed",
                    file=path,
                    row=row.line,
                    field=field,
                    value=row.values[field],
                    allowed=", ".join(known),
                )
        from_m, to_m = (read_number(row, name, 0.0, 5000.0) for name in ("from_height_m", "to_height_m"))
        distance_km = read_number(row, "distance_km", 0.0, 300.0, empty=math.nan)
        step = Step(
            read_number(row, "eirp_dbm", -50.0, 60.0), None if math.isnan(distance_km) else distance_km
        )
        rules.append(Rule(row.values["device"], from_m, to_m, row.values["relation"], step))
    return rules


def steps_of(rules: Sequence[Rule], device: Device, relation: str, file: Path) -> list[Step]:
    """Steps of a device in one relation, smallest e.i.r.p. first; refused where the table has none.

    The antenna height above ground stands for the height above average terrain. Rows for the kind of device
    win over rows for all.
    """
    kind = KINDS[device.type]
    matching = [r for r in rules if r.relation == relation and r.from_m <= device.height_m < r.to_m]
    own = [r.step for r in matching if r.device == kind] or [r.step for r in matching if r.device == ANY]
    if device.bandwidth_mhz <= NARROWBAND_MHZ:
        own = [step for step in own if step.eirp_dbm >= NARROWBAND_DBM]
    if not own:
        raise InputError(
            f"no {relation} separation distance for device {device.id}",
            file=file,
            field="from_height_m",
            value=f"{device.height_m:g} m, {kind}",
            allowed="rows for the height of every device",
        )
    levels_dbm = [step.eirp_dbm for step in own]
    if len(set(levels_dbm)) != len(levels_dbm):
        raise InputError("an e.i.r.p. is given twice", file=file, field="eirp_dbm", value=levels_dbm)
    return sorted(own, key=lambda step: step.eirp_dbm)


def largest_separation_km(config: Config, device: Device) -> float:
    """Distance beyond which no contour limits a device."""
    rules = read_distances(config.protection.separation.distances)
    steps = [
        step
        for relation in RELATIONS
        for step in steps_of(rules, device, relation, config.protection.separation.distances)
    ]
    return max(step.distance_km for step in steps if step.distance_km is not None)


def permitted_dbm(
    steps: Sequence[Step], cap_dbm: float, inside: NDArray[np.bool_], distance_km: NDArray[np.float64]
) -> NDArray[np.float32]:
    """E.i.r.p. by distance from the contour, same shape; -inf = none, +inf where the cap is reached."""
    permitted = np.full(inside.shape, -np.inf, dtype=np.float32)
    for step in steps:
        level_dbm = np.float32(np.inf if step.eirp_dbm >= cap_dbm else step.eirp_dbm)
        kept = True if step.distance_km is None else ~inside & (distance_km >= step.distance_km)
        permitted[np.broadcast_to(kept, inside.shape) & (permitted < level_dbm)] = level_dbm
    return permitted
