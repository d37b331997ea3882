"""Tables of the service of base stations: radios, sites, capacity, layers of a GeoPackage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import shapely

from pipeline.config.bonds import DeviceChannel
from pipeline.files import csv_text
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import GEOD
from pipeline.links.base_stations import BaseStation, RadioOf, SiteRow, sector_attenuation_db
from pipeline.links.link_files import frame_of_rows
from pipeline.links.link_rows import LinkRow
from pipeline.links.link_table import fixed, row_of
from pipeline.links.link_world import LinkSettings, LinkWorld
from pipeline.links.permitted import Permits, permitted_at
from pipeline.links.plan_links import plan_link
from pipeline.links.radio_capacity import CAPACITY_COLUMNS, capacity_rows, mean_throughput_mbps
from pipeline.links.service_maps import RadioService, ServiceRules, StationLimits, StationPixels, filed_dbm
from pipeline.links.station_pixels import ServiceWindow
from pipeline.links.station_terrain import StationTerrain, losses_to_clients
from pipeline.radio.channel_plan import channel_centre_mhz
from pipeline.rates.client_radios import ClientRow
from pipeline.rates.link_budget import GenericPath, greatest_distance_km

_STATION_COLUMNS = (
    "station",
    "sector",
    "radio",
    "channel",
    "permitted_dbm",
    "used_dbm",
    "limited_by",
    "radius_km",
    "area_km2",
    "people_served",
    "rate_p25_mbps",
    "rate_median_mbps",
    "rate_p75_mbps",
    "tcp_mbps",
    "best_azimuth_deg",
    "best_azimuth_dbm",
)
_SITE_COLUMNS = (
    "id",
    "name",
    "station",
    "sector",
    "radio",
    "channel",
    "d_km",
    "prx_dbm",
    "cni_db",
    "mode",
    "down_mbps",
    "up_mbps",
    "rate_mbps",
    "margin_db",
    "los_visible_pct",
    "los_clear_pct",
    "reception_expected",
    "reason",
)
AZIMUTH_COLUMNS = (
    "station",
    "sector",
    "channel",
    "azimuth_deg",
    "limit_dbm",
    "pointing_gain_db",
    "victim_service",
    "victim_channel",
    "victim_id",
)
_WEDGE_STEPS = 24


def station_row(
    radio: RadioOf,
    service: RadioService,
    pixels: Mapping[str, StationPixels],
    rules: ServiceRules,
    permits: Permits,
    window: ServiceWindow,
) -> dict[str, object]:
    """What a radio uses, how far and whom it serves."""
    here = pixels[radio.station.id]
    served = service.rate_mbps > 0.0
    rates = service.rate_mbps[served]
    quartiles = np.percentile(rates, [25, 50, 75]) if rates.size else np.full(3, math.nan)
    at = here.pixel[served]
    people = "" if window.people is None else f"{float(np.nansum(window.people.ravel()[at])):.0f}"
    harmonic = mean_throughput_mbps(service.throughput_mbps, here.weight)
    limited = "device"
    if service.channel is None:
        limited = "permitted"
    elif service.permitted_dbm < filed_dbm(radio):
        cap_dbm = permitted_at(
            permits, radio.station.lon, radio.station.lat, radio.station.height_m, radio.station.device
        ).cap_dbm
        limited = "cap" if service.permitted_dbm >= cap_dbm else "permitted"
    throughput_mbps = harmonic if radio.station.tcp_mbps is None else radio.station.tcp_mbps
    values = (
        radio.station.id,
        radio.sector.id,
        radio.radio.id,
        "" if service.channel is None else str(service.channel),
        fixed(service.permitted_dbm, 2),
        fixed(service.used_dbm, 2),
        limited,
        fixed(_radius_km(radio, service, rules, permits), 2),
        f"{float(window.area_km2.ravel()[at].sum()):.2f}",
        people,
        *(fixed(value, 3) for value in quartiles.tolist()),
        f"{0.0 if service.channel is None else throughput_mbps:.3f}",
    )
    return dict(zip(_STATION_COLUMNS[: len(values)], values, strict=True))


def azimuth_cells(service: RadioService, limits: StationLimits) -> dict[str, object]:
    """The axis that a radio would be permitted most on, where axes were tried."""
    axis_deg, level_dbm = math.nan, math.nan
    if service.channel is not None:
        axis_deg, level_dbm = limits.best_axis.get(service.channel, (math.nan, math.nan))
    return {"best_azimuth_deg": fixed(axis_deg, 0), "best_azimuth_dbm": fixed(level_dbm, 2)}


def azimuth_rows(limits: Mapping[tuple[str, str], StationLimits]) -> list[dict[str, object]]:
    """Limits by the direction of victims: a row for each sector of 5 degrees."""
    rows: list[dict[str, object]] = []
    for (station, sector), own in limits.items():
        for channel, levels in own.sector_dbm.items():
            gain = fixed(own.gain_db.get(channel, math.nan), 2)
            for step, level in enumerate(levels.tolist()):
                victim = own.sector_victims[channel][step] or ("", "", "")
                values = (station, sector, str(channel), 5 * step, fixed(level, 2), gain, *victim)
                rows.append(dict(zip(AZIMUTH_COLUMNS, values, strict=True)))
    return rows


def _radius_km(radio: RadioOf, service: RadioService, rules: ServiceRules, permits: Permits) -> float:
    """Generic distance of the least mode on the axis, without interference."""
    modes = rules.modes_of(radio)
    if service.channel is None or not modes.level_dbm.size:
        return math.nan
    f_mhz = channel_centre_mhz(permits.config.channels, service.channel)
    path = GenericPath("p1546", f_mhz, radio.station.height_m, rules.client.height_m)
    allowed_db = service.used_dbm + rules.client.receive_db - float(modes.level_dbm[0]) - rules.location_db
    return greatest_distance_km(path, allowed_db)


def service_tables(
    radios: Sequence[RadioOf],
    services: Sequence[RadioService],
    rows: Sequence[Mapping[str, object]],
    pixels: Mapping[str, StationPixels],
    placed: Sequence[tuple[SiteRow, Mapping[str, object]]],
    stations: Sequence[BaseStation],
) -> dict[str, bytes | str]:
    """Everything but maps and facts."""
    names = ["" if one.channel is None else str(one.channel) for one in services]
    found = [
        mean_throughput_mbps(one.throughput_mbps, pixels[radio.station.id].weight)
        for radio, one in zip(radios, services, strict=True)
    ]
    contents: dict[str, bytes | str] = {
        "stations_out.csv": csv_text(_STATION_COLUMNS, rows),
        "capacity.csv": csv_text(CAPACITY_COLUMNS, capacity_rows(radios, names, found)),
    }
    if placed:
        contents["sites_out.csv"] = csv_text(_SITE_COLUMNS, [row for _, row in placed])
    contents["service.gpkg"] = _geopackage(stations, radios, rows, placed)
    return contents


def site_row(
    site: SiteRow,
    client: ClientRow,
    radios: Sequence[RadioOf],
    services: Sequence[RadioService],
    pixels: Mapping[str, StationPixels],
    settings: LinkSettings,
    world: LinkWorld,
) -> dict[str, object]:
    """A site with the radio that serves it best, by the point tool: down and up, what is in sight.

    Over terrain the loss is that of the maps where they have the site's client.
    """
    best: dict[str, object] = dict.fromkeys(_SITE_COLUMNS, "")
    best |= {"id": site.id, "name": site.name, "rate_mbps": "0.000", "reason": "not_permitted"}
    most = (-1.0, -math.inf)
    for radio, service in zip(radios, services, strict=True):
        if service.channel is None:
            continue
        own_share = settings._replace(tdd_share=radio.station.tdd_share)
        link = link_of(radio, service, site, client)
        terrain = pixels[radio.station.id].terrain
        loss_db = _loss_of_maps(terrain, service.channel, (site.lon, site.lat), client)
        found = plan_link(link, own_share, world, client.indoor_loss_db, loss_db)
        row, at = row_of(found), found.best
        down = float(found.there.rated.rate_mbps[at])
        up = float(found.back.rated.rate_mbps[at]) if found.back is not None else math.nan
        key = (float(str(row["rate_mbps"] or 0.0)), float(str(row["margin_db"] or -math.inf)))
        if key > most:
            most = key
            own = {"station": radio.station.id, "sector": radio.sector.id, "radio": radio.radio.id}
            own |= {"channel": str(service.channel), "down_mbps": fixed(down, 3), "up_mbps": fixed(up, 3)}
            best |= {name: row[name] for name in _SITE_COLUMNS if name in row} | own
    return best


def _loss_of_maps(
    terrain: StationTerrain | None, channel: DeviceChannel, place_deg: tuple[float, float], client: ClientRow
) -> float:
    """Loss over terrain to a site as the maps have it; NaN for what they have not."""
    if terrain is None or client.height_m != terrain.client_m:
        return math.nan
    lon_deg, lat_deg = (np.array([part]) for part in place_deg)
    station = np.array([terrain.station.lon]), np.array([terrain.station.lat])
    bearing_deg, _, length_m = GEOD.inv(*station, lon_deg, lat_deg)
    ways = 1e-3 * np.asarray(length_m), np.asarray(bearing_deg) % 360.0
    if ways[0][0] > terrain.radius_km:
        return math.nan
    return float(losses_to_clients(terrain, (lon_deg, lat_deg), *ways)[channel][0])


def link_of(radio: RadioOf, service: RadioService, site: SiteRow, client: ClientRow) -> LinkRow:
    """The link from a radio to a client at a site, as a table of links would have it.

    The station sends what it uses on the map, which is by the limits of its own device.
    """
    away_db = sector_attenuation_db(radio.sector, np.arange(0.0, 360.0, 5.0))
    return LinkRow(
        id=f"{radio.station.id}-{site.id}"[:64],
        a_lon=radio.station.lon,
        a_lat=radio.station.lat,
        b_lon=site.lon,
        b_lat=site.lat,
        channel=str(service.channel),
        bandwidth_mhz=radio.radio.bandwidth_mhz,
        a_eirp_dbm=service.used_dbm,
        a_gain_dbi=radio.sector.gain_dbi,
        a_feeder_db=radio.sector.feeder_db,
        a_pattern=";".join(f"{value:.4f}" for value in away_db.tolist()) if away_db.any() else "",
        a_height_m=radio.station.height_m,
        b_power_dbm=client.power_dbm,
        b_gain_dbi=client.gain_dbi,
        b_feeder_db=client.feeder_db,
        b_height_m=client.height_m,
        device="",
    )


def _geopackage(
    stations: Sequence[BaseStation],
    radios: Sequence[RadioOf],
    rows: Sequence[Mapping[str, object]],
    placed: Sequence[tuple[SiteRow, Mapping[str, object]]],
) -> bytes:
    """Layers ``stations``, ``sectors`` (wedges), and of sites ``sites`` and ``links``."""
    places = {station.id: (station.lon, station.lat) for station in stations}
    layers = {
        "stations": frame_of_rows(
            [{"id": one.id, "height_m": one.height_m} for one in stations],
            [shapely.Point(place) for place in places.values()],
        ),
        "sectors": frame_of_rows(rows, [_wedge(radio, row) for radio, row in zip(radios, rows, strict=True)]),
    }
    kinds = {"stations": "Point", "sectors": "Polygon", "sites": "Point", "links": "LineString"}
    if placed:
        points = [shapely.Point(site.lon, site.lat) for site, _ in placed]
        layers["sites"] = frame_of_rows([row for _, row in placed], points)
        linked = [(site, row) for site, row in placed if row["station"]]
        lines = [shapely.LineString([places[str(row["station"])], (s.lon, s.lat)]) for s, row in linked]
        if linked:
            layers["links"] = frame_of_rows([row for _, row in linked], lines)
    return geopackage_bytes(layers, {name: kinds[name] for name in layers})


def _wedge(radio: RadioOf, row: Mapping[str, object]) -> shapely.Polygon:
    """A sector as far as its radio reaches, 1 km where it reaches nobody."""
    width_deg = radio.sector.beamwidth_deg or 360.0
    length_km = max(float(str(row["radius_km"] or 1.0)), 0.1)
    start = radio.sector.azimuth_deg - 0.5 * width_deg
    bearings = [start + width_deg * i / _WEDGE_STEPS for i in range(_WEDGE_STEPS + 1)]
    place, count = (radio.station.lon, radio.station.lat), len(bearings)
    lon, lat, _ = GEOD.fwd([place[0]] * count, [place[1]] * count, bearings, [1e3 * length_km] * count)
    return shapely.Polygon([place, *zip(lon, lat, strict=True)])
