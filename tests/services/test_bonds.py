"""Bonds of channels: which there are, and their limits against power integrated over frequency by hand."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from numpy.typing import NDArray

from pipeline.config.bonds import Bond, channel_named, channels_in
from pipeline.config.config import Config
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.limits import THRESHOLD_BAND
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.layer_files import layer_file
from pipeline.plan.margin import required_margin_km
from pipeline.plan.territory_file import load_config
from pipeline.radio.channel_plan import channel_block, offset_of
from pipeline.radio.coupling import coupling_of
from pipeline.radio.emission import Band, Emission, device_cap_dbm
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import Group, Tier, group_name, group_shift_db
from pipeline.services.base import ServiceContext
from pipeline.services.channel_caps import channel_cap_dbm
from pipeline.services.pmse.pmse_victims import channel_offsets, loss_frequency_mhz
from pipeline.services.reserved_channels import prepare as prepare_reserved
from pipeline.services.table import service_row
from tests import asking
from tests.services.service_scene import GRID, make_context, whole

WIDTH_MHZ, FIRST_MHZ, C_N_DB = 8.0, 474.0, 20.0
PLAN = [{"first_channel": 21, "last_channel": 48, "first_centre_mhz": FIRST_MHZ, "width_mhz": WIDTH_MHZ}]
ALL = [f"{21}-{48}"]
GROUP = Group("DVB-T", "64QAM 2/3", Tier(-math.inf, math.inf))
DEVICE = {
    "emission_class": 1,
    "height_m": 30.0,
    "min_separation_m": {"value": 20.0, "source": "test", "verified": False},
    "cap_dbm": 60.0,
    "load": "loaded",
}


def device_of(count: int, bandwidth_mhz: float | None = None, **more: object) -> dict[str, object]:
    """A device on ``count`` channels, by default as wide as they are."""
    wide_mhz = WIDTH_MHZ * count if bandwidth_mhz is None else bandwidth_mhz
    return DEVICE | {"id": f"n{count}", "bond": count, "bandwidth_mhz": wide_mhz} | more


def context_of(
    folder: Path, repository: Path, *devices: dict[str, object], **sections: object
) -> ServiceContext:
    named = [device | {"id": f"d{i}"} for i, device in enumerate(devices)]
    given = {"channels": {"plan": PLAN, "wsd": ALL}, "devices": named} | sections
    return make_context(folder, repository, **given)


# --- which bonds there are ----------------------------------------------------------------------------------


def config_with(folder: Path, repository: Path, channels: dict, *devices: dict, **sections: object) -> Config:
    content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
    content |= {"channels": channels, "devices": [device | {"id": "d"} for device in devices], **sections}
    path = folder / "case.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_config(path)


def test_bonds_are_all_runs_and_cross_no_gap_no_reserved_and_no_unlike_channel(tmp_path, repository):
    """31-33 is 6 MHz wide and begins where 30 ends: edges touch, widths differ."""
    plan = [
        PLAN[0] | {"last_channel": 30},
        {"first_channel": 31, "last_channel": 33, "first_centre_mhz": 553.0, "width_mhz": 6.0},
    ]
    channels = {"plan": plan, "wsd": ["21-24", "26-33"]}
    reserved = {"areas": {"reserved": [{"channels": [28], "reason": "a multiplex to come"}]}}
    pair = config_with(tmp_path, repository, channels, device_of(2, 12.0), **reserved)
    names = ["21-22", "22-23", "23-24", "26-27", "29-30", "31-32", "32-33"]
    assert [str(channel) for channel in pair.channels_of(pair.devices[0])] == names
    four = config_with(tmp_path, repository, channels, device_of(4, 24.0), **reserved)
    assert [str(channel) for channel in four.channels_of(four.devices[0])] == ["21-24"]
    chosen = device_of(2, 12.0, bonds=["29-30", "21-22"])
    some = config_with(tmp_path, repository, channels, chosen, **reserved)
    assert some.channels_of(some.devices[0]) == [Bond(21, 22), Bond(29, 30)]
    single = config_with(tmp_path, repository, channels, device_of(1), **reserved)
    assert single.channels_of(single.devices[0]) == [21, 22, 23, 24, 26, 27, 28, 29, 30, 31, 32, 33]


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (device_of(2, bonds=["24-26"]), "24-26"),
        (device_of(2, bonds=["24-25"]), "24-25"),
        (device_of(2, bonds=["22-21"]), "22-21"),
        (device_of(2, bonds=["21-22", "21-22"]), "twice"),
        (device_of(1, bonds=["21-22"]), "21-22"),
        (device_of(5), "5 channels that touch"),
        (device_of(2, 16.5), "16.5 is above 16"),
        (device_of(1, 20.5), "at most 20 MHz"),
    ],
)
def test_bonds_that_there_are_not_are_refused(tmp_path, repository, device, words):
    channels = {"plan": PLAN, "wsd": ["21-24", "26-29"]}
    with pytest.raises(InputError, match=words):
        config_with(tmp_path, repository, channels, device)


def test_names_of_channels_and_bonds():
    assert [channel_named("7"), channel_named("20-21")] == [7, Bond(20, 21)]
    assert [*channels_in(7), *channels_in(Bond(20, 22))] == [7, 20, 21, 22]
    assert layer_file("max_eirp", device="d", channel=Bond(20, 21)) == "public/max_eirp_d_ch20-21.tif"
    assert layer_file("max_eirp", device="d", channel=Bond(2, 3)) == "public/max_eirp_d_ch02-03.tif"
    assert layer_file("max_eirp", device="d", channel=7) == "public/max_eirp_d_ch07.tif"
    for wrong in ("", "20-", "-21", "a", "20-21-22"):
        with pytest.raises(ValueError, match="neither"):
            channel_named(wrong)


# --- television ---------------------------------------------------------------------------------------------


class Table:
    """r(k) of the shipped tables for DVB-T 64QAM 2/3 and a loaded device of class 1, worked out again."""

    def __init__(self, repository: Path) -> None:
        folder = repository / "configs/tables"
        with (folder / "protection_ratios.csv").open() as stream:
            self.acs_db = {
                int(row["offset"]): float(row["value"])
                for row in csv.DictReader(stream)
                if row["quantity"] == "acs_db" and row["mode"] == "*"
            }
        with (folder / "device_classes.csv").open() as stream:
            self.aflr_db = {
                int(row["offset"]): float(row["aflr_db"])
                for row in csv.DictReader(stream)
                if row["emission_class"] == "1"
            }

    def ratio_db(self, k: int) -> float:
        if k == 0:
            return C_N_DB
        k = max(-10, min(10, k))
        leaked_db = self.aflr_db[min(abs(k), 3)] - 10 * math.log10(WIDTH_MHZ / 0.1)
        return C_N_DB + 10 * math.log10(10 ** (-self.acs_db[k] / 10) + 10 ** (-leaked_db / 10))

    def effective_db(self, first: int, count: int, bandwidth_mhz: float, victim: int) -> float:
        """Sum over steps of 10 kHz of the emission; NaN where all of it lies beyond ten channels."""
        centre_mhz = FIRST_MHZ + WIDTH_MHZ * (first - 21 + (count - 1) / 2)
        victim_mhz = FIRST_MHZ + WIDTH_MHZ * (victim - 21)
        steps = round(bandwidth_mhz / 0.01)
        at_mhz = centre_mhz - bandwidth_mhz / 2 + 0.01 * (np.arange(steps) + 0.5)
        slices = np.round((at_mhz - victim_mhz) / WIDTH_MHZ).astype(int)
        found, counts = np.unique(slices, return_counts=True)
        if np.abs(found).min() > 10:
            return math.nan
        powers = [n / steps * 10 ** (self.ratio_db(int(k)) / 10) for k, n in zip(found, counts, strict=True)]
        return 10 * math.log10(sum(powers))


def write_maps(context: ServiceContext, levels: dict[int, NDArray[np.floating]], band: str) -> ServiceContext:
    """Maps of the job protect for all devices: ``levels`` [y, x] by DTT channel."""
    for victim, values in levels.items():
        for device in context.config.devices:
            limit, label = ChannelFiles(context.build, victim).protection(device)
            for path, found in ((limit, values), (label, np.where(np.isfinite(values) | (values < 0), 1, 0))):
                kind = np.float32 if path == limit else np.uint8
                array = raster.make_array(
                    found.astype(kind)[np.newaxis],
                    GRID,
                    units="",
                    long_name="x",
                    nodata=None,
                    band_names=[band],
                )
                raster.write(path, array, tags={}, publish=False)
    return replace(context, victims=tuple(levels))


def random_levels(seed: int, *victims: int) -> dict[int, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return {victim: rng.uniform(-20, 80, GRID.shape).astype(np.float32) for victim in victims}


def eirp_dbm(context: ServiceContext, number: int, channel: int | Bond) -> NDArray[np.float64]:
    limit = asking.prepare("dtt", context, context.config.devices[number], channel)
    assert limit is not None
    return limit(*whole()).eirp_dbm


@pytest.mark.parametrize(
    ("count", "bandwidth_mhz"), [(1, 8.0), (1, 5.0), (2, 16.0), (2, 10.0), (2, 3.0), (3, 20.0), (4, 30.0)]
)
def test_limit_is_the_power_integrated_over_frequency(tmp_path, repository, count, bandwidth_mhz):
    table, levels = Table(repository), random_levels(count, 21, 24, 25, 27, 30, 33, 35, 41, 48)
    context = context_of(tmp_path, repository, device_of(count, bandwidth_mhz))
    context = write_maps(context, levels, group_name(GROUP))
    for first in (21, 25, 36, 39):
        channel = first if count == 1 else Bond(first, first + count - 1)
        ratios_db = {c: table.effective_db(first, count, bandwidth_mhz, c) for c in levels}
        expected = [
            values.astype(float) - ratios_db[c]
            for c, values in levels.items()
            if ratios_db[c] == ratios_db[c]
        ]
        assert eirp_dbm(context, 0, channel) == pytest.approx(np.min(expected, axis=0), abs=1e-9)


@pytest.mark.parametrize(("count", "bandwidth_mhz"), [(2, 16.0), (2, 10.0), (3, 24.0), (4, 30.0)])
def test_limit_lies_between_the_bounds_of_the_single_channels(tmp_path, repository, count, bandwidth_mhz):
    """-10 log sum of s 10^(-P_k/10) <= P <= min of P_k - 10 log s, with P_k of one that fills its channel."""
    context = context_of(tmp_path, repository, device_of(1), device_of(count, bandwidth_mhz))
    context = write_maps(context, random_levels(7, 22, 25, 26, 29, 31), group_name(GROUP))
    for first in (23, 25, 26):
        bond = Bond(first, first + count - 1)
        held_mhz = np.full(count, WIDTH_MHZ)
        held_mhz[[0, -1]] -= (count * WIDTH_MHZ - bandwidth_mhz) / 2
        shares = (held_mhz / bandwidth_mhz)[:, np.newaxis, np.newaxis]
        singles = np.stack([eirp_dbm(context, 0, number) for number in channels_in(bond)])
        found = eirp_dbm(context, 1, bond)
        assert (found >= -10 * np.log10((shares * 10 ** (-singles / 10)).sum(axis=0)) - 1e-9).all()
        assert (found <= (singles - 10 * np.log10(shares)).min(axis=0) + 1e-9).all()


def test_pair_has_3_db_more_where_victims_lie_in_one_of_its_channels(tmp_path, repository):
    context = context_of(tmp_path, repository, device_of(1), device_of(2), device_of(4))
    context = write_maps(context, random_levels(3, 30), group_name(GROUP))
    single = eirp_dbm(context, 0, 30)
    for number, bonds in ((1, [(29, 30), (30, 31)]), (2, [(28, 31), (30, 33)])):
        for bond in bonds:
            assert eirp_dbm(context, number, Bond(*bond)) - single == pytest.approx(3.0103 * number, abs=1e-4)


def test_bond_of_one_is_its_channel_bit_for_bit(tmp_path, repository):
    plain = {name: value for name, value in device_of(1).items() if name != "bond"}
    context = context_of(tmp_path, repository, plain, device_of(1))
    context = write_maps(context, random_levels(5, 24, 27, 28, 30), group_name(GROUP))
    for channel in (23, 27, 35):
        first, *others = (
            eirp_dbm(context, 0, channel),
            eirp_dbm(context, 1, channel),
            eirp_dbm(context, 1, Bond(channel, channel)),
        )
        assert all(np.array_equal(first, other) for other in others)


def test_slices_of_bonds_on_the_6_mhz_raster(tmp_path, repository):
    """Shares by hand: r_eff weighs r(k) by them, and no victim beyond the last row limits."""
    plan = [{"first_channel": 14, "last_channel": 51, "first_centre_mhz": 473.0, "width_mhz": 6.0}]
    channels = {"plan": plan, "wsd": ["14-36"]}
    pair = config_with(tmp_path, repository, channels, device_of(2, 12.0))
    four = config_with(tmp_path, repository, channels, device_of(4, 20.0))
    ten = config_with(tmp_path, repository, channels, device_of(2, 10.0))
    cases = [
        (pair, Bond(20, 21), 20, {0: 0.5, 1: 0.5}),
        (pair, Bond(20, 21), 21, {0: 0.5, -1: 0.5}),
        (pair, Bond(20, 21), 19, {1: 0.5, 2: 0.5}),
        (pair, Bond(20, 21), 22, {-1: 0.5, -2: 0.5}),
        (pair, Bond(20, 21), 17, {3: 0.5, 4: 0.5}),
        (pair, 20, 20, {-1: 0.25, 0: 0.5, 1: 0.25}),
        (ten, Bond(20, 21), 20, {0: 0.5, 1: 0.5}),
        (four, Bond(20, 23), 20, {0: 0.2, 1: 0.3, 2: 0.3, 3: 0.2}),
    ]
    for config, channel, victim, shares in cases:
        found = offset_of(config.channels, config.devices[0], channel, victim)
        assert {part.k: part.share for part in found.slices} == pytest.approx(shares)
        tables, device = read_protection_tables(config.protection), config.devices[0]
        # Leakage into 6 MHz, else as on the raster of 8 MHz.
        ratios = {k: 10 ** (_ratio_6_mhz_db(repository, k) / 10) for k in shares}
        expected = 10 * math.log10(sum(share * ratios[k] for k, share in shares.items()))
        assert group_shift_db(tables, GROUP, device, found) == pytest.approx(expected, abs=1e-9)


def _ratio_6_mhz_db(repository: Path, k: int) -> float:
    table = Table(repository)
    if k == 0:
        return C_N_DB
    leaked_db = table.aflr_db[min(abs(k), 3)] - 10 * math.log10(60)
    return C_N_DB + 10 * math.log10(10 ** (-table.acs_db[k] / 10) + 10 ** (-leaked_db / 10))


def test_39_dbm_in_12_mhz_is_the_density_of_36_dbm_in_6_mhz(tmp_path, repository):
    cap = {"cap_density_dbm_per_100khz": 36 - 10 * math.log10(60)}
    context = context_of(tmp_path, repository, device_of(1, 6.0, **cap), device_of(2, 12.0, **cap))
    caps = [device_cap_dbm(device) for device in context.config.devices]
    assert caps == pytest.approx([36.0, 39.0103], abs=1e-4)
    assert 39 - 10 * math.log10(120) == pytest.approx(36 - 10 * math.log10(60), abs=0.0104)


def test_all_channels_of_a_bond_must_be_free_of_the_threshold(tmp_path, repository):
    occupied = {26: np.full(GRID.shape, -np.inf, np.float32)}
    for offsets, expected in (
        ([0], {(25, 26): False, (26, 27): False, (24, 25): True, (27, 28): True}),
        ([-1, 0, 1], {(25, 26): False, (24, 25): False, (27, 28): False, (23, 24): True, (28, 29): True}),
    ):
        protection = {"method": "threshold", "threshold": {"offsets": offsets}}
        context = context_of(tmp_path, repository, device_of(2), protection=protection)
        context = write_maps(context, occupied, THRESHOLD_BAND)
        free = {bond: bool((eirp_dbm(context, 0, Bond(*bond)) > 0).all()) for bond in expected}
        assert free == expected


def test_margin_counts_the_victims_of_all_channels_of_a_bond(tmp_path, repository):
    single = context_of(tmp_path, repository, device_of(1, cap_dbm=36.0)).config
    pair = context_of(tmp_path, repository, device_of(2, cap_dbm=36.0)).config
    modes = [("DVB-T", "64QAM 2/3")]
    assert required_margin_km(pair, modes, coastal=False) >= required_margin_km(single, modes, coastal=False)


# --- other services -----------------------------------------------------------------------------------------


def test_leakage_is_counted_from_the_edges_of_the_bond():
    """16 MHz on two channels up to 790 MHz: 790-798 is the first adjacent one, 798-806 the second."""
    aflr_db = {1: 74.0, 2: 79.0, 3: 84.0}
    emission = Emission(Band(774.0, 790.0), 8.0, aflr_db, -math.inf, bond=2)
    for low_mhz, offset in (
        (790.0, 1),
        (793.0, 1),
        (798.0, 2),
        (801.0, 2),
        (806.0, 3),
        (830.0, 3),
        (769.0, 1),
    ):
        found = coupling_of(emission, Band(low_mhz, low_mhz + 4.5), math.inf)
        assert found.rejection_db == pytest.approx(aflr_db[offset] - 10 * math.log10(45), abs=1e-9)
    inside = coupling_of(emission, Band(776.0, 780.0), math.inf)
    assert inside.rejection_db == pytest.approx(10 * math.log10(16 / 4), abs=1e-9)
    across = coupling_of(emission, Band(788.0, 792.0), math.inf)
    expected = 2 / 16 + 20 * 10**-7.4
    assert across.rejection_db == pytest.approx(-10 * math.log10(expected), abs=1e-9)


def test_microphones_are_counted_from_the_edges_of_the_bond(tmp_path, repository):
    config = context_of(tmp_path, repository, device_of(2)).config
    # 25-26 is 502-518 MHz; 0.2 MHz around each of these.
    f_mhz = [502.1, 510.0, 517.9, 518.1, 525.9, 526.1, 501.9, 493.9]
    register = xr.Dataset(
        {"freq_mhz": ("assignment", f_mhz), "bandwidth_mhz": ("assignment", [0.2] * len(f_mhz))}
    )
    found = channel_offsets(config, config.devices[0], Bond(25, 26), register)
    assert found.tolist() == [0, 0, 0, 1, 1, 2, 1, 2]
    centres_mhz = loss_frequency_mhz(config, Bond(25, 26), register)
    assert centres_mhz.tolist() == [506, 506, 514, 522, 522, 530, 498, 490]
    assert channel_block(config.channels, Bond(25, 26)) == (510.0, 16.0)


def test_decisions_on_any_channel_of_a_bond_count(tmp_path, repository):
    table = tmp_path / "caps.csv"
    table.write_text("channel,emission_class,cap_dbm,source,verified\n26,*,20,test,false\n")
    areas = {
        "channel_caps": str(table),
        "reserved": [{"channels": [30], "reason": "a multiplex to come"}],
        "exclusions": [str(_zone(tmp_path))],
    }
    context = context_of(tmp_path, repository, device_of(1), device_of(2), areas=areas)
    device = context.config.devices[1]
    caps = [channel_cap_dbm(table, device, channel) for channel in (Bond(25, 26), Bond(26, 27), Bond(27, 28))]
    assert caps == [20.0, 20.0, math.inf]
    reserved = service_row("reserved_channel")
    for channel, closed in ((Bond(29, 30), True), (Bond(30, 31), True), (Bond(31, 32), False)):
        limit = prepare_reserved(reserved, context, device, channel)
        assert np.isneginf(limit(*whole()).eirp_dbm).all() == closed
    for channel, closed in ((Bond(34, 35), True), (Bond(35, 36), True), (Bond(36, 37), False)):
        limit = asking.prepare("exclusion_area", context, device, channel)
        assert limit is not None
        assert np.isneginf(limit(*whole()).eirp_dbm).any() == closed


def _zone(folder: Path) -> Path:
    path = folder / "zones.csv"
    ring = "14 45, 16 45, 16 47, 14 47, 14 45"
    path.write_text(f'wkt,channels,reason\n"POLYGON(({ring}))",35,test\n')
    return path
