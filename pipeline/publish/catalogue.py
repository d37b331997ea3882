"""The published rasters as an analyst sees them: kind of layer, heading, title."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.availability.classes import level_name
from pipeline.config.protection import Device
from pipeline.coordination.file_names import radar_layer, rr97ab_layer, rr941_layer
from pipeline.grid.layer_files import raster_names
from pipeline.plan.plan import Plan, levels_of
from pipeline.plan.run_files import internal_files_of_channel, max_eirp_files, query_file, two_digits
from pipeline.radio.channel_plan import channel_centre_mhz

AVAILABILITY = "Availability"
MAX_EIRP, LIMITS = "Maximum e.i.r.p. by channel", "Limiting service by channel"
FLAGS, DTT, COORDINATION = "Evaluated services by channel", "DTT", "Coordination"
ALL_BANDS = 0
# Scheme of map_classes.yaml by layer, where the name of the layer is not that of its scheme.
SCHEMES_OF_LAYERS = {
    "rr941_dtt_down": "rr941_dtt",
    "rr941_dtt_up": "rr941_dtt",
    "rr941_dtt_transponder": "rr941_dtt",
    "rr941_theta_t": "angle",
    "rr941_elev": "angle",
    "radar612_dist_foreign": "radar612_distance",
    "radar612_req": "radar612_distance",
}
DTT_TITLES = {
    "field": "Wanted field",
    "q": "Location probability",
    "served": "Served",
    "server": "Best server",
}
RR941_TITLES = {
    "dtt_down": "delta-T/T of downlinks",
    "dtt_up": "delta-T/T of uplinks",
    "dtt_transponder": "delta-T/T by the transponder method",
    "exceeds": "Threshold exceeded",
    "argpair": "Pair of assignments that decides",
    "theta_t": "Topocentric separation",
    "elev": "Elevation of the victim's satellite",
}
RR97AB_TITLES = {"epfd_max": "Upper bound of epfd(down)", "cond": "Conditions"}
RADAR_TITLES = {
    "dist_foreign": "Distance to foreign territory",
    "path": "Path",
    "req": "Required distance",
    "margin": "Distance beyond the required one",
    "coord": "Coordination",
    "n_adm": "Number of administrations",
    "adm_k": "Administrations",
}


class Shown(NamedTuple):
    """A band of a published raster in a project; ``file`` relative to the run's folder.

    ``band`` counts from 1; ALL_BANDS: as many layers as the file has bands, named by them.
    ``family``: scheme of its classes, or a kind of code that has names of its own (``legends.py``).
    """

    file: str
    band: int
    family: str
    group: tuple[str, ...]
    title: str

    @property
    def id(self) -> str:
        """Name of the layer within a project."""
        return f"{Path(self.file).stem}_band{self.band}"


def shown_layers(plan: Plan) -> list[Shown]:
    """All layers of a project, from top to bottom."""
    found: list[Shown] = []
    for device in plan.config.devices:
        found += [*_availability(plan, device), *_by_channel(plan, device)]
    found += _reception(plan)
    found += _coordination(plan)
    order = (AVAILABILITY, MAX_EIRP, LIMITS, FLAGS, DTT, COORDINATION)
    return sorted(found, key=lambda layer: order.index(layer.group[0]))


def unshown_files(plan: Plan) -> list[tuple[str, str]]:
    """Rasters that no project needs, since others show the same: (file, family)."""
    devices = [device.id for device in plan.config.devices]
    return [(query_file(device), "max_eirp") for device in devices] + [
        (f"public/max_eirp_{device}.vrt", "max_eirp") for device in devices
    ]


def families(plan: Plan) -> dict[str, str]:
    """The family of every published raster."""
    return {layer.file: layer.family for layer in shown_layers(plan)} | dict(unshown_files(plan))


def first_shown(plan: Plan) -> str:
    """The file that is switched on when a project opens, as in the web map: how many channels there are.

    For the first device, at the level in the middle; its maximum e.i.r.p. if none is published.
    """
    device = plan.config.devices[0].id
    levels_dbm = levels_of(plan, device)
    if not levels_dbm:
        return max_eirp_files(plan, device)[0]
    return f"public/available_channels_{device}_{level_name(levels_dbm[len(levels_dbm) // 2])}dbm.tif"


def channel_title(plan: Plan, channel: int) -> str:
    """A channel with its centre frequency: ``Channel 30 (546 MHz)``."""
    return f"Channel {channel} ({channel_centre_mhz(plan.config.channels, channel):g} MHz)"


def _availability(plan: Plan, device: Device) -> Iterator[Shown]:
    for level_dbm in levels_of(plan, device.id):
        level = level_name(level_dbm)
        name = f"Channels available to {device.id} at {level} dBm"
        count = f"public/available_channels_{device.id}_{level}dbm.tif"
        yield Shown(count, 1, "available_channels", (AVAILABILITY, device.id), name)
        by_channel = f"public/availability_{device.id}_{level}dbm.tif"
        group = (AVAILABILITY, device.id, f"At {level} dBm, by channel")
        for band, channel in enumerate(plan.wsd, start=1):
            yield Shown(by_channel, band, "availability", group, channel_title(plan, channel))


def _by_channel(plan: Plan, device: Device) -> Iterator[Shown]:
    for channel, file in zip(plan.wsd, max_eirp_files(plan, device.id), strict=True):
        for family, group in (("max_eirp", MAX_EIRP), ("limiting_service", LIMITS), ("eval_flags", FLAGS)):
            name = file.replace("max_eirp", family, 1)
            yield Shown(name, 1, family, (group, device.id), channel_title(plan, channel))


def _reception(plan: Plan) -> Iterator[Shown]:
    for channel in plan.victims:
        for file in internal_files_of_channel(plan, two_digits(channel)):
            layer = file.removeprefix("internal/dtt_").split("_")[0]
            title = channel_title(plan, channel)
            yield Shown(file, 1, f"dtt_{layer}", (DTT, DTT_TITLES[layer]), title)


def _coordination(plan: Plan) -> Iterator[Shown]:
    settings = plan.config.coordination
    for case in settings.rr941:
        group = (COORDINATION, "RR No. 9.41" + (f", {case.id}" if case.id else ""))
        for layer in raster_names("rr941"):
            yield _all_bands(rr941_layer(case, layer), f"rr941_{layer}", group, RR941_TITLES[layer])
    if settings.rr97ab is not None:
        group = (COORDINATION, "RR Nos. 9.7A and 9.7B")
        for layer in raster_names("rr97ab"):
            yield _all_bands(rr97ab_layer(layer), f"rr97ab_{layer}", group, RR97AB_TITLES[layer])
    if settings.radars is not None and settings.radars.frequencies_mhz:
        group = (COORDINATION, "Oceanographic radars, Resolution 612")
        for layer in raster_names("radar612"):
            yield _all_bands(radar_layer(layer), f"radar612_{layer}", group, RADAR_TITLES[layer])


def _all_bands(file: str, layer: str, group: tuple[str, ...], title: str) -> Shown:
    return Shown(file, ALL_BANDS, SCHEMES_OF_LAYERS.get(layer, layer), group, title)
