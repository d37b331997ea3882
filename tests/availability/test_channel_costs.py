"""What choices cost in channels, from stored maps: by hand, against whole runs, and on samples."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.availability.channel_costs import Sample, channel_costs, sample_of
from pipeline.availability.choices import CAUTIOUS, choices_of, device_of, maps_hold, with_values
from pipeline.availability.classes import availability_class, published_levels_dbm
from pipeline.availability.combine import victims_of
from pipeline.config.config import Config
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.raster import make_array
from pipeline.plan.territory_file import load_config
from pipeline.radio.emission import least_eirp_dbm
from pipeline.services.base import ServiceContext
from tests import asking
from tests.jobs import run_from

GRID = Grid("EPSG:3794", 500.0, 420_000.0, 120_000.0, 9, 8)
HOME, FOREIGN = 1, 2
# Labels of the maps.
NONE, OWN, ABROAD, OVERLOADED = 0, 1, 2, 3
# Of the tiny territory's register, with maps; 47 has a station and no maps.
VICTIMS = (21, 22, 23, 25)
GROUP = "DVB-T 64QAM 2/3|-inf..inf"


def save(path: Path, values: np.ndarray, bands: list[str], nodata: float) -> None:
    data = make_array(values, GRID, units="1", long_name=path.stem, nodata=nodata, band_names=bands)
    path.parent.mkdir(parents=True, exist_ok=True)
    raster.write(path, data, tags={}, publish=False)


def store(build: Path, victim: int, levels_dbm: np.ndarray, labels: np.ndarray) -> None:
    """Maps [2, y, x] of a channel as the job protect leaves them: one group, and overload."""
    stem = f"protection/ch{victim:02d}_fixed30"
    save(build / f"{stem}.tif", levels_dbm.astype(np.float32), [GROUP, "overload"], math.nan)
    save(build / f"{stem}_label.tif", labels.astype(np.uint8), [GROUP, "overload"], 255)


def territory(tiny: Path, surface: np.ndarray, wsd: list[int], load: str = "idle") -> Config:
    text = tiny.read_text().replace('wsd: ["21-30"]', f"wsd: {wsd}").replace("load: loaded", f"load: {load}")
    tiny.write_text(text)
    save(tiny.parent / "build/territory/surface.tif", surface[np.newaxis], ["surface"], 255)
    return load_config(tiny)


def costs_of(config: Config, build: Path):
    return channel_costs(config, build, config.devices, VICTIMS, [*VICTIMS, 47])


@pytest.fixture
def scene(tiny: Path) -> tuple[Config, Path]:
    """Random maps of four channels on land that is partly home; limits from nothing to above the cap."""
    rng = np.random.default_rng(11)
    surface = rng.choice([0, HOME, HOME, HOME, FOREIGN], GRID.shape).astype(np.uint8)
    config, build = territory(tiny, surface, [21, 22, 24, 26, 30, 33]), tiny.parent / "build"
    for victim in VICTIMS:
        levels_dbm = np.stack([rng.uniform(-30.0, 55.0, GRID.shape), rng.uniform(10.0, 60.0, GRID.shape)])
        labels = np.stack(
            [rng.choice([NONE, OWN, OWN, ABROAD], GRID.shape), rng.choice([NONE, OVERLOADED], GRID.shape)]
        )
        store(build, victim, levels_dbm, labels)
    return config, build


def counted_by_runs(config: Config, build: Path) -> dict[float | None, float]:
    """Mean number of channels from whole layers of the job combine, weighted by area."""
    device, surface = config.devices[0], raster.read(build / "territory/surface.tif")
    home = surface.values == HOME
    area = GRID.area_km2().astype(np.float64)[home]
    means: dict[float | None, float] = {}
    for channel in config.channels.wsd:
        victims = tuple(v for v in victims_of(config, channel) if v in VICTIMS)
        context = ServiceContext(config, build, surface.attrs["grid"], victims)
        layers = asking.layers_of(context, device, channel, surface.values)
        found = {None: layers.max_eirp[home] > -9998}
        limit = layers.limit[home]
        found |= {lv: availability_class(limit, lv) == 1 for lv in published_levels_dbm(config, device)}
        for level, available in found.items():
            means[level] = means.get(level, 0.0) + float(area[available].sum() / area.sum())
    return means


def test_every_choice_counts_as_a_run_with_its_settings(scene: tuple[Config, Path]) -> None:
    """The job reads maps once and shifts them; here each choice is a run of its own on the same maps."""
    config, build = scene
    found = costs_of(config, build)
    base, *others = found.costs
    assert base.choice is None
    assert base.means == pytest.approx(counted_by_runs(config, build), abs=1e-12)
    exact = [cost for cost in others if cost.choice is not None and cost.choice.more_db == 0.0]
    assert len(exact) == 7
    for cost in exact:
        assert cost.choice is not None
        expected = counted_by_runs(cost.choice.config, build)
        assert cost.means == pytest.approx(expected, abs=1e-12), cost.choice.key
    changes = {cost.choice.key: cost.means[20.0] - base.means[20.0] for cost in exact if cost.choice}
    assert changes["protection.offsets"] > 0.05
    assert changes["protection.load"] > 0.05
    assert changes["protection.overload"] > 0.05
    assert changes["protection.idle_on"] < 0.0
    assert changes["devices.min_eirp_dbm"] == 0.0


def test_run_as_it_is_equals_the_published_statistics(scene: tuple[Config, Path], tiny: Path) -> None:
    config, build = scene
    for victim in (47,):  # the register has it: a map without victims
        store(build, victim, np.full((2, *GRID.shape), np.inf), np.zeros((2, *GRID.shape)))
    for channel in config.channels.wsd:
        run_from("combine", tiny, build, channel=channel)
    run_from("availability", tiny, build)
    run_from("choices", tiny, build)
    with (build / "public/statistics.csv").open() as stream:
        curves = list(csv.DictReader(stream))
    with (build / "public/choices.csv").open() as stream:
        base, *lines = list(csv.DictReader(stream))
    assert (base["setting"], base["counted"]) == ("none", "all pixels")
    for level in ("0", "20", "36"):
        mean = sum(float(row["area_pct"]) for row in curves if row["level_dbm"] == level) / 100.0
        assert float(base[f"channels_{level}dbm"]) == pytest.approx(mean, abs=1e-4)
    assert len({line["setting"] for line in lines}) == len(lines) == 8
    with (build / "public/lost_channels.csv").open() as stream:
        lost = list(csv.DictReader(stream))
    for level in ("0", "20", "36"):
        own = {row["rule"]: row for row in lost if row["level_dbm"] == level}
        usable = float(own["available"]["channels_mean"]) + float(own["least_eirp"]["channels_mean"])
        assert usable == pytest.approx(float(base[f"channels_{level}dbm"]), abs=2e-4)
        assert sum(float(row["share_pct"]) for row in own.values()) == pytest.approx(100.0, abs=1e-3)


def test_two_files_are_the_same_bytes_each_time(scene: tuple[Config, Path], tiny: Path) -> None:
    _, build = scene
    store(build, 47, np.full((2, *GRID.shape), np.inf), np.zeros((2, *GRID.shape)))
    read = []
    for _ in range(2):
        run_from("choices", tiny, build)
        read.append([(build / f"public/{name}.csv").read_bytes() for name in ("choices", "lost_channels")])
    assert read[0] == read[1]


def test_shares_of_a_level_are_one(scene: tuple[Config, Path]) -> None:
    found = costs_of(*scene)
    for level in (0.0, 20.0, 36.0):
        own = {each.rule: each.share for each in found.lost if each.level_dbm == level}
        assert sum(own.values()) == pytest.approx(1.0, abs=1e-12)
        assert (own["available"] + own["least_eirp"]) * 6 == pytest.approx(found.costs[0].means[level])


def test_two_channels_by_hand(tiny: Path) -> None:
    """Channels 21 and 26, one victim on 21; C/N 20 dB, ACS 5 channels away 68 dB, AFLR of class 1 84 dB.

    Two pixels of one row, maps of 30 and 45 dBm, overload of 20 dBm in the first. In channel 21 reception
    allows 30 - 20 = 10 and 45 - 20 = 25 dBm, overload 20 - (13 + 7) = 0 dBm in the first. In channel 26 r =
    20 + 10 log10(10^-5.6 + 10^-6.497) = -35.5 dB allows more than the cap of 36 dBm, overload 20 - (5 + 7) =
    8 dBm in the first.
    """
    surface = np.zeros(GRID.shape, np.uint8)
    surface[3, 4:6] = HOME
    config, build = territory(tiny, surface, [21, 26]), tiny.parent / "build"
    levels_dbm, labels = np.full((2, *GRID.shape), np.inf), np.zeros((2, *GRID.shape))
    levels_dbm[0, 3, 4:6], labels[0, 3, 4:6] = (30.0, 45.0), OWN
    levels_dbm[1, 3, 4], labels[1, 3, 4] = 20.0, OVERLOADED
    store(build, 21, levels_dbm, labels)
    found = channel_costs(config, build, config.devices, [21], [21])
    weight = GRID.area_km2()[3, 4:6].astype(float)
    left, right = weight / weight.sum()
    base = found.costs[0].means
    assert base == pytest.approx({None: 2.0, 0.0: 2.0, 20.0: 2 * right, 36.0: right})
    without = next(c for c in found.costs if c.choice and c.choice.key == "protection.overload").means
    assert without == pytest.approx({None: 2.0, 0.0: 2.0, 20.0: left + 2 * right, 36.0: 1.0})
    at_20 = {each.rule: each.share for each in found.lost if each.level_dbm == 20.0 and each.share > 0.0}
    assert at_20 == pytest.approx({"available": right, "receiver_overload": left})
    at_36 = {each.rule: each.share for each in found.lost if each.level_dbm == 36.0 and each.share > 0.0}
    assert at_36 == pytest.approx({"available": right / 2, "receiver_overload": left, "dtt_same": right / 2})


@pytest.mark.parametrize(
    ("channel", "rule"),
    [(21, "dtt_same"), (22, "dtt_adjacent"), (24, "dtt_2_3"), (30, "dtt_4_9"), (31, "dtt_beyond")],
)
def test_television_is_told_by_its_distance_in_channels(tiny: Path, channel: int, rule: str) -> None:
    surface = np.full(GRID.shape, HOME, np.uint8)
    config, build = territory(tiny, surface, [channel]), tiny.parent / "build"
    levels_dbm, labels = np.full((2, *GRID.shape), -90.0), np.zeros((2, *GRID.shape))
    labels[0, :, :4], labels[0, :, 4:] = OWN, ABROAD
    store(build, 21, levels_dbm, labels)
    found = channel_costs(config, build, config.devices, [21], [21])
    shares = {each.rule for each in found.lost if each.level_dbm == 0.0 and each.share > 0.0}
    assert shares == {rule, "foreign_dtt"}


def test_least_eirp_is_told_apart_from_what_a_level_allows(tiny: Path) -> None:
    """A limit of 11 dBm lets a device of exactly 0 dBm transmit, not one whose least is 24.15 dBm."""
    tiny.write_text(tiny.read_text().replace("min_eirp_dbm: -40.0", "min_eirp_dbm: 24.15"))
    config, build = territory(tiny, np.full(GRID.shape, HOME, np.uint8), [21]), tiny.parent / "build"
    levels_dbm, labels = np.full((2, *GRID.shape), 30.0), np.zeros((2, *GRID.shape))
    labels[0] = OWN
    store(build, 21, levels_dbm, labels)
    found = channel_costs(config, build, config.devices, [21], [21])
    at_0 = {each.rule: each.share for each in found.lost if each.level_dbm == 0.0 and each.share > 0.0}
    assert at_0 == pytest.approx({"least_eirp": 1.0})
    assert found.costs[0].means == pytest.approx({None: 0.0, 0.0: 1.0, 20.0: 0.0, 36.0: 0.0})
    (least,) = [c for c in found.costs if c.choice and c.choice.key == "devices.min_eirp_dbm"]
    assert least.means == pytest.approx({None: 1.0, 0.0: 1.0, 20.0: 0.0, 36.0: 0.0})


# --- samples ------------------------------------------------------------------------------------------------


def test_sample_is_regular_and_odd_and_weighted() -> None:
    values = np.zeros((40, 50), np.uint8)
    values[5:35, 4:44] = HOME
    grid = GRID._replace(width=50, height=40)
    surface = make_array(values, grid, units="1", long_name="s", nodata=255)
    whole, part = sample_of(surface), sample_of(surface, 330)
    assert (whole.step, whole.row.size) == (1, 1200)
    assert (part.step, part.row.size) == (5, 240)
    rows, cols = np.nonzero(values)
    assert part.row.tolist() == rows[::5].tolist()
    assert part.col.tolist() == cols[::5].tolist()
    assert part.area_km2.tolist() == grid.area_km2()[part.row, part.col].astype(float).tolist()


def test_sample_takes_values_at_its_places() -> None:
    rng = np.random.default_rng(2)
    shape = (1100, 7)
    values = rng.normal(size=(3, *shape))
    sample = Sample(np.sort(rng.integers(3, 1090, 50)), rng.integers(1, 6, 50), np.ones(50), 1)
    assert len(list(sample.blocks())) > 1
    found = sample.of(lambda rows, cols: values[:, rows, cols])
    assert found.tolist() == values[:, sample.row, sample.col].tolist()


# --- what stored maps do not tell ---------------------------------------------------------------------------


def test_maps_of_loaded_devices_do_not_tell_overload_of_idle_ones(scene: tuple[Config, Path]) -> None:
    """They know no limit above the cap plus the largest shift of their own: 7 dB more is beyond it."""
    config, build = scene
    device = config.devices[0].model_copy(update={"load": "loaded"})
    loaded = config.model_copy(update={"devices": [device]})
    means = {cost.choice.key: cost.means for cost in costs_of(loaded, build).costs if cost.choice}
    assert means["protection.load"] == {}
    assert means["protection.ratios"]
    assert means["protection.idle_on"]


def test_tiers_of_another_table_are_not_told(scene: tuple[Config, Path], tmp_path: Path) -> None:
    """A table whose groups the maps do not have, as the one in use: the shipped one is then the other."""
    config, build = scene
    tiered = tmp_path / "tiers.csv"
    lines = CAUTIOUS.read_text().splitlines()
    first = next(line for line in lines if line.startswith("*,*,*,1,") and "acs_db" in line)
    low, high = (first.replace(",1,,,", f",1,{tier},") for tier in ("-90,-50", "-50,-10"))
    tiered.write_text("\n".join([low if line == first else line for line in lines] + [high]) + "\n")
    other = with_values(config, "protection", ratios=tiered)
    means = {cost.choice.key: cost.means for cost in costs_of(other, build).costs if cost.choice}
    # The maps of the scene are those of one tier: the cautious table has it, but not those in use.
    assert means["protection.ratios"]
    choice = next(c for c in choices_of(config, config.devices[0]) if c.key == "protection.ratios")
    split = choice._replace(config=other)
    assert not maps_hold(config, split, config.devices[0], [GROUP], 8.0)
    assert maps_hold(config, choice, config.devices[0], [GROUP], 8.0)


def test_channels_without_maps_are_named(scene: tuple[Config, Path]) -> None:
    """Beyond +-10 the station on 47 limits devices on 33 (+-14): its maps were never made."""
    costs = costs_of(*scene).costs
    without = {cost.choice.key: cost.without for cost in costs if cost.choice is not None}
    assert without["protection.beyond_table"] == (47,)
    assert without["protection.offsets"] == ()


def test_calibration_is_bounded_by_what_is_taken_off_at_most(scene: tuple[Config, Path]) -> None:
    config, build = scene
    (choice,) = [c for c in choices_of(config, config.devices[0]) if c.key == "protection.fw_calibration"]
    assert (choice.now, choice.otherwise) == ("table", "off")
    assert choice.more_db == pytest.approx(0.52)
    base, *others = costs_of(config, build).costs
    (bound,) = [cost for cost in others if cost.choice and cost.choice.key == choice.key]
    assert all(bound.means[level] >= base.means[level] for level in base.means)


def test_choices_set_what_they_say(tiny: Path) -> None:
    config = load_config(tiny)
    device = config.devices[0]
    found = {choice.key: choice for choice in choices_of(config, device)}
    assert found["protection.offsets"].config.protection.offsets == [-3, -2, -1, 0, 1, 2, 3, 9]
    assert found["protection.beyond_table"].config.protection.beyond_table == "last_row"
    assert device_of(found["protection.load"].config, device).load == "idle"
    assert found["protection.idle_on"].config.protection.idle_on == "ratio"
    assert found["protection.overload"].config.protection.overload == "none"
    assert found["protection.ratios"].config.protection.ratios == CAUTIOUS
    assert found["protection.fw_calibration"].config.protection.fw_calibration == "off"
    assert least_eirp_dbm(device_of(found["devices.min_eirp_dbm"].config, device)) == -99.0
    assert all(choice.now != choice.otherwise for choice in found.values())


def test_heights_of_devices_need_a_run_of_their_own(repository: Path) -> None:
    config = load_config(repository / "configs/slovenia.yaml")
    keys = [choice.key for choice in choices_of(config, config.devices[0])]
    assert len(keys) == len(set(keys)) == 10
    (heights,) = [c for c in choices_of(config, config.devices[0]) if c.own_run]
    assert (heights.key, heights.config.terrain.dem) == ("terrain.dem", None)


def test_way_to_set_a_choice_does(tiny: Path) -> None:
    """The line of the report, put into the territory file, gives the settings that were counted."""
    config = load_config(tiny)
    for choice in choices_of(config, config.devices[0]):
        if not choice.set_by.startswith("protection: "):
            continue
        path = tiny.with_name("changed.yaml")
        line = choice.set_by.replace("configs/tables/", f"{CAUTIOUS.parent}/")
        path.write_text(f"{tiny.read_text()}{line}\n")
        assert load_config(path).protection == (
            choice.config.protection if choice.key != "protection.load" else load_config(path).protection
        ), choice.key
