"""Links between settlements: pairs against all pairs, the histogram, what a run permits at both ends."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.links.link_files import LinkRequest, settings_of, world_of
from pipeline.links.link_world import candidates_of_territory
from pipeline.links.permitted import Permitted
from pipeline.links.rate_histogram import histogram_picture, rate_histogram, thresholds_of
from pipeline.links.settlement_table import _television_unknown
from pipeline.links.settlements import (
    LinkTemplate,
    PlaceRow,
    at_places,
    pair_range,
    pairs_in_range,
    read_template,
)

TEMPLATE = read_template("a5_high")
# A ridge of 400 m along 14.15 E; everything else lies at 200 m.
HEAD = "id,name,lon,lat,population,role\n"
PLACES = HEAD + (
    "west,West,14.10,46.08,900,source\nnear,Near,14.13,46.09,50,user\nfar,Far,14.20,46.09,300,user\n"
    "south,South,14.12,46.04,100,user\n"
)


def place(name: str, lon: float, lat: float, role: str = "") -> PlaceRow:
    return PlaceRow(id=name, lon=lon, lat=lat, role=role)


def test_pairs_are_all_pairs_in_range_each_once() -> None:
    rng = np.random.default_rng(3)
    places = [place(f"p{i}", *rng.uniform((13.5, 45.5), (15.5, 46.5))) for i in range(60)]
    found = pairs_in_range(places, (2.0, 20.0), TEMPLATE, 10_000)
    geod = Geod(ellps="WGS84")
    expected = {
        (i, k): geod.inv(places[i].lon, places[i].lat, places[k].lon, places[k].lat)[2] / 1e3
        for i, k in itertools.combinations(range(60), 2)
    }
    expected = {pair: km for pair, km in expected.items() if 2.0 <= km <= 20.0}
    assert [tuple(pair) for pair in found.places.tolist()] == sorted(expected)
    assert found.ends.d_km.tolist() == pytest.approx([expected[pair] for pair in sorted(expected)])


def test_roles_pair_sources_with_users_and_too_many_pairs_are_counted() -> None:
    places = [
        place("u", 14.0, 46.0, "user"),
        place("s", 14.1, 46.0, "source"),
        place("t", 14.0, 46.1, "source"),
    ]
    found = pairs_in_range(places, (1.0, 50.0), TEMPLATE, 10)
    assert found.places.tolist() == [[1, 0], [2, 0]]
    many = [place(str(i), 14.0 + 0.01 * i, 46.0) for i in range(5)]
    with pytest.raises(InputError, match="found 10"):
        pairs_in_range(many, (0.1, 50.0), TEMPLATE, 9)


@pytest.mark.parametrize("text", ["2", "20:2", "0:5", "a:b", "1:2:3", "2:400"])
def test_ranges_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--pairs"):
        pair_range(text)


def test_histogram_of_a_given_list_has_exact_counts() -> None:
    rates = np.array([0.0, 5.0, 18.0, 18.07, 25.0, 25.2, 30.1, 40.0, 40.2, 50.3])
    rows = {row["group"]: row for row in rate_histogram(rates, np.arange(10.0))}
    # Strictly above: 18, 25 and 40 are not in the groups of their names.
    assert {name: row["links"] for name, row in rows.items()} == {
        "all": 10, "no_service": 1, "above_18": 7, "above_25": 5, "above_30": 4, "above_40": 2,
    }  # fmt: skip
    alone = {name: row["links_exclusive"] for name, row in rows.items()}
    assert alone == {"all": 2, "no_service": 1, "above_18": 2, "above_25": 1, "above_30": 2, "above_40": 2}
    assert sum(alone.values()) == 10
    assert (rows["above_40"]["share_pct"], rows["above_40"]["median_d_km"]) == ("20.00", "8.50")
    assert rows["above_40"]["mean_rate_mbps"] == "45.250"


def test_groups_of_the_histogram_are_those_of_the_option() -> None:
    rows = rate_histogram(np.array([0.0, 4.0, 5.0, 9.0]), np.arange(4.0), thresholds_of("4.5,5"))
    assert {row["group"]: (row["links"], row["links_exclusive"]) for row in rows} == {
        "all": (4, 1), "no_service": (1, 1), "above_4.5": (2, 1), "above_5": (1, 1),
    }  # fmt: skip
    drawn = histogram_picture(rows)
    # Two bars for each of the four groups, a fourth of the links in most, and two in the legend.
    assert drawn.count("<rect") == 2 * 4 + 2
    assert drawn.count(">25.0</text>") == 6
    for text in ("", "5,4", "5,5", "0,4", "a"):
        with pytest.raises(InputError, match="--thresholds"):
            thresholds_of(text)


def test_unknown_television_names_the_receiving_ends() -> None:
    """Places as sources and as users: 1 is a gap as a source, 2 as a user."""
    unknown = np.array([[False, True, False], [False, False, True]])
    told = {(a, b): _television_unknown(unknown, a, b) for a, b in ((1, 2), (0, 2), (1, 0), (2, 1))}
    assert told == {(1, 2): "a b", (0, 2): "b", (1, 0): "a", (2, 1): ""}


def test_templates_of_table_a5_1_have_its_erp() -> None:
    for name, erp in (("a5_low", 9.5), ("a5_high", 23.5)):
        own = read_template(name)
        found = 10 * math.log10(own.source.power_w) + own.source.gain_dbd - own.source.feeder_db
        assert found - own.other_loss_db == pytest.approx(erp, abs=0.022)
    with pytest.raises(InputError, match="a5_high, a5_low"):
        read_template("a5")


# --- with a run ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(ridge_run: Path) -> Path:
    """A folder with a published run and settlements on both sides of its ridge."""
    (ridge_run / "places.csv").write_text(PLACES, encoding="utf-8")
    return ridge_run


def plan(folder: Path, *options: str):
    line = ["links", "--places", str(folder / "places.csv"), "--out", str(folder / "out"), *options]
    return CliRunner().invoke(app, line)


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "out" / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def published_dbm(folder: Path, lon: float, lat: float) -> dict[int, int]:
    """Raw levels by channel, read by rasterio alone."""
    found = {}
    for path in sorted((folder / "results/tiny/latest/public").glob("max_eirp_fixed30_ch*.tif")):
        with rasterio.open(path) as source:
            x, y = Transformer.from_crs(4326, source.crs, always_xy=True).transform(lon, lat)
            found[int(path.stem[-2:])] = int(next(source.sample([(x, y)]))[0])
    return found


def test_a_run_bounds_both_ends_and_the_best_channel_is_taken(run: Path) -> None:
    done = plan(run, "--results", "results/tiny/latest", "--pairs", "1:20", "--relay", "3", "--min-rate", "1")
    assert done.exit_code == 0, (done.output, done.exception)
    links = {row["id"]: row for row in rows_of(run, "links.csv")}
    assert set(links) == {"west-near", "west-far", "west-south"}
    west = published_dbm(run, 14.10, 46.08)
    for row in links.values():
        other = published_dbm(run, float(row["b_lon"]), float(row["b_lat"]))
        both = {c for c in west if min(west[c], other[c]) > -9998}
        if row["reason"] == "ok":
            channel = int(row["channel_used"])
            assert channel in both
            assert float(row["eirp_dbm"]) == pytest.approx(min(west[channel] / 100, 55.63), abs=0.006)
    # A ridge of 200 m stands between west and far.
    assert float(links["west-far"]["obstruction_m"]) > 150.0
    assert links["west-near"]["los"] == "1"
    assert {row["model_used"] for row in links.values()} == {"p1812"}
    tree = {row["place"]: row for row in rows_of(run, "relay.csv")}
    assert (tree["west"]["hops"], tree["west"]["reached"]) == ("0", "yes")
    # Hops of the chains have what they do to each other; the other pairs are no plan.
    hops = {f"{row['parent']}-{name}": row["cni_all_db"] for name, row in tree.items() if row["parent"]}
    assert "" not in hops.values()
    assert {name: row["cni_all_db"] for name, row in links.items() if row["cni_all_db"]} == hops
    assert len(hops) > 0
    document = json.loads((run / "out/links.json").read_text())
    assert sum(row["links_exclusive"] for row in document["histogram"]) == len(links)
    assert "<svg" in (run / "out/links.html").read_text()


def test_settlements_and_single_links_say_the_same(run: Path) -> None:
    """The same pairs as a table of links: equal levels, channels and rates."""
    plan(run, "--results", "results/tiny/latest", "--pairs", "1:20")
    pairs = {row["id"]: row for row in rows_of(run, "links.csv")}
    head = "id,a_lon,a_lat,b_lon,b_lat,a_power_w,a_gain_dbd,a_feeder_db,b_power_w,b_gain_dbd,b_feeder_db,"
    lines = [
        f"{name},{row['a_lon']},{row['a_lat']},{row['b_lon']},{row['b_lat']},25,12,1.5,25,12,1.5,1,10,10"
        for name, row in pairs.items()
    ]
    (run / "pairs.csv").write_text(f"{head}other_loss_db,a_height_m,b_height_m\n" + "\n".join(lines) + "\n")
    options = ["--results", "results/tiny/latest", "--channel", "auto", "--out", str(run / "single")]
    done = CliRunner().invoke(app, ["links", str(run / "pairs.csv"), *options])
    assert done.exit_code == 0, (done.output, done.exception)
    with (run / "single/links.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            names = ("channel_used", "loss_db", "rate_mbps", "reason", "los_visible_pct", "prx_dbm")
            for name in (*names, "field_dbuvm", "d_max_km", "television_unknown"):
                assert row[name] == pairs[row["id"]][name], (row["id"], name)


def test_the_model_that_counts_is_named_and_channels_must_exist(run: Path) -> None:
    plan(run, "--config", "tiny.yaml", "--pairs", "1:20", "--channel", "25", "--model", "free_space")
    assert {row["model_used"] for row in rows_of(run, "links.csv")} == {"free_space"}
    done = plan(run, "--config", "tiny.yaml", "--pairs", "1:20", "--channel", "99")
    assert isinstance(done.exception, InputError)
    assert "--channel" in str(done.exception)


def test_roles_that_are_asked_for_have_to_be_there(run: Path) -> None:
    asked = ("--config", "tiny.yaml", "--pairs", "1:20", "--channel", "25", "--model", "free_space")
    roles = ("--role", "source,user", "--sources", "role=source")
    done = plan(run, *asked, *roles, "--relay", "2")
    assert done.exit_code == 0, (done.output, done.exception)
    with_roles = Path("places.csv").read_text()
    try:
        Path("places.csv").write_text(with_roles.replace(",source", ",").replace(",user", ","))
        for option in (roles[:2], roles[2:], ("--role", "user")):
            done = plan(run, *asked, *option)
            assert isinstance(done.exception, InputError)
            assert done.exception.field == option[0]
    finally:
        Path("places.csv").write_text(with_roles)


def test_modes_wider_than_the_channels_are_told(run: Path) -> None:
    text = Path("tiny.yaml").read_text().replace("width_mhz: 8.0", "width_mhz: 6.0")
    Path("narrow.yaml").write_text(text)
    for name, said in (("tiny.yaml", False), ("narrow.yaml", True)):
        done = plan(run, "--config", name, "--pairs", "1:20", "--channel", "25", "--model", "p1546")
        assert done.exit_code == 0, (done.output, done.exception)
        notes = json.loads((run / "out/links.json").read_text())["notes"]
        assert any(note.startswith("WIDER_THAN_CHANNEL modes of 8 MHz") for note in notes) == said


def test_each_end_is_permitted_what_its_own_height_is(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's antenna higher than the sources' has the limits of its own height."""
    world = world_of(LinkRequest(run / "out", results=Path("results/tiny/latest")), np.empty((0, 4)))

    def by_height(_permits: object, _lon: float, _lat: float, height_m: float, _device: object) -> Permitted:
        return Permitted({25: 40.0 - height_m}, {25: "ok"}, math.inf)

    monkeypatch.setattr("pipeline.links.settlements.permitted_at", by_height)
    ends = {"power_w": 1.0, "gain_dbd": 0.0}
    template = LinkTemplate(source={**ends, "height_m": 10.0}, user={**ends, "height_m": 30.0})
    places = [place("a", 14.10, 46.08), PlaceRow(id="b", lon=14.20, lat=46.09, height_m=20.0)]
    candidates = candidates_of_territory(world.config, "25")
    at = at_places(places, template, candidates, settings_of(LinkRequest(run / "out")), world)
    assert at.permitted_dbm[:, :, 0].tolist() == [[30.0, 20.0], [10.0, 20.0]]


def test_losses_are_those_of_predict(run: Path) -> None:
    """P.1812 of ``channelmaps predict`` along the same profile."""
    plan(run, "--config", "tiny.yaml", "--pairs", "1:20", "--channel", "25")
    (run / "ends.csv").write_text(
        "f_mhz,htg_m,hrg_m,phi_t,lam_t,phi_r,lam_r\n506,10,10,46.08,14.10,46.09,14.20\n"
    )
    line = ["predict", "--model", "p1812", "--links", "ends.csv", "--dem", "dem.tif", "--out", "field.csv"]
    assert CliRunner().invoke(app, line).exit_code == 0
    with Path("field.csv").open(encoding="utf-8", newline="") as stream:
        (expected,) = csv.DictReader(stream)
    (row,) = [row for row in rows_of(run, "links.csv") if row["id"] == "west-far"]
    # Samples are 100 m apart here, a step of the elevations there.
    assert float(row["loss_db"]) == pytest.approx(float(expected["loss_db"]), abs=0.3)


def test_places_that_are_none_are_refused(run: Path) -> None:
    (run / "places.csv").write_text(HEAD + "a,A,14.1,46.1,5,\na,B,14.2,46.1,5,\n")
    try:
        done = plan(run, "--config", "tiny.yaml")
        assert "is given twice" in str(done.exception)
        for options, said in (
            (("--config", "tiny.yaml", "--template", "x"), "--template"),
            ((), "id"),
            (("--config", "tiny.yaml", "--min-population", "9"), "given twice"),
        ):
            assert said in str(plan(run, *options).exception)
    finally:
        (run / "places.csv").write_text(PLACES, encoding="utf-8")
    assert "--results" in str(plan(run).exception)
    assert "--relay" in str(plan(run, "--config", "tiny.yaml", "--pairs", "1:20", "--relay", "0").exception)
