"""The table of published layers: all that is known of a family of files stands in its row.

Names of files, labels in the rasters, styles, legends, projects, STAC, web map and `docs/outputs.md` follow
from a row. Texts in braces are fields, of a path those that there is a file for. The order of the rows is
that of the groups in a project and of the choice in the web map.
"""

from __future__ import annotations

from typing import NamedTuple

_NAN = float("nan")


class Raster(NamedTuple):
    """What is in the files of a family: all that their producer has to know."""

    dtype: str
    nodata: float
    unit: str
    long_name: str
    bands: str = ""
    """Name of a band; its fields beyond those of the path tell what there is a band for. Empty: one band,
    named as the layer."""
    rounding: str = ""
    """``floor``, ``ceil`` or ``nearest``, where values are rounded on purpose."""
    scale: float = 1.0
    codes: tuple[tuple[int, str], ...] = ()
    """Names of the values, where all are codes; they are in the file's tag ``categories``."""


class View(NamedTuple):
    """What readers see of a family beside its values."""

    title: str
    group: tuple[str, ...] = ()
    """Name in a QGIS project and the headings above it; without a group no project shows it."""
    scheme: str | None = None
    """Classes of `map_classes.yaml`; None: the values have names of their own (``publish/legends.py``)."""
    text: str = ""
    """What it is, for `docs/outputs.md`, where the title does not say it."""
    codes: str = ""
    """Values that are codes, where ``Raster.codes`` does not tell."""
    legend: str = ""
    outside: str = "outside"
    """Without a scheme: heading of the legend, and what nodata means."""
    web: bool = False
    qgis: str = "public"
    """``public``: in every project that has its folder; ``internal``: in that for internal use only."""


class Layer(NamedTuple):
    """A family of published files; the first folder of ``path`` is its audience.

    There is a file for every value of the path's fields: device, level and channel (of a device), mode (of a
    device) and km of its reach, dtt_channel, case (of RR No. 9.41).
    """

    family: str
    path: str
    job: str
    view: View
    raster: Raster | None = None
    """None: a table or a document."""
    when: str = ""
    """Setting without which there is no such file; ``key=one|other``: unless it has one of these values."""


_DEVICE, _BAND, _BOTH = "{device}", "channel {channel}", "{direction}"
_REACH = "Reach of base stations"
_AVAILABILITY, _DTT, _COORDINATION = "Availability", "DTT", "Coordination"
_RR941 = (_COORDINATION, "RR No. 9.41{of_case}")
_RR97AB = (_COORDINATION, "RR Nos. 9.7A and 9.7B")
_RADARS = (_COORDINATION, "Oceanographic radars, Resolution 612")
_FREQUENCIES, _REGISTER = "coordination.radars.frequencies_mhz", "coordination.radars.register_file"
_RADAR_BAND = "{frequency_mhz:g} MHz, {noise}"
# Names of codes.
_ALLOTTED = ((0, "used"), (1, "unused"), (2, "unknown"), (255, "outside"))
_CLASSES = ((0, "unavailable"), (1, "available"), (2, "not evaluated"), (255, "outside"))
_SERVED = ((0, "not served"), (1, "served"))
_CONDITIONS = ((0, "none"), (1, "condition 1"), (2, "condition 2"), (3, "coordination"))
_MECHANISMS = ((1, "line of sight"), (2, "diffraction"), (3, "troposcatter"), (4, "ducting"))
_PATHS = ((1, "land"), (2, "sea or mixed"))
_REQUIRED = ((0, "no"), (1, "coordination required"))

# A row has a line for each of its parts.
# fmt: off
_ROWS = (
    Layer("available_channels", "public/available_channels_{device}_{level}dbm.tif", "availability",
          View("channels available {device} at {level} dBm", (_AVAILABILITY, _DEVICE),
               "available_channels",
               "number of channels, or bonds, available; not evaluated counts as unavailable", web=True),
          Raster("uint8", 255, "{counted}", "{counted} available at {level} dBm, {device}")),
    Layer("availability", "public/availability_{device}_{level}dbm.tif", "availability",
          View("availability ch {channel} {device} at {level} dBm",
               (_AVAILABILITY, _DEVICE, "At {level} dBm, by channel"), "availability",
               "whether that e.i.r.p. is permitted; compared before rounding"),
          Raster("uint8", 255, "", "availability at {level} dBm, {device}", _BAND, codes=_CLASSES)),
    Layer("max_eirp", "public/max_eirp_{device}_ch{channel}.tif", "combine",
          View("max e.i.r.p. ch {channel} {device}", ("Maximum e.i.r.p. by channel", _DEVICE), "max_eirp",
               "maximum permitted e.i.r.p. in the device's bandwidth",
               codes="-9999 no transmission permitted, -9998 not evaluated", web=True),
          Raster("int16", -32768, "dBm",
                 "maximum permitted e.i.r.p. in {bandwidth_mhz:g} MHz, {device}, channel {channel}", _BAND,
                 "floor", 0.01)),
    Layer("limiting_service", "public/limiting_service_{device}_ch{channel}.tif", "combine",
          View("limiting service ch {channel} {device}",
               ("Limiting service by channel", _DEVICE), "limiting_service",
               "what limits the maximum e.i.r.p.", codes="of the services: `configs/tables/map_classes.yaml`",
               web=True),
          Raster("uint8", 255, "", "service that decides, {device}, channel {channel}", _BAND),
          when="publish.limiting_service=full|grouped"),
    Layer("limiting_service_internal", "internal/limiting_service_{device}_ch{channel}.tif", "combine",
          View("limiting service ch {channel} {device}",
               ("Limiting service by channel", _DEVICE), "limiting_service",
               "the same, if `publish.limiting_service` is `internal`",
               codes="of the services: `configs/tables/map_classes.yaml`", qgis="internal"),
          Raster("uint8", 255, "", "service that decides, {device}, channel {channel}", _BAND),
          when="publish.limiting_service=internal"),
    Layer("eval_flags", "public/eval_flags_{device}_ch{channel}.tif", "combine",
          View("evaluated services ch {channel} {device}",
               ("Evaluated services by channel", _DEVICE), text="services that were evaluated",
               codes="bit mask, bits by service: `service_bits` of the manifest",
               legend="Services evaluated"),
          Raster("uint32", 4294967295, "", "bit mask of evaluated services, {device}, channel {channel}",
                 _BAND)),
    Layer("max_eirp_stack", "public/max_eirp_{device}.vrt", "availability",
          View("`public/max_eirp_<device>_chNN.tif` of all channels", scheme="max_eirp", codes="as there"),
          Raster("int16", -32768, "dBm", "", _BAND, "floor", 0.01)),
    Layer("query", "public/query_{device}.tif", "query",
          View("the same in small blocks, for point queries", scheme="max_eirp", codes="as there"),
          Raster("int16", -32768, "dBm",
                 "maximum permitted e.i.r.p. of all channels for point queries, {device}", _BAND, "floor",
                 0.01)),
    Layer("query_slices", "internal/query_{device}_{slice}.tif", "query",
          View("the same hour by hour, where bookings change within the period of the run: `base` by all but "
               "bookings, `s001` and so on with those that hold then (times: `query.slices` of the manifest)",
               scheme="max_eirp",
               codes="as there; -32767, and in `sNNN` also nodata: as in `query_<device>_base.tif`"),
          Raster("int16", -32768, "dBm",
                 "maximum permitted e.i.r.p. of all channels, {device}, {slice}", _BAND, "floor", 0.01)),
    Layer("reach", "public/reach_{device}_{mode}.tif", "reach",
          View("reach of a base station {device}, {mode}", (_REACH, _DEVICE), "reach",
               "largest distance at which a client of a base station here, radiating what is permitted, has "
               "the mode; a generic land path without terrain and without interference, no prediction of "
               "coverage", codes="0 none, 65534 not evaluated", web=True),
          Raster("uint16", 65535, "km", "reach of a permitted base station, {device}, {mode}", "", "floor",
                 0.01), when="reach"),
    Layer("reach_channel", "public/reach_channel_{device}_{mode}.tif", "reach",
          View("channel of that reach, {device}, {mode}", (_REACH, _DEVICE),
               text="the channel, of a bond the first, that gives the reach; of equal ones the lowest",
               codes="0 none, 254 not evaluated", legend="Channel"),
          Raster("uint8", 255, "", "channel of the reach, {device}, {mode}"), when="reach"),
    Layer("reach_channels", "public/reach_channels_{device}_{mode}_{km}.tif", "reach",
          View("channels that reach {km} km, {device}, {mode}", (_REACH, _DEVICE), "reach_channels",
               "number of channels, or bonds, that reach at least so far", codes="254 not evaluated"),
          Raster("uint8", 255, "channels", "channels that reach {km} km, {device}, {mode}"), when="reach"),
    Layer("reach_statistics", "public/reach_statistics.csv", "reach",
          View("`device, modes, mode, cpe, q_pct, km, area_pct, population_pct`: share of the land and of "
               "the people where a base station would reach that far"), when="reach"),
    Layer("allotment_unused", "public/allotment_unused_{block}.tif", "allotments",
          View("allotted block {block} MHz", ("Allotments",), "allotment_unused",
               "whether nobody uses a block that is allotted by region (`allotments`)"),
          Raster("uint8", 255, "", "use of {block} MHz by those to whom it is allotted", codes=_ALLOTTED),
          when="allotments"),
    Layer("allotment_shares", "public/allotment_shares.csv", "allotments",
          View("share of area and people where a block is used, unused, unknown"), when="allotments"),
    Layer("dtt_field", "internal/dtt_field_ch{dtt_channel}.tif", "reception",
          View("wanted field of DTT ch {dtt_channel}",
               (_DTT, "Wanted field"), "dtt_field", "wanted field of the best server at 10 m"),
          Raster("int16", -32768, "dB(uV/m)", "wanted field of the best server at 10 m", "", "nearest",
                 0.01)),
    Layer("dtt_q", "internal/dtt_q_ch{dtt_channel}.tif", "reception",
          View("location probability of DTT ch {dtt_channel}", (_DTT, "Location probability"), "dtt_q",
               "location probability of DTT reception"),
          Raster("uint16", 65535, "1", "location probability of DTT reception", "", "nearest", 0.0001)),
    Layer("dtt_served", "internal/dtt_served_ch{dtt_channel}.tif", "reception",
          View("DTT served ch {dtt_channel}", (_DTT, "Served"), "dtt_served", "whether reception is served"),
          Raster("uint8", 255, "1", "DTT reception served", codes=_SERVED)),
    Layer("dtt_server", "internal/dtt_server_ch{dtt_channel}.tif", "reception",
          View("best server of DTT ch {dtt_channel}", (_DTT, "Best server"), text="best server",
               codes="number in the manifest's table", legend="Best server", qgis="internal"),
          Raster("uint16", 0, "1", "best server, number in the manifest's table")),
    Layer("dtt_mechanism", "internal/dtt_mechanism_ch{dtt_channel}.tif", "reception",
          View("mechanism of the wanted field ch {dtt_channel}",
               (_DTT, "Mechanism of the wanted field"), "dtt_mechanism",
               "what decides the field of the best server, by P.1812, at the nearest node of its table",
               qgis="internal"),
          Raster("uint8", 0, "1", "mechanism of the wanted field of the best server", codes=_MECHANISMS),
          when="propagation.coverage_model=p1812"),
    Layer("wsd_terrain", "internal/wsd_terrain_{device}.tif", "wsd_terrain",
          View("terrain less limit ch {channel} {device}",
               (_DTT, "Paths of {device} over terrain, less those of the limits"), "wsd_terrain",
               "loss over terrain less that of the published limit by DTT, at sampled pixels; below 0 the "
               "terrain lets more through"),
          Raster("int16", -32768, "dB", "loss over terrain less that of the limit by DTT, {device}", _BAND,
                 "nearest", 0.01), when="protection.wsd_terrain=checked"),
    Layer("wsd_terrain_statistics", "internal/wsd_terrain.csv", "wsd_terrain",
          View("only with `protection.wsd_terrain: checked`: `device, channel`, numbers of pixels `sampled`, "
               "`limited` by DTT, with an `adjacent` victim, over `unknown` terrain, `checked`, and the "
               "difference of these (`mean_db, p5_db, p50_db, p95_db`, share and size of what the terrain "
               "lets through more)"), when="protection.wsd_terrain=checked"),
    Layer("wsd_terrain_worst", "internal/wsd_terrain_worst.csv", "wsd_terrain",
          View("the paths over which the terrain lets most more through, up to five of a device and channel, "
               "with place, channel and victim: what `channelmaps explain` asks for"),
          when="protection.wsd_terrain=checked"),
    Layer("rr941_dtt_down", "public/rr941{case}_dtt_down.tif", "rr941",
          View("delta-T/T of downlinks", _RR941, "rr941_dtt"),
          Raster("float32", _NAN, "%", "largest delta-Te/Te, pixel = victim's earth station", _BOTH, "ceil")),
    Layer("rr941_dtt_up", "public/rr941{case}_dtt_up.tif", "rr941",
          View("delta-T/T of uplinks", _RR941, "rr941_dtt"),
          Raster("float32", _NAN, "%", "largest delta-Ts/Ts, pixel = interfering earth station", _BOTH,
                 "ceil")),
    Layer("rr941_dtt_transponder", "public/rr941{case}_dtt_transponder.tif", "rr941",
          View("delta-T/T by the transponder method", _RR941, "rr941_dtt"),
          Raster("float32", _NAN, "%", "largest delta-T/T by the transponder method", _BOTH, "ceil")),
    Layer("rr941_exceeds", "public/rr941{case}_exceeds.tif", "rr941",
          View("Threshold exceeded", _RR941, "rr941_exceeds", "whether delta-T/T is above the threshold",
               codes="1 exceeded"),
          Raster("uint8", 255, "1", "delta-T/T above the threshold, up or down", _BOTH)),
    Layer("rr941_argpair", "public/rr941{case}_argpair.tif", "rr941",
          View("Limiting pair of assignments", _RR941, text="pair of assignments with the largest delta-T/T",
               codes="number of a pair in `rr941_argpair.json`",
               legend="Pair of assignments with the largest delta-T/T", outside="no pair, or outside"),
          Raster("uint16", 65535, "1", "pair of assignments with the largest delta-T/T", _BOTH)),
    Layer("rr941_theta_t", "public/rr941{case}_theta_t.tif", "rr941",
          View("Topocentric separation", _RR941, "angle"),
          Raster("float32", _NAN, "deg", "topocentric separation of the satellites", _BOTH, "floor")),
    Layer("rr941_elev", "public/rr941{case}_elev.tif", "rr941",
          View("Elevation of the victim's satellite", _RR941, "angle"),
          Raster("float32", _NAN, "deg", "elevation of the victim's satellite", _BOTH)),
    Layer("rr941_pairs", "public/rr941{case}_argpair.json", "rr941",
          View("what the numbers of `rr941_argpair.tif` stand for")),
    Layer("rr941_decision", "internal/rr941{case}_decision.json", "rr941",
          View("the decision under RR No. 9.41 with everything that it rests on")),
    Layer("rr97ab_epfd_max", "public/rr97ab_epfd_max.tif", "rr97ab",
          View("Upper bound of epfd(down)", _RR97AB, "rr97ab_epfd_max",
               "upper bound of epfd(down) in the reference bandwidth"),
          Raster("float32", _NAN, "dB(W/m2{reference})", "upper bound of epfd(down) at an earth station here",
                 "", "ceil"), when="coordination.rr97ab"),
    Layer("rr97ab_cond", "public/rr97ab_cond.tif", "rr97ab",
          View("Conditions", _RR97AB, "rr97ab_cond", "conditions of RR Nos. 9.7A and 9.7B"),
          Raster("uint8", 255, "1", "conditions of Nos. 9.7A and 9.7B", codes=_CONDITIONS),
          when="coordination.rr97ab"),
    Layer("rr97ab_epfd_simulated", "public/rr97ab_epfd_simulated.tif", "rr97ab",
          View("Largest simulated epfd(down)", _RR97AB, "rr97ab_epfd_max",
               "largest epfd(down) of a simulation in time, at the place that stands for the square"),
          Raster("float32", _NAN, "dB(W/m2{reference})", "largest simulated epfd(down)", "", "ceil"),
          when="coordination.rr97ab.simulation"),
    Layer("rr97ab_exceedance", "public/rr97ab_exceedance.tif", "rr97ab",
          View("Time above the limit of epfd(down)", _RR97AB, "time_share",
               "share of the simulated time in which epfd(down) is above its limit"),
          Raster("float32", _NAN, "%", "simulated time with epfd(down) above its limit", "", "ceil"),
          when="coordination.rr97ab.simulation"),
    Layer("rr97ab_epfd_distribution", "public/rr97ab_epfd_distribution.csv", "rr97ab",
          View("share of the time (`worst_pct` at the place where it is largest, `mean_pct` in the mean of "
               "places) in which the simulated epfd is above `epfd_dbw_m2`"),
          when="coordination.rr97ab.simulation"),
    Layer("rr97ab_decision", "internal/rr97ab_decision.json", "rr97ab",
          View("the decision under RR Nos. 9.7A and 9.7B with everything that it rests on"),
          when="coordination.rr97ab"),
    Layer("radar612_dist_foreign", "public/radar612_dist_foreign.tif", "radar612",
          View("Distance to foreign territory", _RADARS, "radar612_distance"),
          Raster("float32", -9999.0, "km", "distance to foreign territory"), when=_FREQUENCIES),
    Layer("radar612_path", "public/radar612_path.tif", "radar612",
          View("Path", _RADARS, "radar612_path", "path to the place of foreign territory that limits"),
          Raster("uint8", 255, "1", "path to the decisive place of foreign territory", _RADAR_BAND,
                 codes=_PATHS), when=_FREQUENCIES),
    Layer("radar612_req", "public/radar612_req.tif", "radar612",
          View("Required distance", _RADARS, "radar612_distance", "required distance from that place"),
          Raster("float32", -9999.0, "km", "required distance of the decisive place", _RADAR_BAND),
          when=_FREQUENCIES),
    Layer("radar612_margin", "public/radar612_margin.tif", "radar612",
          View("Distance beyond the required one", _RADARS, "radar612_margin",
               "minimum distance beyond the required one; 0 and less: coordination"),
          Raster("float32", -9999.0, "km", "least distance beyond the required one", _RADAR_BAND),
          when=_FREQUENCIES),
    Layer("radar612_coord", "public/radar612_coord.tif", "radar612",
          View("Coordination", _RADARS, "radar612_coord", "whether coordination is required"),
          Raster("uint8", 255, "1", "coordination under Resolution 612", _RADAR_BAND, codes=_REQUIRED),
          when=_FREQUENCIES),
    Layer("radar612_n_adm", "public/radar612_n_adm.tif", "radar612",
          View("Number of administrations", _RADARS, "radar612_n_adm", "number of affected administrations"),
          Raster("uint8", 255, "1", "administrations concerned", _RADAR_BAND), when=_FREQUENCIES),
    Layer("radar612_adm_k", "public/radar612_adm_k.tif", "radar612",
          View("Administrations", _RADARS, text="affected administrations",
               codes="bit mask, `radar612_adm.csv`", legend="Affected administrations",
               outside="none of these, or outside"),
          Raster("uint32", 0, "1", "administrations concerned, bit mask (radar612_adm.csv)",
                 bands="{frequency_mhz:g} MHz, {noise}, administrations {first}-{last}"), when=_FREQUENCIES),
    Layer("radar612_adm", "public/radar612_adm.csv", "radar612",
          View("what the bits of `radar612_adm_k.tif` stand for"), when=_FREQUENCIES),
    Layer("radar612_zones", "internal/radar612.gpkg", "radar612",
          View("zones of the registered radars and the administrations that they affect"), when=_REGISTER),
    Layer("f1565_budget", "internal/f1565_budget.json", "f1565",
          View("budgets of interference of fixed links"), when="coordination.links"),
    Layer("statistics", "public/statistics.csv", "availability",
          View("`device, level_dbm, channels_at_least, area_pct, population_pct`: share of the territory's "
               "land (true area) and people, 0.0001 %")),
    Layer("statistics_by_region", "public/statistics_by_region.csv", "regions",
          View("only with `report.regions`: `device, level_dbm, region, area_km2, population, channels_mean, "
               "channels_median`, then `area_at_least_N_pct` and `population_at_least_N_pct` for N = 1, 5, "
               "10; see below"), when="report.regions"),
    Layer("choices", "public/choices.csv", "choices",
          View("what each cautious choice costs: a line for the run as it is, one for each setting with its "
               "value `now` and `otherwise`, how to set it (`set_by`), whether the number behind it is "
               "`verified`, how it was `counted`, and mean numbers of channels: `permitted` at all, by "
               "level; see below")),
    Layer("lost_channels", "public/lost_channels.csv", "choices",
          View("`device, level_dbm, rule, share_pct, channels_mean`: by which rule pixel-channels are lost, "
               "in % of all and in channels of the mean; see below"),
          when="publish.limiting_service=full|grouped"),
    Layer("lost_channels_internal", "internal/lost_channels.csv", "choices",
          View("the same, if `publish.limiting_service` is `internal`"),
          when="publish.limiting_service=internal"),
    Layer("not_evaluated", "public/not_evaluated.csv", "availability",
          View("`device, channel, area_km2, area_pct, population_pct` that is not evaluated")),
)
# fmt: on
LAYERS = {row.family: row for row in _ROWS}
