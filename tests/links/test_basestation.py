"""Base stations: maps against the point tool, channels, capacity, classes, what is refused."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.links.base_stations import (
    StationSector,
    all_radios,
    choosing_from,
    read_stations,
    sector_attenuation_db,
)
from pipeline.links.radio_capacity import capacity_rows, mean_throughput_mbps, users_at
from pipeline.links.service_files import service_classes

EXAMPLES = Path(__file__).resolve().parents[2] / "configs/examples"
STATION = """
stations:
  - id: mast
    lon: 14.2
    lat: 46.1
    height_m: 30.0
    sectors:
      - {id: A, azimuth_deg: 60.0, beamwidth_deg: 90.0, gain_dbi: 10.0, power_dbm: 20.0,
         radios: [{id: "1"}, {id: "2"}]}
      - {id: B, azimuth_deg: 240.0, beamwidth_deg: 90.0, gain_dbi: 10.0, power_dbm: 20.0,
         radios: [{id: "1"}, {id: "2"}]}
"""


def test_sector_is_3_db_down_at_half_its_beamwidth_and_at_most_20() -> None:
    given = {"azimuth_deg": 350.0, "beamwidth_deg": 60.0, "gain_dbi": 0.0, "power_dbm": 0.0}
    sector = StationSector(id="A", radios=[{"id": "1"}], **given)
    found = sector_attenuation_db(sector, np.array([350.0, 20.0, 320.0, 170.0]))
    assert found.tolist() == pytest.approx([0.0, 3.0, 3.0, 20.0])


def test_capacity_of_table_a8_3_and_of_annex_9() -> None:
    def totals(name: str) -> dict[str, tuple[float, int]]:
        radios = all_radios(read_stations(EXAMPLES / name))
        rows = capacity_rows(radios, ["21"] * len(radios), [0.0] * len(radios))
        return {
            str(row["station"]): (float(str(row["capacity_mbps"])), int(str(row["users_at_1_2"])))
            for row in rows
            if not row["radio"]
        }

    assert totals("stations_botswana.yaml") == dict.fromkeys(("lobatse", "maun", "francistown"), (60.0, 50))
    # The report prints 48 for Talibon; three channels of 12 are 36.
    assert {name: one[0] for name, one in totals("stations_bohol.yaml").items()} == {
        "tubigon": 24.0, "ubay": 48.0, "talibon": 36.0,
    }  # fmt: skip
    # One channel of 10 Mbit/s: eight users have 1.25 each, nine would have 1.11.
    assert users_at(10.0) == 8


def test_mean_throughput_is_harmonic_over_people() -> None:
    found = mean_throughput_mbps(np.array([10.0, 5.0, 0.0]), np.array([1.0, 2.0, 9.0]))
    assert found == pytest.approx(3.0 / (1 / 10 + 2 / 5))
    assert mean_throughput_mbps(np.zeros(2), np.ones(2)) == 0.0


def test_classes_of_rates() -> None:
    rates = np.array([0.0, 0.5, 1.2, 3.0, 10.0, 18.0, 18.1, 25.1, 30.1, 40.0, 40.1])
    assert service_classes(rates).tolist() == [0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8]


@pytest.fixture(scope="module")
def run(ridge_run: Path) -> Path:
    """A folder with a published run, television, and a station west of its ridge."""
    _television(ridge_run)
    (ridge_run / "stations.yaml").write_text(STATION, encoding="utf-8")
    (ridge_run / "sites.csv").write_text("id,name,lon,lat\nschool,School,14.22,46.11\n", encoding="utf-8")
    return ridge_run


def _television(folder: Path) -> None:
    """A field that rises eastwards in channel 23, nothing in the others, as the job coverage has maps."""
    layer = folder / "results/tiny/latest/public/max_eirp_fixed30_ch21.tif"
    with rasterio.open(layer) as source:
        profile = source.profile | {"dtype": "float32", "nodata": math.nan, "count": 1, "driver": "GTiff"}
    place = folder / "build/tiny/coverage"
    place.mkdir(parents=True, exist_ok=True)
    field = np.tile(np.linspace(0.0, 60.0, profile["width"], dtype=np.float32), (profile["height"], 1))
    for name in ("blockxsize", "blockysize", "tiled", "interleave"):
        profile.pop(name, None)
    manifest = json.loads((folder / "results/tiny/latest/manifest.json").read_text())
    for channel in manifest["channels"]["dtt"]:
        with rasterio.open(place / f"ch{channel:02d}.tif", "w", **profile) as sink:
            sink.write(field if channel == 23 else np.full_like(field, -200.0), 1)
            sink.set_band_description(1, "wanted_dbuvm")


def serve(*options: str, stations: str = "stations.yaml", out: str = "out"):
    line = ["basestation", stations, "--results", "results/tiny/latest", "--out", out, "--radius-km", "8"]
    return CliRunner().invoke(app, [*line, *options])


def rows_of(name: str, out: str = "out") -> list[dict[str, str]]:
    with (Path(out) / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("model", ["p1546", "p1812_or_p1546"])
def test_map_equals_the_point_tool_at_pixel_centres(run: Path, model: str) -> None:
    """One radio without a direction on one channel, so that the best radio of a pixel is known.

    Sites have the losses of the map; so have links, which over terrain have a path of their own, within 5 km.
    """
    text = STATION[: STATION.index("      - {id: A")]
    levels = {}
    for channel in (22, 23, 24):
        with rasterio.open(f"results/tiny/latest/public/max_eirp_fixed30_ch{channel}.tif") as source:
            transform, crs, raw = source.transform, source.crs, source.read(1)
            x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(14.2, 46.1)
            levels[channel] = raw[source.index(x, y)]
    own = max(levels, key=levels.get)
    assert levels[own] > -9998
    text += f'      - {{id: A, gain_dbi: 10.0, power_dbm: 20.0, radios: [{{id: "1", channel: {own}}}]}}\n'
    Path("one.yaml").write_text(text)
    # Pixels up to 7 km off, half of them within 2 km.
    rng = np.random.default_rng(4)
    far_px = np.hypot(*np.mgrid[-40:41, -40:41])
    rings = [np.argwhere((far_px >= low) & (far_px < high)) - 40 for low, high in ((1.0, 10.0), (10.0, 35.0))]
    away = np.concatenate([rng.permutation(ring)[:n] for ring, n in zip(rings, (25, 10), strict=True)])
    lines, places = [], []
    for n, (down, right) in enumerate(away.tolist()):
        col, row = (math.floor(value) + 0.5 for value in ~transform @ (x, y))
        centre = transform @ (col + right, row + down)
        lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(*centre)
        lines.append(f"{n},14.2,46.1,{lon:.8f},{lat:.8f},{own},20,10,20,9,30,10")
        places.append(f"{n},,{lon:.8f},{lat:.8f}")
    head = "id,a_lon,a_lat,b_lon,b_lat,channel,a_power_dbm,a_gain_dbi,b_power_dbm,b_gain_dbi,"
    Path("links.csv").write_text(f"{head}a_height_m,b_height_m\n" + "\n".join(lines[:12]) + "\n")
    Path("centres.csv").write_text("id,name,lon,lat\n" + "\n".join(places) + "\n")
    done = serve("--model", model, "--sites", "centres.csv", stations="one.yaml")
    assert done.exit_code == 0, (done.output, done.exception)
    line = ["links", "links.csv", "--results", "results/tiny/latest", "--model", model, "--out", "links"]
    assert CliRunner().invoke(app, [*line, "--modes", "sm2405_a8"]).exit_code == 0
    links = {row["id"]: row for row in rows_of("links.csv", "links")}
    to_m = Transformer.from_crs(4326, crs, always_xy=True)
    at = [to_m.transform(*map(float, place.split(",")[2:])) for place in places]
    with rasterio.open("out/service_rate.tif") as rates, rasterio.open("out/service_margin.tif") as margins:
        rate = [float(value[0]) for value in rates.sample(at)]
        margin_db = [0.01 * float(value[0]) for value in margins.sample(at)]
    levels_db = {"": 0.0, "QPSK 1/2": 0.0, "16QAM 2/3": 8.0, "64QAM 3/4": 17.0}
    for site, value, here_db in zip(rows_of("sites_out.csv"), rate, margin_db, strict=True):
        if not site["margin_db"]:
            assert not value > 0.0, site
            continue
        if site["down_mbps"] == site["up_mbps"]:  # then the margin of the site is that to this mode
            expected_db = float(site["margin_db"]) + levels_db[site["mode"]]
            assert here_db == pytest.approx(expected_db, abs=0.05), site
        for row in (site, links.get(site["id"], site)):
            if abs(float(row["margin_db"])) > 0.05:
                assert max(value, 0.0) == pytest.approx(float(row["rate_mbps"]), abs=1e-3), row
    assert sum(value > 0.0 for value in rate) > 3
    assert sum(links[name]["reason"] == "ok" for name in links) > 1


def test_radios_of_a_sector_have_different_channels_and_tables_add_up(run: Path) -> None:
    done = serve("--model", "p1546", "--sites", "sites.csv")
    assert done.exit_code == 0, (done.output, done.exception)
    rows = rows_of("stations_out.csv")
    for sector in ("A", "B"):
        used = [row["channel"] for row in rows if row["sector"] == sector]
        assert len(set(used)) == 2
    facts = json.loads(Path("out/service.json").read_text())
    with rasterio.open("out/service_class.tif") as source:
        classes = source.read(1)
    with rasterio.open("out/service_rate.tif") as source:
        rate = source.read(1)
    assert ((classes > 0) & (classes < 254)).sum() == (rate > 0).sum()
    assert facts["area_served_km2"] == pytest.approx(0.04 * (rate > 0).sum(), rel=0.01)
    assert "above 40" in Path("out/service_class.qml").read_text()
    (site,) = rows_of("sites_out.csv")
    with rasterio.open("out/service_rate.tif") as source:
        x, y = Transformer.from_crs(4326, source.crs, always_xy=True).transform(14.22, 46.11)
        pixel = float(next(source.sample([(x, y)]))[0])
    assert (float(site["rate_mbps"]) > 0) == (pixel > 0)
    assert len(gpd.read_file("out/service.gpkg", layer="sectors")) == 4
    assert rows_of("capacity.csv")[-1]["station"] == "mast"


def test_sites_have_the_client_the_loss_and_the_share_of_the_map(run: Path) -> None:
    """A site without a client of its own has that of --cpe, with its building entry loss."""
    Path("own.csv").write_text(
        "id,gain_dbi,feeder_db,height_m,power_dbm,indoor_loss_db\nout,9,0,10,20,0\nin,9,0,10,20,12\n"
    )
    levels = {}
    for cpe in ("out", "in"):
        done = serve(
            "--model", "p1546", "--sites", "sites.csv", "--cpe", cpe, "--cpe-table", "own.csv", out=cpe
        )
        assert done.exit_code == 0, (done.output, done.exception)
        (site,) = rows_of("sites_out.csv", cpe)
        levels[cpe] = float(site["prx_dbm"])
    assert levels["out"] - levels["in"] == pytest.approx(12.0, abs=0.011)
    Path("share.yaml").write_text(STATION.replace("    height_m", "    tdd_share: 0.25\n    height_m"))
    done = serve("--model", "p1546", "--sites", "sites.csv", stations="share.yaml", out="share")
    assert done.exit_code == 0, (done.output, done.exception)
    (site,) = rows_of("sites_out.csv", "share")
    assert float(site["rate_mbps"]) == pytest.approx(0.25 * float(site["down_mbps"]))


def test_a_higher_antenna_hears_more_television(run: Path) -> None:
    """By P.1546 21 log10(h / 10) dB more above 10 m, and for lower antennas not less than at 10 m."""
    head = "id,a_lon,a_lat,b_lon,b_lat,channel,a_eirp_dbm,a_height_m,b_height_m\n"
    lines = [f"h{h},14.2,46.1,14.3,46.1,23,20,10,{h}" for h in (5, 10, 30)]
    Path("heights.csv").write_text(head + "\n".join(lines) + "\n")
    line = ["links", "heights.csv", "--results", "results/tiny/latest", "--model", "p1546", "--out", "high"]
    assert CliRunner().invoke(app, line).exit_code == 0
    low, ten, high = (float(row["interference_dbm"]) for row in rows_of("links.csv", "high"))
    more_db = (3.2 + 6.2 * math.log10(490.0)) * math.log10(3.0)
    assert (low, high) == pytest.approx((ten, ten + more_db), abs=0.011)


def test_radios_have_the_modes_of_their_bandwidth(run: Path) -> None:
    own = STATION.replace("power_dbm: 20.0,", "power_dbm: 36.0,").replace(
        '{id: "1"}', '{id: "1", bandwidth_mhz: 4.0}'
    )
    Path("narrow.yaml").write_text(own)
    done = serve("--model", "p1546", "--modes", "dvbt2_8mhz", stations="narrow.yaml", out="narrow")
    assert done.exit_code == 0, (done.output, done.exception)
    rates = {row["radio"]: float(row["rate_p75_mbps"] or 0) for row in rows_of("stations_out.csv", "narrow")}
    assert max(rate for radio, rate in rates.items() if radio == "1") <= 0.5 * 50.324
    done = serve("--modes", "sm2405_a8", stations="narrow.yaml", out="never")
    assert "bandwidth_mhz" in str(done.exception)


def test_radios_without_a_channel_carry_nothing() -> None:
    radios = all_radios(read_stations(EXAMPLES / "stations_bohol.yaml"))
    rows = capacity_rows(radios, ["", *["21"] * (len(radios) - 1)], [0.0] * len(radios))
    assert (rows[0]["capacity_mbps"], rows[1]["capacity_mbps"]) == ("0.000", "12.000")
    assert (rows[0]["note"], rows[1]["note"]) == ("no channel", "given throughput")
    notes = {row["station"]: row["note"] for row in rows if not row["radio"]}
    assert notes == {"tubigon": "", "ubay": "", "talibon": "the report prints 48 Mbit/s"}


def test_stations_on_one_channel_disturb_each_other(run: Path) -> None:
    """Two stations 3 km apart on one channel serve less together than each alone with it."""
    single = STATION[: STATION.index("      - {id: A")] + (
        '      - {id: A, gain_dbi: 10.0, power_dbm: 20.0, radios: [{id: "1", channel: CH}]}\n'
    )
    other = single.replace("id: mast", "id: twin").replace("lon: 14.2", "lon: 14.24").split("stations:\n")[1]
    areas = {}
    for name, text in (("same", single + other), ("apart", single + other.replace("CH", "24"))):
        Path(f"{name}.yaml").write_text(text.replace("CH", "22"))
        done = serve("--model", "p1546", stations=f"{name}.yaml", out=name)
        assert done.exit_code == 0, (done.output, done.exception)
        areas[name] = {row["station"]: float(row["area_km2"]) for row in rows_of("stations_out.csv", name)}
    assert areas["same"]["mast"] < areas["apart"]["mast"]


def test_a_table_of_radios_is_the_same_as_yaml(run: Path) -> None:
    head = (
        "station,lon,lat,height_m,sector,azimuth_deg,beamwidth_deg,gain_dbi,feeder_db,power_dbm,radio,channel,"
        "bandwidth_mhz\n"
    )
    rows = [
        f"mast,14.2,46.1,30,{sector},{azimuth},90,10,0,20,{radio},,"
        for sector, azimuth in (("A", 60), ("B", 240))
        for radio in (1, 2)
    ]
    Path("stations.csv").write_text(head + "\n".join(rows) + "\n")
    assert read_stations(Path("stations.csv")) == read_stations(Path("stations.yaml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (STATION.replace("lat: 46.1", "lat: 96.1"), "lat"),
        (STATION.replace("beamwidth_deg: 90.0", "beamwidth: 90.0"), "beamwidth"),
        (STATION.replace("id: B", "id: A"), "id occurs twice"),
        (STATION.replace('{id: "1"}', '{id: "1", channel: many}', 1), "channel"),
        (STATION.replace("lon: 14.2", "lon: 24.2"), "beyond the grid"),
    ],
)
def test_bad_stations_are_refused(run: Path, text: str, said: str) -> None:
    Path("bad.yaml").write_text(text)
    done = serve(stations="bad.yaml", out="never")
    assert isinstance(done.exception, InputError), done.output
    assert said in str(done.exception)
    assert not Path("never").exists()


@pytest.mark.parametrize(("option", "value"), [("--radius-km", "0"), ("--cpe", "x"), ("--modes", "x")])
def test_options_of_basestation_are_refused(run: Path, option: str, value: str) -> None:
    line = [
        "basestation",
        "stations.yaml",
        "--results",
        "results/tiny/latest",
        "--out",
        "never",
        option,
        value,
    ]
    done = CliRunner().invoke(app, line)
    assert option in str(done.exception)
    assert not Path("never").exists()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("stations_*.yaml")), ids=lambda path: path.stem)
def test_shipped_stations_are_read(path: Path) -> None:
    assert all_radios(read_stations(path))


def test_what_is_not_evaluated_is_not_called_without_service(run: Path) -> None:
    """-2 where nothing serves and a channel that might is not evaluated, at the client or at the station."""
    own = STATION[: STATION.index("      - {id: A")]
    own += '      - {id: A, gain_dbi: 10.0, power_dbm: -40.0, radios: [{id: "1", channel: 24}]}\n'
    Path("weak.yaml").write_text(own)
    done = serve("--model", "p1546", stations="weak.yaml", out="weak")
    assert done.exit_code == 0, (done.output, done.exception)
    with rasterio.open("weak/service_rate.tif") as source:
        rate, transform = source.read(1), source.transform
    with rasterio.open("results/tiny/latest/public/max_eirp_fixed30_ch24.tif") as source:
        raw, other = source.read(1), source.transform
        x, y = Transformer.from_crs(4326, source.crs, always_xy=True).transform(14.2, 46.1)
        station_raw = int(next(source.sample([(x, y)]))[0])
    row, col = round((other.f - transform.f) / 200.0), round((transform.c - other.c) / 200.0)
    here = raw[row : row + rate.shape[0], col : col + rate.shape[1]]
    rows, cols = np.mgrid[: rate.shape[0], : rate.shape[1]]
    centres = transform.c + 200.0 * (cols + 0.5), transform.f - 200.0 * (rows + 0.5)
    near = np.hypot(centres[0] - x, centres[1] - y) < 7900.0
    unknown = (here == -9998) if station_raw != -9998 else here != -32768
    inside = near & (here != -32768) & ~(rate > 0)
    assert inside.any()
    assert (rate[inside & unknown] == -2.0).all()
    assert (rate[inside & ~unknown] == -1.0).all()


def test_maps_for_the_public_have_no_stations(run: Path) -> None:
    done = serve("--model", "p1546", "--publish", out="shared")
    assert done.exit_code == 0, (done.output, done.exception)
    names = {path.name for path in Path("shared/public").glob("*.tif")}
    assert names == {f"service_{name}.tif" for name in ("rate", "class", "channel", "margin")}
    assert Path("shared/public/service_rate.tif").read_bytes() == Path("shared/service_rate.tif").read_bytes()


def test_a_radio_chooses_among_bonds_of_its_width(run: Path) -> None:
    """Two channels that touch; without a layer of bonds the lesser limit of the two is permitted."""
    own = STATION[: STATION.index("      - {id: A")]
    own += '      - {id: A, gain_dbi: 10.0, power_dbm: 60.0, radios: [{id: "1", bond: 2}]}\n'
    Path("wide.yaml").write_text(own)
    done = serve("--model", "p1546", "--modes", "dvbt2_8mhz", stations="wide.yaml", out="wide")
    assert done.exit_code == 0, (done.output, done.exception)
    (row,) = rows_of("stations_out.csv", "wide")
    first, last = map(int, row["channel"].split("-"))
    assert last == first + 1
    levels = []
    for channel in (first, last):
        with rasterio.open(f"results/tiny/latest/public/max_eirp_fixed30_ch{channel}.tif") as source:
            x, y = Transformer.from_crs(4326, source.crs, always_xy=True).transform(14.2, 46.1)
            levels.append(int(next(source.sample([(x, y)]))[0]) / 100)
    assert float(row["permitted_dbm"]) == pytest.approx(min(levels))
    faulty = own.replace("bond: 2", "channel: 22, bond: 2")
    Path("bad.yaml").write_text(faulty)
    assert "bond goes with channel auto" in str(serve(stations="bad.yaml", out="never").exception)


def test_a_filter_needs_limits_made_anew(run: Path) -> None:
    Path("filter.yaml").write_text(STATION.replace("    height_m", "    extra_aclr_db: 10\n    height_m"))
    done = serve(stations="filter.yaml", out="never")
    assert "extra_aclr_db" in str(done.exception)
    assert "--pointing" in str(done.exception)


def test_radios_choose_from_the_channels_of_the_option() -> None:
    stations, mapped = read_stations(EXAMPLES / "stations_slovenia.yaml"), list(range(21, 49))
    assert choosing_from(stations, "auto", mapped) == stations
    banned = {one.ban for one in choosing_from(stations, "21-23,40", mapped)}
    assert banned == {tuple(sorted({*range(24, 49)} - {40}))}
    for words in ("60", "21-23,60", "all", ""):
        with pytest.raises(InputError) as refused:
            choosing_from(stations, words, mapped)
        assert refused.value.field == "--channels"


def test_file_of_stations_may_be_a_list(tmp_path: Path) -> None:
    text = (EXAMPLES / "stations_botswana.yaml").read_text(encoding="utf-8")
    head, _, body = text.partition("stations:\n")
    (tmp_path / "list.yaml").write_text(head + body, encoding="utf-8")
    assert read_stations(tmp_path / "list.yaml") == read_stations(EXAMPLES / "stations_botswana.yaml")
