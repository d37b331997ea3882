"""What was compared, found and decided under RR Nos. 9.7A and 9.7B, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import xarray as xr
from pydantic import TypeAdapter

from pipeline.config.config import Config
from pipeline.config.coordination import EpfdCase, EpfdComparison
from pipeline.coordination.radar.resolution612 import unknown_administrations
from pipeline.coordination.rr97.epfd import Condition, Judgement, judge
from pipeline.coordination.rr97.large_station_decision import decide_large_station, decision_record
from pipeline.coordination.rr97.simulation import Simulation
from pipeline.coordination.rr97.systems import Systems, read_systems
from pipeline.coordination.rr941.appendix5 import CoordinationLimits, EpfdBand, LargeStation, read_limits
from pipeline.errors import InputError, in_file
from pipeline.territory.rasters import CheckedTerritory

_MODE = "bound"


def read_judged(settings: EpfdComparison) -> tuple[Systems, CoordinationLimits, Judgement]:
    """The files of a comparison, checked, and what does not depend on the location."""
    systems, limits = read_systems(settings.systems), read_limits(settings.limits)
    with in_file(settings.systems):
        if settings.simulation is not None and not systems.system.constellation:
            raise InputError(
                "nothing to simulate",
                row="system.constellation",
                value="none",
                allowed="one or more shells, or no `coordination.rr97ab.simulation`",
            )
        return systems, limits, judge(systems, limits)


def document_of(
    systems: Systems,
    limits: CoordinationLimits,
    judgement: Judgement,
    layers: xr.Dataset,
    case: EpfdCase | None = None,
    simulation: Simulation | None = None,
) -> dict[str, object]:
    """What was compared, found and decided as plain data: the worst location of the territory counts."""
    evidence = _evidence_of(judgement, limits)
    codes = layers["cond"].values
    present = codes[codes != layers["cond"].attrs["nodata"]]
    both = Condition.LARGE_STATION | Condition.EPFD
    levels = layers["epfd_max"].values
    largest = float(np.nanmax(levels)) if np.isfinite(levels).any() else math.nan
    return {
        "inputs": TypeAdapter(Systems).dump_python(systems, mode="json"),
        "mode": _MODE,
        "frequency_mhz": judgement.frequency_mhz,
        "overlap": judgement.overlap,
        "condition_1": judgement.large_station,
        "condition_2": bool((present & Condition.EPFD).any()),
        "condition_2_evaluated": judgement.limit_dbw_m2 is not None,
        "epfd_limit_dbw_m2": judgement.limit_dbw_m2,
        "epfd_max_dbw_m2": None if math.isnan(largest) else largest,
        "coordination": bool((present == both).any()),
        "simulation": None if simulation is None else _record(simulation),
        "decision": _decided(case, systems, judgement, limits, largest, simulation),
        "evidence": evidence,
        "unverified": [entry for entry in evidence if not entry["verified"]],
    }


def _decided(
    case: EpfdCase | None,
    systems: Systems,
    judgement: Judgement,
    limits: CoordinationLimits,
    bound: float,
    simulation: Simulation | None = None,
) -> dict[str, object] | None:
    """The decision on the comment of the configuration, if there is one; without a place there is no epfd."""
    if case is None:
        return None
    values = {
        "given": case.epfd_dbw_m2,
        "bound": None if math.isnan(bound) else bound,
        "simulation": None if simulation is None else simulation.largest_dbw_m2,
    }
    epfd = values[case.epfd]
    return decision_record(case, systems, decide_large_station(case, systems, judgement, limits, epfd))


def _record(simulation: Simulation) -> dict[str, object]:
    """A simulation as plain data; no largest epfd where no station was ever in use."""
    largest = simulation.largest_dbw_m2
    return {
        "places": simulation.places,
        "epfd_max_dbw_m2": None if largest == -math.inf else largest,
        "lonlat_deg": simulation.place_deg,
        "exceedance_pct": simulation.exceedance_pct,
    }


def _evidence_of(judgement: Judgement, limits: CoordinationLimits) -> list[dict[str, object]]:
    """Rows of the table that the outcome rests on."""
    mhz = judgement.frequency_mhz
    found: list[tuple[str, LargeStation | EpfdBand]] = [
        ("condition_1", row) for row in limits.condition_1 if row.from_mhz <= mhz <= row.to_mhz
    ]
    if judgement.band is not None:
        found.append(("condition_2", judgement.band))
    return [
        {
            "key": f"{name} {row.from_mhz:g}-{row.to_mhz:g} MHz",
            "value": row.model_dump(exclude={"source", "verified"}),
            "source": row.source,
            "verified": row.verified,
        }
        for name, row in found
    ]


def layer_tags(limits: CoordinationLimits, judgement: Judgement) -> dict[str, str]:
    """Mode, frequency and open numbers of the layers."""
    open_numbers = [str(entry["key"]) for entry in _evidence_of(judgement, limits) if not entry["verified"]]
    return {
        "mode": _MODE,
        "frequency_mhz": f"{judgement.frequency_mhz:g}",
        "unverified": ", ".join(open_numbers),
    }


def check(config: Config, _: CheckedTerritory) -> Iterator[str]:
    """Read the systems of the comparison; a line of the report."""
    settings = config.coordination.rr97ab
    if settings is None:
        return
    systems, _limits, judgement = read_judged(settings)
    both = f"{systems.system.name} and {systems.station.name}"
    known = "" if judgement.limit_dbw_m2 is not None else ", no epfd limit: condition 1 alone decides"
    yield f"  RR {systems.provision}       {both} at {judgement.frequency_mhz:g} MHz{known}"
    if settings.simulation is not None:
        stations = sum(shell.satellites for shell in systems.system.constellation)
        hours, spacing_km = settings.simulation.hours, settings.simulation.spacing_km
        yield f"  epfd          {stations} space stations over {hours:g} h at a place each {spacing_km:g} km"
    for code in unknown_administrations([systems.station.adm, systems.system.adm]):
        yield f"  remark        {settings.systems}: adm {code} is not in the list of administrations"
