"""``channelmaps contour``: what each transmitter serves and how far it is protected, as GeoPackage and KML.

``coverage``: pixels that it serves as the best server, as the run has them, with interference and terrain.
``protection``: how far reception of it can be protected at all, by radials over effective heights. With the
separation method that is its contour, F(50,90) (docs/method.md, section 14); else the contour on which a
receiver without interference has the least location probability that counts as served, F(50,50) of P.1546.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from rasterio.features import shapes

from pipeline.config.config import Config
from pipeline.coverage.network import load_sweeps, read_network
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.separation import (
    HIGH_PCT,
    MEDIAN_PCT,
    ProtectedContour,
    contour_of,
    radii_km,
    read_contours,
    ring_deg,
)
from pipeline.errors import InputError
from pipeline.files import GEOTIFF_FILE, OutputKind, check_output_folder, kind_of_start, write_output
from pipeline.grid import raster
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.grid.grid import LONLAT, Grid
from pipeline.grid.layer_files import layer_file, raster_of
from pipeline.plan.plan import Plan, load_plan
from pipeline.plan.territory_file import files_read
from pipeline.publish.qgis.qml import legend_of, style_text
from pipeline.publish.styles import read_schemes
from pipeline.radio.channel_plan import channel_centre_mhz, receiver_band
from pipeline.radio.noise import noise_field_dbuvm
from pipeline.reference.ratio_tables import ModeKey, read_modes
from pipeline.studies.tool_projects import QGS_FILE, STYLE_FILE, areas_project
from pipeline.terrain.records import Sweep

_FILES = {
    "contours.gpkg": kind_of_start("a GeoPackage", rb"SQLite format 3\0"),
    "contours.kml": kind_of_start("a KML document", rb"\s*<\?xml[^>]*>\s*<kml"),
    "contours.qgs": QGS_FILE,
}
_LAYERS = ("coverage", "protection")
# Blue, green, red in hexadecimal, and whether areas are filled.
_KML_STYLES = {"coverage": ("739e00", 1), "protection": ("005ed5", 0)}


class _Asked(NamedTuple):
    """A finished run and the ids of its transmitters that are wanted; none: all."""

    plan: Plan
    build: Path
    ids: frozenset[str]


class _Served(NamedTuple):
    """Where a station is the best server of served pixels: bool[y, x]; the wanted field there, raw."""

    mask: NDArray[np.bool_]
    field: xr.DataArray


def contour_command(
    config_path: Path, out: Path, *, transmitters: Sequence[str] = (), build: Path | None = None
) -> None:
    """Write contours of all transmitters, or of some with the field of each where it serves as a raster."""
    plan = load_plan(config_path)
    asked = _Asked(plan, build or Path("build") / plan.config.name, frozenset(transmitters))
    _check_ids(asked)
    rasters = {name: f"coverage_{_file_name(name)}.tif" for name in dict.fromkeys(transmitters)}
    _check_names(rasters)
    styles = [str(Path(name).with_suffix(".qml")) for name in rasters.values()]
    products: dict[str, OutputKind] = {
        **_FILES,
        **dict.fromkeys(rasters.values(), GEOTIFF_FILE),
        **dict.fromkeys(styles, STYLE_FILE),
    }
    check_output_folder("--out", out, products, [asked.build, *files_read(plan.config)])
    channels = [channel for channel in plan.victims if _wanted(asked, channel)]
    _check_layers(asked, channels)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _LAYERS}
    near = {channel: _stations(asked, channel) for channel in channels}
    _check_near(asked, near.values())
    out.mkdir(parents=True, exist_ok=True)
    for channel, stations in near.items():
        rows["protection"] += _protection_rows(asked, channel, stations)
        for i, served in _served(asked, channel, stations):
            station = stations.isel(transmitter=i)
            if served.mask.any():
                rows["coverage"].append(_facts(station) | _coverage_facts(served))
            if name := rasters.get(str(station["id"].item())):
                _write_raster(out / name, asked.plan.config, station, served)
    frames = {name: _frame(found) for name, found in rows.items()}
    write_output(out / "contours.gpkg", geopackage_bytes(frames, dict.fromkeys(_LAYERS, "MultiPolygon")))
    write_output(out / "contours.kml", _kml(frames))
    write_output(out / "contours.qgs", _project(plan.config, frames))
    told = ", ".join(f"{len(found)} {name}" for name, found in rows.items())
    print(
        f"contours of {len(channels)} channels: {told}; written to {out}: contours.gpkg, .kml, .qgs for QGIS"
    )


# --- what is asked for --------------------------------------------------------------------------------------


def _check_ids(asked: _Asked) -> None:
    known = set(asked.plan.register["id"].values.tolist())
    if unknown := sorted(asked.ids - known):
        raise InputError(
            "transmitter is not in the register",
            field="--transmitter",
            value=unknown[0],
            allowed="an id of registers.transmitters",
        )


def _check_names(rasters: Mapping[str, str]) -> None:
    """InputError for two ids whose rasters would have one name: the second would replace the first."""
    for file in rasters.values():
        alike = [other for other, found in rasters.items() if found.lower() == file.lower()]
        if len(alike) > 1:
            raise InputError(
                f"their rasters would both be {file}",
                field="--transmitter",
                value=" and ".join(alike),
                allowed="one of them at a time",
            )


def _check_near(asked: _Asked, near: Iterable[xr.Dataset]) -> None:
    """InputError for a transmitter that this run knows nothing of."""
    known = {name for stations in near for name in stations["id"].values.tolist()}
    if far := sorted(asked.ids - known):
        raise InputError(
            "transmitter is out of reach, or its channel limits no device",
            field="--transmitter",
            value=far[0],
            allowed="one that the run looked at",
        )


def _wanted(asked: _Asked, channel: int) -> bool:
    own = asked.plan.register["id"].values[asked.plan.register["channel"].values == channel]
    return bool(set(own.tolist()) & asked.ids) if asked.ids else bool(own.size)


def _check_layers(asked: _Asked, channels: Sequence[int]) -> None:
    """InputError for the first layer that no run has left, before anything is written."""
    for channel in channels:
        for family in ("dtt_server", "dtt_served", "dtt_field"):
            path = asked.build / layer_file(family, dtt_channel=channel)
            if not path.is_file():
                raise InputError("no such layer", file=path, allowed="a finished run of this territory")


def _stations(asked: _Asked, channel: int) -> xr.Dataset:
    """Stations of the channel near the territory, those asked for; by id."""
    network = read_network(asked.plan.config, _grid(asked, channel), channel)
    chosen = network["channel"].values == channel
    if asked.ids:
        chosen &= np.isin(network["id"].values, sorted(asked.ids))
    return network.isel(transmitter=np.flatnonzero(chosen))


def _grid(asked: _Asked, channel: int) -> Grid:
    return raster.read_grid(asked.build / layer_file("dtt_server", dtt_channel=channel))


# --- coverage -----------------------------------------------------------------------------------------------


def _served(asked: _Asked, channel: int, stations: xr.Dataset) -> Iterator[tuple[int, _Served]]:
    """Each station by its position with the pixels that it serves."""
    server, served, field = (
        raster.read(asked.build / layer_file(family, dtt_channel=channel))
        for family in ("dtt_server", "dtt_served", "dtt_field")
    )
    table = json.loads(ChannelFiles(asked.build, channel).coverage("_servers.json").read_text("utf-8"))
    numbers = {entry["id"]: number for number, entry in enumerate(table["transmitters"], 1)}
    for i, name in enumerate(stations["id"].values.tolist()):
        yield i, _Served((server.values == numbers.get(name, -1)) & (served.values == 1), field)


def _coverage_facts(served: _Served) -> dict[str, Any]:
    grid: Grid = served.field.attrs["grid"]
    area_km2 = float(np.broadcast_to(grid.area_km2(), served.mask.shape)[served.mask].sum(dtype=np.float64))
    found = shapes(served.mask.astype(np.uint8), mask=served.mask, transform=grid.transform)
    parts = [shapely.geometry.shape(geometry) for geometry, _ in found]
    outline = shapely.transform(
        shapely.unary_union(parts), lambda x, y: grid.to_lonlat().transform(x, y), interleaved=False
    )
    return {"area_km2": round(area_km2, 3), "geometry": outline}


def _write_raster(path: Path, config: Config, station: xr.Dataset, served: _Served) -> None:
    row, name = raster_of("dtt_field"), str(station["id"].item())
    values = np.where(served.mask, served.field.values, row.nodata).astype(served.field.dtype)
    layer = raster.make_array(
        values,
        served.field.attrs["grid"],
        units=row.unit,
        nodata=row.nodata,
        scale_factor=row.scale,
        long_name=f"wanted field of {name} where it is the best server of served pixels",
    )
    raster.write(path, layer, tags={"transmitter": name, "notice": config.notice}, publish=True)
    scheme = read_schemes()["dtt_field"]
    write_output(path.with_suffix(".qml"), style_text(legend_of(scheme, unit=scheme.unit, whole=True)))


# --- protection ---------------------------------------------------------------------------------------------


def _protection_rows(asked: _Asked, channel: int, stations: xr.Dataset) -> list[dict[str, Any]]:
    """The protected contour of each station; by the separation method only of systems that it knows."""
    config, f_mhz = asked.plan.config, channel_centre_mhz(asked.plan.config.channels, channel)
    sweeps: dict[str, Sweep] = load_sweeps(asked.build, stations)
    azimuths_deg = np.arange(0.0, 360.0, config.protection.separation.azimuth_step_deg)
    rows = []
    for i in range(stations.sizes["transmitter"]):
        station = stations.isel(transmitter=i)
        contour, time_pct = protected_contour(config, station, f_mhz)
        sweep = sweeps[str(station["mast"].item())]
        radius_km = radii_km(config, contour, station, sweep, azimuths_deg, f_mhz, time_pct)
        ring = shapely.Polygon(np.column_stack(ring_deg(station, azimuths_deg, radius_km)))
        if radius_km.max() > 0.0:
            facts = {"field_dbuvm": round(contour.field_dbuvm, 2), "time_pct": time_pct}
            facts |= {"farthest_km": round(float(radius_km.max()), 3), "geometry": ring}
            rows.append(_facts(station) | facts)
    return rows


def protected_contour(config: Config, station: xr.Dataset, f_mhz: float) -> tuple[ProtectedContour, float]:
    """Field of the contour of a station and the percentage of time that it holds for."""
    system, mode = str(station["system"].item()), str(station["mode"].item())
    if config.protection.method == "separation":
        file = config.protection.separation.contours
        contour = contour_of(read_contours(file), system, f_mhz)
        if contour is None:
            allowed = "a field_dbuvm row"
            raise InputError(
                "no contour for a system", file=file, field="system", value=system, allowed=allowed
            )
        return contour, HIGH_PCT
    field_dbuvm = least_served_dbuvm(config, (system, mode), f_mhz)
    return ProtectedContour(field_dbuvm, least_height_m=-np.inf), MEDIAN_PCT


def least_served_dbuvm(config: Config, key: ModeKey, f_mhz: float) -> float:
    """Median field at which noise alone leaves the least location probability that counts as served.

    E_n + z sigma with the location variation sigma and z the quantile of that probability (docs/method.md,
    section 4, without interferers).
    """
    coverage, mode = config.coverage, read_modes(config.protection.modes)[key]
    band = receiver_band(coverage, f_mhz)
    noise_dbuvm = noise_field_dbuvm(
        f_mhz, mode.noise_bandwidth_mhz, coverage.noise_figure_db, mode.c_n_db, band.gain_dbd, band.feeder_db
    )
    return noise_dbuvm + NormalDist().inv_cdf(coverage.served_from) * coverage.location_sigma_db


# --- files --------------------------------------------------------------------------------------------------


def _facts(station: xr.Dataset) -> dict[str, Any]:
    """Columns that a feature of either layer has."""
    texts = {name: str(station[name].item()) for name in ("id", "site", "country", "system", "mode")}
    return texts | {"channel": int(station["channel"]), "erp_kw": float(station["erp_kw"])}


def _frame(rows: Sequence[dict[str, Any]]) -> gpd.GeoDataFrame:
    """Features as multipolygons in degrees, by channel and id; columns also where there is no feature."""
    ordered = sorted(rows, key=lambda row: (row["channel"], row["id"]))
    geometries = [_multi(row.pop("geometry")) for row in ordered]
    columns = list(ordered[0]) if ordered else ["id"]
    return gpd.GeoDataFrame(ordered, columns=columns, geometry=geometries, crs=LONLAT)


def _multi(shape: shapely.Geometry) -> shapely.MultiPolygon:
    return shape if isinstance(shape, shapely.MultiPolygon) else shapely.MultiPolygon([shape])


def _project(config: Config, frames: Mapping[str, gpd.GeoDataFrame]) -> str:
    """A project of QGIS with both layers in the colours of the KML, on the territory's grid."""
    crs = config.grid.crs
    layers = {
        name: (f"#{bgr[4:]}{bgr[2:4]}{bgr[:2]}", bool(filled)) for name, (bgr, filled) in _KML_STYLES.items()
    }
    boxes = [frame.to_crs(crs).total_bounds for frame in frames.values() if len(frame)]
    ends = np.array(boxes or [(0.0, 0.0, 1.0, 1.0)])
    view = (*ends[:, :2].min(axis=0).tolist(), *ends[:, 2:].max(axis=0).tolist())
    title = f"{config.title or config.name}: contours of transmitters"
    return areas_project(title, crs, view, "contours.gpkg", layers)


def _kml(frames: Mapping[str, gpd.GeoDataFrame]) -> bytes:
    """Both layers as folders (OGC KML 2.2): a placemark each with the id as its name, its columns as data.

    Areas overlap: lines in the colour of their layer, what is served with a faint fill, and no fill else.
    """
    styles = "".join(
        f'<Style id="{name}"><LineStyle><color>ff{colour}</color><width>2</width></LineStyle>'
        f"<PolyStyle><color>30{colour}</color><fill>{fill}</fill></PolyStyle></Style>\n"
        for name, (colour, fill) in _KML_STYLES.items()
    )
    folders = "".join(
        f"<Folder><name>{name}</name>\n{''.join(_placemark(row, name) for row in frame.to_dict('records'))}"
        "</Folder>\n"
        for name, frame in frames.items()
    )
    body = f"<name>Contours of transmitters</name>\n{styles}{folders}"
    text = f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{body}</Document></kml>\n'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def _placemark(row: Mapping[str, Any], style: str) -> str:
    data = "".join(
        f"<Data name={quoteattr(name)}><value>{escape(str(value))}</value></Data>"
        for name, value in row.items()
        if name != "geometry"
    )
    polygons = "".join(map(_polygon_text, row["geometry"].geoms))
    return (
        f"<Placemark><name>{escape(row['id'])}</name><styleUrl>#{style}</styleUrl>"
        f"<ExtendedData>{data}</ExtendedData><MultiGeometry>{polygons}</MultiGeometry></Placemark>\n"
    )


def _polygon_text(polygon: shapely.Polygon) -> str:
    rings = [("outer", polygon.exterior), *(("inner", ring) for ring in polygon.interiors)]
    edges = "".join(
        f"<{side}BoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{lon_deg:.6f},{lat_deg:.6f}" for lon_deg, lat_deg in ring.coords)
        + f"</coordinates></LinearRing></{side}BoundaryIs>"
        for side, ring in rings
    )
    return f"<Polygon>{edges}</Polygon>"


def _file_name(name: str) -> str:
    """An id as part of a file's name."""
    return re.sub(r"[^\w.-]", "_", name)
