"""What `validate` says of polygons that it repaired, and of countries that overlap."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from pipeline.cli import main as cli
from tests.tiny import CONFIG

# Two parts of home that overlap by a quarter of 0.01 square degrees; abroad takes a twentieth of home's box.
HOME = shapely.MultiPolygon([shapely.box(14.0, 46.0, 14.1, 46.1), shapely.box(14.05, 46.05, 14.15, 46.15)])
ABROAD = shapely.box(14.09, 46.0, 14.4, 46.05)
FILES = ("land.gpkg,", "areas.geojson,")
KM2_PER_DEG2 = 111.15 * 111.32 * 0.6952  # at 46.07 N, within 0.5 %


def test_repairs_and_overlaps_are_said(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    frame = gpd.GeoDataFrame({"iso2": ["SI", "HR"]}, geometry=[HOME, ABROAD], crs=4326)
    frame.to_file("land.gpkg", layer="countries", driver="GPKG")
    polygons = "polygons: {path: land.gpkg, land_layer: null}"
    areas = '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"channels": "*",'
    areas += '"reason": "test"}, "geometry": ' + shapely.to_geojson(HOME) + "}]}"
    Path("areas.geojson").write_text(areas, encoding="utf-8")
    text = CONFIG.replace("bbox_deg: [14.0, 46.0, 14.3, 46.2]", polygons)
    text = text.replace("[register.csv]", "[register.csv], accept: [E]")
    tiny.write_text(f"{text}areas: {{exclusions: [areas.geojson]}}\n", encoding="utf-8")
    cli.app(["validate", "tiny.yaml"], standalone_mode=False)
    said = [line.split() for line in capfd.readouterr().out.splitlines()]
    repaired = [words for words in said if words[0] == "repaired"]
    assert [words[1:4] for words in repaired] == [[name, "row", "1:"] for name in FILES]
    for words in repaired:
        assert float(words[words.index("covers") + 1]) == pytest.approx(0.0175 * KM2_PER_DEG2, rel=5e-3)
    (overlap,) = [words for words in said if words[0] == "overlap"]
    assert overlap[1:5] == ["HR", "and", "SI", "share"]
    assert float(overlap[5]) == pytest.approx(0.0005 * KM2_PER_DEG2, rel=5e-3)
    assert overlap[-2:] == ["as", "SI"]
