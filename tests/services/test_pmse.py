"""PMSE limits against the rule of the pilot, written out in ``pmse_scene``."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.services.base import ServiceContext
from pipeline.services.pmse.pmse_register import read_pmse_kinds, read_pmse_ratios
from pipeline.services.table import service_code
from pipeline.shipped import TABLES
from tests.asking import explain, prepare
from tests.services.pmse_scene import (
    CAP_DBM,
    CHANNEL,
    F_MHZ,
    GRID,
    lattice_distance_m,
    limit_of,
    loss_db,
    make_config,
    scale_of,
)

BLOCKED_DBM = -999.0
# Emission classes 1 to 5 at a distance of 0, 1, 2 and 10 channels (Ofcom's pilot of 2013).
RATIOS_DB = {
    "microphone": {0: [-4] * 5, 1: [-52, -52, -48, -39, -28], 2: [-61, -58, -58, -49, -38], 10: [-78] * 5},
    "in_ear_monitor": {
        0: [-2] * 5,
        1: [-54, -54, -47, -37, -26],
        2: [-61, -57, -57, -47, -36],
        10: [-68] * 5,
    },
    "audio_link": {0: [2] * 5, 1: [-50, -50, -42, -33, -22], 2: [-57, -53, -53, -43, -32], 10: [-69] * 5},
    "video_link": {
        0: [17] * 5,
        1: [-36, -36, -28, -18, -7],
        2: [-42, -38, -38, -28, -17],
        10: [-62, -62, -62, -62, -61],
    },
}
WANTED_DBM = {
    "talkback": (-65, "microphone"),
    "wireless_microphone": (-65, "microphone"),
    "data_link": (-65, "microphone"),
    "in_ear_monitor": (-65, "in_ear_monitor"),
    "programme_audio_link": (-73, "audio_link"),
    "programme_video_link": (-73, "video_link"),
}


def pixel_dbm(tmp_path, repository, rows, row=5, col=8, channel=CHANNEL, **settings) -> float:
    """Limit in one pixel, by default the one whose eastern edge is 532 900 m."""
    return float(
        limit_of(make_config(tmp_path, repository, rows, **settings), channel=channel).eirp_dbm[row, col]
    )


# --- tables -------------------------------------------------------------------------------------------------


def test_kinds_have_the_wanted_powers_of_the_pilot():
    kinds = read_pmse_kinds(TABLES / "pmse_kinds.csv")
    assert {name: (kind.wanted_dbm, kind.ratios) for name, kind in kinds.items() if kind.ratios} == WANTED_DBM
    assert [name for name, kind in kinds.items() if math.isnan(kind.wanted_dbm)] == ["other"]


def test_ratios_are_those_of_the_rules():
    ratios_db = read_pmse_ratios(TABLES / "pmse_ratios.csv")
    assert len(ratios_db) == 4 * 11 * 5
    for name, rows in RATIOS_DB.items():
        for offset, row in rows.items():
            assert [ratios_db[name, offset, c] for c in range(1, 6)] == row, (name, offset)


# By offset 0 to 10; "-60 x4 -56" is -60 for the classes 1 to 4 and -56 for class 5.
PILOT_DB = {
    "microphone": "-4 x5 | -52 -52 -48 -39 -28 | -61 -58 -58 -49 -38 | -62 -58 -62 -58 -49 | -60 x4 -56"
    " | -69 x4 -66 | -72 x4 -71 | -73 x5 | -74 x5 | -75 x5 | -78 x5",
    "in_ear_monitor": "-2 x5 | -54 -54 -47 -37 -26 | -61 -57 -57 -47 -36 | -64 -57 -64 -57 -47"
    " | -60 -59 -60 -59 -55 | -64 x4 -62 | -64 x5 | -65 x5 | -66 x5 | -67 x5 | -68 x5",
    "audio_link": "2 x5 | -50 -50 -42 -33 -22 | -57 -53 -53 -43 -32 | -61 -53 -61 -53 -43"
    " | -67 -62 -67 -62 -53 | -69 -67 -69 -67 -62 | -69 x4 -67 | -69 x5 | -69 x5 | -69 x5 | -69 x5",
    "video_link": "17 x5 | -36 -36 -28 -18 -7 | -42 -38 -38 -28 -17 | -45 -38 -45 -38 -28"
    " | -55 -47 -55 -47 -38 | -56 -49 -56 -49 -41 | -57 -51 -57 -51 -43 | -57 -53 -57 -53 -46"
    " | -58 -55 -58 -55 -48 | -60 -59 -60 -59 -55 | -62 x4 -61",
}


def test_every_ratio_is_the_one_of_the_pilot():
    ratios_db = read_pmse_ratios(TABLES / "pmse_ratios.csv")
    for name, line in PILOT_DB.items():
        cells = line.split(" | ")
        assert len(cells) == 11
        for offset, cell in enumerate(cells):
            values = cell.split()
            repeated = [int(values[0])] * int(values[1][1:]) if len(values) > 1 and "x" in values[1] else []
            row = repeated + [int(v) for v in (values[2:] if repeated else values)]
            assert [ratios_db[name, offset, c] for c in range(1, 6)] == row, (name, offset)


# --- one receiver -------------------------------------------------------------------------------------------


def test_free_space_by_hand_at_20_m(tmp_path, repository):
    # 20 m outside the pixel's eastern edge, same height: 32.4 + 20 log 650 + 20 log 0.02 = 54.68 dB.
    scale = scale_of(GRID)
    dbm = pixel_dbm(tmp_path, repository, [{"easting_m": 532_900.0 + 20.0 * scale}], device={"height_m": 5.0})
    assert dbm == pytest.approx(-65 + 4 + 54.679, abs=0.001)


@pytest.mark.parametrize("environment", ["open", "suburban", "urban"])
@pytest.mark.parametrize("away_m", [10.0, 40.0, 70.0, 100.0])
@pytest.mark.parametrize("heights_m", [(30.0, 5), (1.5, 10)])
def test_loss_follows_the_rule_at_all_distances(tmp_path, repository, environment, away_m, heights_m):
    device_m, receiver_m = heights_m
    row = {"easting_m": 532_900.0 + away_m, "environment": environment, "antenna_height_agl_m": receiver_m}
    limit = limit_of(make_config(tmp_path, repository, [row], device={"height_m": device_m}))
    for col in range(9):
        d_km = (away_m + 100.0 * (8 - col)) / scale_of(GRID) / 1e3
        expected = -61 + loss_db(d_km, F_MHZ, device_m, receiver_m, environment)
        expected = expected if expected < CAP_DBM else math.inf
        assert limit.eirp_dbm[5, col] == pytest.approx(expected, abs=1e-4)


def test_device_is_the_base_as_in_the_pilot_or_the_higher_antenna(tmp_path, repository):
    row = {"easting_m": 533_100.0, "antenna_height_agl_m": 10}
    d_km = 0.2 / scale_of(GRID)
    device = {"height_m": 1.5}
    pilot = pixel_dbm(tmp_path, repository, [row], device=device)
    assert pilot == pytest.approx(-61 + loss_db(d_km, F_MHZ, 1.5, 10, "open"), abs=1e-4)
    higher = pixel_dbm(tmp_path, repository, [row], device=device, hata_base="higher")
    expected = -61 + loss_db(d_km, F_MHZ, 1.5, 10, "open", device_is_base=False)
    assert higher == pytest.approx(expected, abs=1e-4)


def test_airborne_receiver_has_free_space_and_no_walls(tmp_path, repository):
    row = {"easting_m": 533_300.0, "situation": "airborne", "antenna_height_agl_m": 100}
    expected = -61 + loss_db(0.4 / scale_of(GRID), F_MHZ, 30, 100, "airborne")
    assert pixel_dbm(tmp_path, repository, [row]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", sorted(WANTED_DBM))
@pytest.mark.parametrize("offset", [-10, -1, 0, 2])
@pytest.mark.parametrize("emission_class", [1, 4, 5])
def test_kind_offset_and_class_take_their_ratio(tmp_path, repository, kind, offset, emission_class):
    wanted_dbm, ratios = WANTED_DBM[kind]
    expected = wanted_dbm - RATIOS_DB[ratios][abs(offset)][emission_class - 1]
    expected += loss_db(0.01 / scale_of(GRID), F_MHZ, 30, 5, "open")
    dbm = pixel_dbm(
        tmp_path,
        repository,
        [{"kind": kind, "easting_m": 532_910.0}],
        channel=CHANNEL + offset,
        device={"emission_class": emission_class, "cap_dbm": 60.0},
    )
    assert dbm == pytest.approx(expected if expected < 60.0 else math.inf, abs=1e-4)


@pytest.mark.parametrize(("own", "others"), [("outdoor", 0), ("", 0), ("indoor", 1)])
@pytest.mark.parametrize("inside", [False, True])
def test_each_wall_allows_7_db_more(tmp_path, repository, own, others, inside):
    loss = {"value": 7.0, "source": "test", "verified": True}
    device = {"type": "B", "height_m": 5.0, "indoor": {"above_m": 2.0, "building_loss_db": loss}}
    if not inside:
        device["height_m"] = 2.0
    row = {"easting_m": 532_930.0, "situation": own}
    expected = -61 + loss_db(0.03 / scale_of(GRID), F_MHZ, device["height_m"], 5, "open")
    expected += 7.0 * (others + int(inside))
    assert pixel_dbm(tmp_path, repository, [row], device=device) == pytest.approx(expected, abs=1e-4)


def test_device_of_another_bandwidth_keeps_its_density(tmp_path, repository):
    row = {"easting_m": 532_930.0}
    wide = pixel_dbm(tmp_path, repository, [row])
    narrow = pixel_dbm(tmp_path, repository, [row], device={"bandwidth_mhz": 5.0})
    assert wide - narrow == pytest.approx(2.041, abs=0.001)


def test_margin_of_the_device_is_taken_off_and_no_penalty_of_its_load(tmp_path, repository):
    row = {"easting_m": 532_930.0}
    plain = pixel_dbm(tmp_path, repository, [row])
    strict = pixel_dbm(tmp_path, repository, [row], device={"load": "idle", "margin_db": 3.0})
    assert plain - strict == pytest.approx(3.0)


def test_generic_parameters_know_no_walls_and_no_distance_below_10_m(tmp_path, repository):
    rows = [{"easting_m": 532_904.0, "situation": "indoor"}]
    free_db = loss_db(0.01, F_MHZ, 30, 5, "open")
    generic = pixel_dbm(tmp_path, repository, rows, operational_parameters="generic")
    assert generic == pytest.approx(-61 + free_db, abs=1e-4)
    specific = pixel_dbm(tmp_path, repository, rows)
    nearer_db = loss_db(0.004 / scale_of(GRID), F_MHZ, 30, 5, "open")
    assert specific == pytest.approx(-61 + 7 + nearer_db, abs=1e-4)


def test_height_of_the_receiver_is_5_m_if_not_given(tmp_path, repository):
    given, missing, zero = (
        pixel_dbm(tmp_path, repository, [{"easting_m": 532_930.0, "antenna_height_agl_m": height}])
        for height in (5, "", 0)
    )
    assert given == missing == zero


# --- channels -----------------------------------------------------------------------------------------------


def channels_limited(tmp_path, repository, row, **settings) -> list[int]:
    config = make_config(tmp_path, repository, [row], **settings)
    return [c for c in range(21, 61) if (limit_of(config, channel=c).eirp_dbm < math.inf).any()]


def co_channels(tmp_path, repository, row) -> list[int]:
    """Channels in which the ratio of offset 0 holds, at a distance where no other limits."""
    config = make_config(tmp_path, repository, [row | {"easting_m": 533_100.0}])
    return [c for c in range(40, 48) if limit_of(config, channel=c).eirp_dbm[5, 8] < math.inf]


def test_assignment_blocks_its_own_pixel_up_to_ten_channels_away(tmp_path, repository):
    row = {"freq_mhz": 650.0}
    config = make_config(tmp_path, repository, [row])
    for channel in (33, 43, 53):
        limit = limit_of(config, channel=channel)
        assert limit.eirp_dbm[5, 6] == BLOCKED_DBM
        assert (limit.eirp_dbm == BLOCKED_DBM).sum() == 1
        assert limit.label[5, 6] == service_code("pmse")
    assert channels_limited(tmp_path, repository, row) == list(range(33, 54))


def test_own_cell_may_be_blocked_in_all_channels(tmp_path, repository):
    assert channels_limited(tmp_path, repository, {}, own_cell="all_channels") == list(range(21, 61))


def test_receiver_on_the_corner_of_four_pixels_blocks_them_all(tmp_path, repository):
    limit = limit_of(make_config(tmp_path, repository, [{"easting_m": 532_600.0, "northing_m": 180_500.0}]))
    assert np.argwhere(limit.eirp_dbm == BLOCKED_DBM).tolist() == [[4, 5], [4, 6], [5, 5], [5, 6]]


@pytest.mark.parametrize(
    ("freq_mhz", "bandwidth_mhz", "channels"),
    [
        (650.0, 0.2, [43]),
        (653.9, 0.2, [43]),  # ends on the edge
        (653.91, 0.2, [43, 44]),  # reaches over it
        (654.0, 0.0125, [43, 44]),  # carrier on the edge
        (645.95, 0.2, [42, 43]),
        (650.0, 8.0, [43]),
        (651.0, 8.0, [43, 44]),
        (654.0, 10.0, [43, 44]),
        (650.0, 10.0, [42, 43, 44]),
    ],
)
def test_assignment_across_an_edge_counts_for_both_channels(
    tmp_path, repository, freq_mhz, bandwidth_mhz, channels
):
    row = {"freq_mhz": freq_mhz, "bandwidth_mhz": bandwidth_mhz}
    assert co_channels(tmp_path, repository, row) == channels


def test_loss_is_that_of_the_centre_of_the_receivers_channel(tmp_path, repository):
    row = {"easting_m": 532_930.0, "freq_mhz": 644.1}  # channel 42, centre 642 MHz
    expected = -65 + 52 + loss_db(0.03 / scale_of(GRID), 642.0, 30, 5, "open")
    dbm = pixel_dbm(tmp_path, repository, [row], device={"cap_dbm": 60.0})
    assert dbm == pytest.approx(expected, abs=1e-4)


# --- time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "finish", "limits"),
    [
        ("01/03/2014 00:00", "01/03/2014 23:59", True),
        ("2014-03-01T23:00", "2014-03-05T10:00", True),
        ("2014-02-20", "2014-02-28", False),
        ("2014-02-20", "2014-03-01", True),
        ("2014-03-02T00:00", "", False),
        ("", "2014-02-28T23:59", False),
        ("", "2014-03-01T00:00", True),
        ("2014-03-01T23:59", "", True),
        ("", "", True),
    ],
)
def test_map_of_a_day_holds_the_bookings_of_that_day(tmp_path, repository, start, finish, limits):
    config = make_config(tmp_path, repository, [{"start": start, "finish": finish}], at="2014-03-01")
    assert (limit_of(config).eirp_dbm < math.inf).any() == limits


def test_map_protects_as_long_as_it_may_be_used(tmp_path, repository):
    rows = [{"start": "2014-03-02T05:00", "finish": "2014-03-02T06:00"}]
    for hours, limits in ((28.0, False), (30.0, True)):
        config = make_config(tmp_path, repository, rows, at="2014-03-01T01:00", validity_hours=hours)
        assert (limit_of(config).eirp_dbm < math.inf).any() == limits


def test_without_a_date_every_booking_counts(tmp_path, repository):
    rows = [{"start": "1999-01-01", "finish": "1999-01-02"}]
    assert (limit_of(make_config(tmp_path, repository, rows)).eirp_dbm < math.inf).any()


# --- many receivers, blocks ---------------------------------------------------------------------------------


def random_rows(rng: random.Random, count: int) -> list[dict[str, object]]:
    return [
        {
            "id": f"r{i:03d}",
            "kind": rng.choice(sorted(WANTED_DBM)),
            "easting_m": round(rng.uniform(531_000, 534_000), 1),
            "northing_m": round(rng.uniform(179_000, 182_000), 1),
            "antenna_height_agl_m": rng.choice([1.5, 5, 10, 40]),
            "freq_mhz": round(rng.uniform(560, 740), 3),
            "bandwidth_mhz": rng.choice([0.0125, 0.2, 8]),
            "situation": rng.choice(["indoor", "outdoor", "airborne"]),
            "environment": rng.choice(["", "open", "suburban", "urban"]),
        }
        for i in range(count)
    ]


def by_rule_dbm(rows, device, ratios_db) -> np.ndarray:
    """Limit in every pixel of GRID by every receiver, none left out."""
    lowest = np.full((GRID.height, GRID.width), np.inf)
    scale = scale_of(GRID)
    for row in rows:
        wanted_dbm, name = WANTED_DBM[row["kind"]]
        low, high = row["freq_mhz"] - row["bandwidth_mhz"] / 2, row["freq_mhz"] + row["bandwidth_mhz"] / 2
        occupied = [c for c in range(15, 75) if low < 478 + 8 * (c - 21) and high > 470 + 8 * (c - 21)]
        offset = min(abs(CHANNEL - c) for c in occupied)
        if offset > 10:
            continue
        own_mhz = 474 + 8 * math.floor((row["freq_mhz"] - 470) / 8)
        wall_db = 7.0 if row["situation"] == "indoor" else 0.0
        environment = "airborne" if row["situation"] == "airborne" else row["environment"] or "open"
        for y in range(GRID.height):
            for x in range(GRID.width):
                d_m = lattice_distance_m(GRID, y, x, row["easting_m"], row["northing_m"])
                dbm = BLOCKED_DBM
                if d_m > 0.0:
                    loss = loss_db(
                        d_m / scale / 1e3,
                        own_mhz,
                        device["height_m"],
                        row["antenna_height_agl_m"],
                        environment,
                    )
                    dbm = wanted_dbm - ratios_db[name, offset, device["emission_class"]] + loss + wall_db
                if dbm < CAP_DBM:
                    lowest[y, x] = min(lowest[y, x], dbm)
    return lowest


@pytest.mark.parametrize("seed", range(4))
def test_limits_equal_the_rule_tried_on_every_pixel_and_receiver(tmp_path, repository, seed):
    rng = random.Random(seed)
    rows = random_rows(rng, 40)
    device = {"height_m": rng.choice([1.5, 10.0, 30.0]), "emission_class": rng.randint(1, 5)}
    limit = limit_of(make_config(tmp_path, repository, rows, device=device))
    expected = by_rule_dbm(rows, device, read_pmse_ratios(TABLES / "pmse_ratios.csv"))
    assert np.isfinite(expected).sum() > 50
    np.testing.assert_allclose(limit.eirp_dbm, expected, atol=2e-4)
    assert ((limit.label == service_code("pmse")) == np.isfinite(expected)).all()
    assert not limit.not_evaluated.any()


@pytest.mark.parametrize("block", [1, 3, 7])
def test_any_division_into_blocks_gives_the_same_bytes(tmp_path, repository, block):
    rows = [*random_rows(random.Random(9), 60), {"id": "unknown", "kind": "other"}]
    config = make_config(tmp_path, repository, rows)
    whole = limit_of(config)
    limit = prepare("pmse", ServiceContext(config, tmp_path, GRID, ()), config.devices[0], CHANNEL)
    for top in range(0, GRID.height, block):
        for left in range(0, GRID.width, block):
            part = slice(top, min(top + block, GRID.height)), slice(left, min(left + block, GRID.width))
            for values, parts in zip(whole, limit(*part), strict=True):
                assert values[part].tobytes() == parts.tobytes()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 12))
def test_one_more_assignment_never_raises_a_limit(tmp_path_factory, repository, seed, count):
    folder = tmp_path_factory.mktemp("more")
    rows = random_rows(random.Random(seed), count + 1)
    fewer = limit_of(make_config(folder, repository, rows[:-1])).eirp_dbm
    more = limit_of(make_config(folder, repository, rows)).eirp_dbm
    assert (more <= fewer).all()


def test_farther_than_the_given_distance_nothing_limits(tmp_path, repository):
    rows = [{"kind": "programme_video_link"}]
    assert (limit_of(make_config(tmp_path, repository, rows)).eirp_dbm < math.inf).all()
    near = limit_of(make_config(tmp_path, repository, rows, within_km=0.3)).eirp_dbm < math.inf
    expected = [
        [lattice_distance_m(GRID, y, x, 532_650.0, 180_450.0) <= 300.0 * scale_of(GRID) for x in range(12)]
        for y in range(10)
    ]
    assert near.tolist() == expected


def test_pixels_off_the_lattice_take_in_their_whole_cells(tmp_path, repository):
    grid = Grid("EPSG:27700", 25.0, 532_600.0, 180_500.0, 8, 8)
    limit = limit_of(
        make_config(tmp_path, repository, [{"easting_m": 532_628.0, "northing_m": 180_450.0}]), grid=grid
    )
    # The cell 620-630 m east overlaps columns 0 (600-625) and 1; the edge of rows 1 and 2 is at 450 m.
    assert np.argwhere(limit.eirp_dbm == BLOCKED_DBM).tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]


# --- missing numbers ----------------------------------------------------------------------------------------


def test_without_a_register_nothing_is_evaluated(tmp_path, repository):
    config = make_config(tmp_path, repository, [], registers=[])
    context = ServiceContext(config, tmp_path, GRID, ())
    assert prepare("pmse", context, config.devices[0], CHANNEL) is None
    assert explain("pmse", context, config.devices[0], CHANNEL, 0, 0) is None


def test_register_without_bookings_limits_nothing(tmp_path, repository):
    limit = limit_of(make_config(tmp_path, repository, []))
    assert np.isinf(limit.eirp_dbm).all()
    assert not limit.not_evaluated.any()


def test_kind_without_numbers_is_not_evaluated_where_the_strictest_kind_would_limit(tmp_path, repository):
    row = {"easting_m": 520_000.0}
    strictest = limit_of(make_config(tmp_path, repository, [row | {"kind": "programme_video_link"}]))
    unknown = limit_of(make_config(tmp_path, repository, [row | {"kind": "other"}]))
    assert unknown.not_evaluated.any()
    assert (unknown.not_evaluated == (strictest.eirp_dbm < math.inf)).all()
    assert np.isinf(unknown.eirp_dbm).all()
    far = limit_of(make_config(tmp_path, repository, [row | {"kind": "other"}]), channel=CHANNEL + 11)
    assert not far.not_evaluated.any()


def test_table_without_a_ratio_in_use_is_refused(tmp_path, repository):
    config = make_config(tmp_path, repository, [{}], farthest_offset=11)
    with pytest.raises(InputError, match=r"no protection ratio.*11"):
        limit_of(config)


# --- explanation --------------------------------------------------------------------------------------------


def test_explanation_adds_up_to_the_limit_of_every_pixel(tmp_path, repository):
    rows = random_rows(random.Random(3), 60)
    config = make_config(tmp_path, repository, rows, device={"bandwidth_mhz": 5.0, "margin_db": 1.7})
    limit = limit_of(config)
    context = ServiceContext(config, tmp_path, GRID, ())
    for row in range(GRID.height):
        for col in range(0, GRID.width, 3):
            found = explain("pmse", context, config.devices[0], CHANNEL, row, col)
            if math.isinf(limit.eirp_dbm[row, col]):
                assert found is None
                continue
            assert found is not None
            total = 0.0
            for term in found.terms:
                total += term.value_db
            assert total == limit.eirp_dbm[row, col]
            assert found.label == service_code("pmse")


def test_explanation_names_the_receiver_distance_and_direction(tmp_path, repository):
    rows = [{"id": "far", "easting_m": 533_500.0}, {"id": "near", "easting_m": 532_950.0, "freq_mhz": 642.0}]
    config = make_config(tmp_path, repository, rows, device={"cap_dbm": 60.0})
    found = explain("pmse", ServiceContext(config, tmp_path, GRID, ()), config.devices[0], CHANNEL, 5, 8)
    assert found is not None
    assert found.victim["id"] == "far"  # 600 m co-channel is stricter than 50 m beside
    assert found.victim["distance_km"] == pytest.approx(0.6 / scale_of(GRID))
    assert found.victim["grid_azimuth_deg"] == pytest.approx(90.0)
    assert found.victim["offset_channels"] == 0


# --- requests of Ofcom's test of databases ------------------------------------------------------------------

# Stage 2, lots 5A, 5B, 6A, 6B (inputs as stored in OpenCellular's copy of TVWS-DB-Code, OfcomTestEvaluation):
# lon, lat, device height, class; kind, easting, northing, receiver height, carrier, bandwidth, situation.
# A height of 1 m counts as 1.5 m. No responses are stored: the expected values are those of the rule.
REQUESTS = [
    (-2.71775, 51.24786, 1.5, 1, "talkback", 350000, 150000, 10, 474, 0.0125, "indoor"),
    (-2.00142, 52.5987, 1.5, 1, "talkback", 400000, 300000, 10, 509, 0.0125, "indoor"),
    (-2.001448, 53.04818, 1.5, 1, "talkback", 400000, 350000, 10, 509, 0.2, "indoor"),
    (-2.00146, 53.49761, 1.5, 1, "talkback", 400000, 400000, 10, 509, 8, "indoor"),
    (-1.285, 51.24788, 1.5, 3, "wireless_microphone", 450000, 150000, 10, 745.5, 0.0125, "indoor"),
    (-1.27794, 51.69743, 1.5, 3, "in_ear_monitor", 450000, 200000, 10, 745.5, 0.0125, "indoor"),
    (-1.27069, 52.14694, 1.5, 3, "wireless_microphone", 450000, 250000, 10, 730, 0.0125, "outdoor"),
    (-1.24779, 53.49525, 3.0, 3, "in_ear_monitor", 450000, 400000, "", 554, 0.0125, "indoor"),
    (-1.23973, 53.94461, 3.0, 3, "in_ear_monitor", 450000, 450000, 2, 554, 0.0125, "indoor"),
    (-0.095081, 51.512746, 1.5, 1, "talkback", 532282, 180533, 10, 745.5, 0.0125, "indoor"),
    (-0.095194, 51.51005, 1.5, 1, "talkback", 532282, 180533, 10, 745.5, 0.0125, "indoor"),
    (-0.095231, 51.509152, 1.5, 1, "talkback", 532282, 180533, 10, 745.5, 0.0125, "indoor"),
    (-0.09525, 51.508702, 1.5, 1, "talkback", 532282, 180533, 10, 745.5, 0.0125, "indoor"),
    (-0.095241, 51.508235, 1.5, 1, "talkback", 532282, 180533, 10, 745.5, 0.0125, "indoor"),
    (-0.095241, 51.508235, 5.0, 3, "wireless_microphone", 532282, 180633, 10, 730, 0.0125, "indoor"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
@pytest.mark.parametrize("hata_base", ["higher", "device"])
def test_requests_of_the_database_test_follow_the_rule(tmp_path, repository, request_, hata_base):
    lon, lat, height_m, number, kind, x_m, y_m, receiver_m, f_mhz, width_mhz, situation = request_
    row = {
        "kind": kind,
        "easting_m": x_m,
        "northing_m": y_m,
        "antenna_height_agl_m": receiver_m,
        "freq_mhz": f_mhz,
        "bandwidth_mhz": width_mhz,
        "situation": situation,
    }
    east_m, north_m = Transformer.from_crs("EPSG:4326", "EPSG:27700", always_xy=True).transform(lon, lat)
    west_m, south_m = 10 * math.floor(east_m / 10), 10 * math.floor(north_m / 10)
    grid = Grid("EPSG:27700", 10.0, west_m, south_m + 10.0, 1, 1)
    device = {"height_m": height_m, "emission_class": number}
    config = make_config(tmp_path, repository, [row], device=device, hata_base=hata_base)
    corners_m = [math.hypot(west_m + i - x_m, south_m + j - y_m) for i in (0, 10) for j in (0, 10)]
    d_km = min(corners_m) / scale_of(grid) / 1e3
    own = west_m <= x_m <= west_m + 10 and south_m <= y_m <= south_m + 10
    channel = 21 + int((f_mhz - 470) // 8)
    ends_m = (height_m, receiver_m or 5)
    loss = loss_db(d_km, 474 + 8 * (channel - 21), *ends_m, "open", device_is_base=hata_base == "device")
    wanted_dbm, ratios = WANTED_DBM[kind]
    across = f_mhz + width_mhz / 2 > 478 + 8 * (channel - 21)
    for step in (0, 1):
        offset = 0 if across else step
        ratio_db = RATIOS_DB[ratios][offset][number - 1]
        expected = wanted_dbm - ratio_db + loss + 7.0 * (situation == "indoor")
        expected = BLOCKED_DBM if own else expected if expected < CAP_DBM else math.inf
        dbm = limit_of(config, channel=channel + step, grid=grid).eirp_dbm[0, 0]
        assert dbm == pytest.approx(expected, abs=2e-4), step
