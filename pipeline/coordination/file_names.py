"""Names of the published files of coordination, relative to the run's folder."""

from __future__ import annotations

from pipeline.config.coordination import Comparison, Coordination
from pipeline.grid.layer_files import layer_file, raster_names

RADAR_TABLE, RADAR_ZONES = layer_file("radar612_adm"), layer_file("radar612_zones")
LINK_BUDGETS = layer_file("f1565_budget")
RR97AB_DECISION = layer_file("rr97ab_decision")


def rr941_layer(comparison: Comparison, layer: str) -> str:
    """A raster of one comparison under No. 9.41."""
    return layer_file(f"rr941_{layer}", case=comparison.id)


def rr941_pairs(comparison: Comparison) -> str:
    """What the numbers of the layer ``argpair`` stand for."""
    return layer_file("rr941_pairs", case=comparison.id)


def rr941_decision(comparison: Comparison) -> str:
    """The decision on one comparison with everything it rests on."""
    return layer_file("rr941_decision", case=comparison.id)


def rr97ab_layer(layer: str) -> str:
    """A raster of the comparison under Nos. 9.7A and 9.7B."""
    return layer_file(f"rr97ab_{layer}")


def radar_layer(layer: str) -> str:
    """A raster of Resolution 612, a band for each frequency."""
    return layer_file(f"radar612_{layer}")


def rr941_files(settings: Coordination) -> list[str]:
    """Files of all comparisons under No. 9.41."""
    return [
        name
        for comparison in settings.rr941
        for name in (
            *(rr941_layer(comparison, layer) for layer in raster_names("rr941")),
            rr941_pairs(comparison),
            rr941_decision(comparison),
        )
    ]


def rr97ab_files(settings: Coordination) -> list[str]:
    """Files of the comparison under Nos. 9.7A and 9.7B."""
    if settings.rr97ab is None:
        return []
    return [*map(rr97ab_layer, raster_names("rr97ab")), RR97AB_DECISION]


def radar_files(settings: Coordination) -> list[str]:
    """Files on oceanographic radars."""
    radars = settings.radars
    if radars is None:
        return []
    names = [*map(radar_layer, raster_names("radar612")), RADAR_TABLE] if radars.frequencies_mhz else []
    return names + ([RADAR_ZONES] if radars.register_file is not None else [])


def link_files(settings: Coordination) -> list[str]:
    """Files on fixed links."""
    return [] if settings.links is None else [LINK_BUDGETS]
