"""What an audit found as a page to read and as points for a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.files import JsonObject
from pipeline.publish.report.page import element, page, table

_LAYER, _MOST_ROWS = "findings", 500


def audit_page(verdict: JsonObject, rows: Sequence[JsonObject], columns: Sequence[str]) -> str:
    """The page: verdict, how often what was found, the first findings."""
    counts: Counter[tuple[str, str]] = Counter((row["severity"], row["finding"]) for row in rows)
    summary = [(finding, severity, count) for (severity, finding), count in counts.most_common()]
    parts = [
        element("h1", f"Audit: {verdict['verdict']}"),
        element(
            "p", f"{verdict['answers']} answers against the run {verdict['run']}. {verdict['statement']}"
        ),
        table(["finding", "severity", "answers"], summary, "ttn"),
        element("h2", f"The first {_MOST_ROWS} findings" if len(rows) > _MOST_ROWS else "Findings"),
        table(columns, [_cells(row, columns) for row in rows[:_MOST_ROWS]], "t" * len(columns)),
    ]
    return page("Audit", parts)


def _cells(row: Mapping[str, object], columns: Sequence[str]) -> list[str]:
    return ["" if row[name] is None else str(row[name]) for name in columns]


def audit_points(rows: Sequence[JsonObject]) -> bytes:
    """A GeoPackage with a point for each finding that has a place."""
    import geopandas as gpd  # not for each audit of a few answers

    from pipeline.grid.geopackage import geopackage_bytes
    from pipeline.grid.grid import LONLAT

    placed = [row for row in rows if _is_number(row["lon"]) and _is_number(row["lat"])]
    names = ["request", "finding", "severity", "channel", "offered_dbm", "limit_dbm"]
    frame = gpd.GeoDataFrame(
        {name: [row[name] for row in placed] for name in names},
        geometry=gpd.points_from_xy([row["lon"] for row in placed], [row["lat"] for row in placed]),
        crs=LONLAT,
    ).astype({"offered_dbm": float, "limit_dbm": float})
    return geopackage_bytes({_LAYER: frame}, {_LAYER: "Point"})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
