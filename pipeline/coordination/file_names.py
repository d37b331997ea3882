"""Names of the published files of coordination, relative to the run's folder."""

from __future__ import annotations

from pipeline.config.coordination import Comparison, Coordination

RR941_LAYERS = ("dtt_down", "dtt_up", "dtt_transponder", "exceeds", "argpair", "theta_t", "elev")
RR97AB_LAYERS = ("epfd_max", "cond")
RADAR_LAYERS = ("dist_foreign", "path", "req", "margin", "coord", "n_adm", "adm_k")
RADAR_TABLE = "public/radar612_adm.csv"
RADAR_ZONES = "internal/radar612.gpkg"
LINK_BUDGETS = "internal/f1565_budget.json"
RR97AB_DECISION = "internal/rr97ab_decision.json"


def rr941_layer(comparison: Comparison, layer: str) -> str:
    """A raster of one comparison under No. 9.41."""
    return f"public/{_prefix(comparison)}_{layer}.tif"


def rr941_pairs(comparison: Comparison) -> str:
    """What the numbers of the layer ``argpair`` stand for."""
    return f"public/{_prefix(comparison)}_argpair.json"


def rr941_decision(comparison: Comparison) -> str:
    """The decision on one comparison with everything it rests on."""
    return f"internal/{_prefix(comparison)}_decision.json"


def rr97ab_layer(layer: str) -> str:
    """A raster of the comparison under Nos. 9.7A and 9.7B."""
    return f"public/rr97ab_{layer}.tif"


def radar_layer(layer: str) -> str:
    """A raster of Resolution 612, a band for each frequency."""
    return f"public/radar612_{layer}.tif"


def rr941_files(settings: Coordination) -> list[str]:
    """Files of all comparisons under No. 9.41."""
    return [
        name
        for comparison in settings.rr941
        for name in (
            *(rr941_layer(comparison, layer) for layer in RR941_LAYERS),
            rr941_pairs(comparison),
            rr941_decision(comparison),
        )
    ]


def rr97ab_files(settings: Coordination) -> list[str]:
    """Files of the comparison under Nos. 9.7A and 9.7B."""
    if settings.rr97ab is None:
        return []
    return [*map(rr97ab_layer, RR97AB_LAYERS), RR97AB_DECISION]


def radar_files(settings: Coordination) -> list[str]:
    """Files on oceanographic radars."""
    radars = settings.radars
    if radars is None:
        return []
    names = [*map(radar_layer, RADAR_LAYERS), RADAR_TABLE] if radars.frequencies_mhz else []
    return names + ([RADAR_ZONES] if radars.register_file is not None else [])


def link_files(settings: Coordination) -> list[str]:
    """Files on fixed links."""
    return [] if settings.links is None else [LINK_BUDGETS]


def _prefix(comparison: Comparison) -> str:
    return "rr941" if comparison.id is None else f"rr941_{comparison.id}"
