"""The aggregate check against sums over pairs of pixels in float64 and against draws of the three levels."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from pipeline.dtt import multiple_interference
from pipeline.dtt.channel_files import ChannelFiles
from pipeline.dtt.degradation import degradation_of
from pipeline.dtt.multiple_interference import AGGREGATE_LAYERS, AggregateMap, PlacedDevices, run
from pipeline.grid import raster
from pipeline.plan.territory_file import load_config
from tests.dtt.test_protection_maps import (
    CHANNEL,
    F_MHZ,
    FOREIGN,
    HOME,
    Case,
    discrimination_by_definition_db,
    distance_by_definition_km,
    loss_by_definition_db,
    ratio_by_definition_db,
    sea_share_by_definition,
)
from tests.jobs import run_from


def placed(*devices: tuple[tuple[int, int], int, float], number: int = 0) -> PlacedDevices:
    """Devices as (pixel, channel, e.i.r.p.)."""
    rows, cols = zip(*(pixel for pixel, _, _ in devices), strict=True)
    return PlacedDevices(
        np.array(rows),
        np.array(cols),
        np.array([channel for _, channel, _ in devices]),
        np.array([eirp for _, _, eirp in devices], float),
        np.full(len(devices), number),
    )


def fall_by_draws(x_db, margin_db, sigma_u_db, sigma_i_db, rng, count=4_000_000):
    """q1 - q2 in percentage points: share of draws that only the interferer loses."""
    wanted = margin_db + 5.5 * rng.standard_normal(count)
    nuisance = 10 ** (0.1 * sigma_u_db * rng.standard_normal(count))
    added = 10 ** (0.1 * (x_db + sigma_i_db * rng.standard_normal(count)))
    level = 10 ** (0.1 * wanted)
    return 100.0 * ((level >= nuisance).mean() - (level >= nuisance + added).mean())


def power_by_definition(case: Case, devices, p) -> tuple[float, float]:
    """Power at victim p relative to its median nuisance, in dB, and its spread, pair by pair."""
    near = far = 0.0
    for x, channel, eirp_dbm in devices:
        d_km = distance_by_definition_km(case, p, x)
        sea_share = sea_share_by_definition(case, p, x, d_km)
        lost_db = loss_by_definition_db(d_km, case.config.devices[0].height_m, sea_share)
        lost_db += discrimination_by_definition_db(case, p, x)
        level_db = eirp_dbm + ratio_by_definition_db(case, p, channel - CHANNEL) - lost_db
        level_db += 77.216 + 20 * np.log10(F_MHZ) - float(case.nuisance[p])
        near += 10 ** (level_db / 10) if d_km <= 0.08 else 0.0
        far += 10 ** (level_db / 10) if d_km > 0.08 else 0.0
    return 10 * np.log10(near + far), (3.5 * near + 5.5 * far) / (near + far)


@pytest.fixture(scope="module")
def case(tmp_path_factory, repository):
    # The check takes the nuisance as log-normal, for which the permissible level needs no calibration.
    folder = tmp_path_factory.mktemp("aggregate")
    return Case(folder, repository, 100.0, {"height_m": 10.0}, fw_calibration="off")


def victims_of(case: Case):
    return [
        p for p in np.ndindex(case.served.shape) if case.served[p] == 1 and case.surface[p] in (HOME, FOREIGN)
    ]


def whole(found: AggregateMap) -> np.ndarray:
    """The layers [layer, y, x] of all strips."""
    values = np.zeros((3, *found.grid.shape), np.float32)
    for rows, part in found.strips:
        values[:, rows] = part
    return values


def layers(case: Case, devices: PlacedDevices):
    found = whole(run(case.config, ChannelFiles(case.folder, CHANNEL), devices))
    assert found.shape[1:] == case.served.shape
    return dict(zip(AGGREGATE_LAYERS, found, strict=True))


def test_power_of_all_devices_is_summed_at_every_served_pixel(case):
    devices = [((2, 3), CHANNEL, -50.0), ((2, 3), CHANNEL + 1, -10.0), ((9, 8), CHANNEL - 3, 5.0)]
    found = layers(case, placed(*devices))["fall_pct"]
    victims = victims_of(case)
    expected = []
    for p in victims:
        x_db, sigma_i = power_by_definition(case, devices, p)
        margin = float(case.wanted[p]) - float(case.nuisance[p])
        one = degradation_of(*(np.array([v]) for v in (x_db, margin, float(case.sigma[p]), sigma_i)), 0.01)
        expected.append(100.0 * one[0][0])
    assert [found[p] for p in victims] == pytest.approx(expected, rel=1e-3)
    nothing = np.ones(found.shape, bool)
    nothing[tuple(zip(*victims, strict=True))] = False
    assert np.isnan(found[nothing]).all()
    assert max(expected) > 1.0 > min(expected)


@pytest.mark.parametrize(
    ("x_db", "margin_db", "sigma_u_db", "sigma_i_db"),
    [(-10.0, 6.0, 2.0, 5.5), (-5.0, 12.0, 5.5, 3.5), (0.0, 3.0, 0.0, 4.4)],
)
def test_fall_is_the_share_of_draws_that_the_devices_lose(x_db, margin_db, sigma_u_db, sigma_i_db):
    rng = np.random.default_rng(5)
    arguments = (x_db, margin_db, sigma_u_db, sigma_i_db)
    found, above_db = degradation_of(*(np.array([value]) for value in arguments), 0.01)
    assert 100.0 * found[0] == pytest.approx(fall_by_draws(*arguments, rng), abs=0.08)
    cured = fall_by_draws(x_db - above_db[0], *arguments[1:], rng)
    assert cured == pytest.approx(1.0, abs=0.05)


def test_device_at_what_is_permitted_takes_dq_at_the_deciding_pixel(case):
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    limit = case.limit(CHANNEL + 1).eirp_dbm
    home = (case.surface == HOME) & (limit < case.config.devices[0].cap_dbm)
    for pixel in list(zip(*np.nonzero(home), strict=True))[::7]:
        found = layers(case, placed((pixel, CHANNEL + 1, limit[pixel])))
        # What is permitted lies up to 0.02 dB below the exact value.
        assert 0.995 < np.nanmax(found["fall_pct"]) <= 1.0001
        assert np.nanmax(found["margin_db"]) < 1e-3


def test_two_equal_devices_at_one_place_need_3_db_less(case):
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    limit = case.limit(CHANNEL).eirp_dbm
    pixel = tuple(np.argwhere((case.surface == HOME) & (limit < 30.0))[4])
    two = layers(case, placed(*[(pixel, CHANNEL, limit[pixel])] * 2))
    assert np.nanmax(two["margin_db"]) == pytest.approx(3.01, abs=0.02)
    less = layers(case, placed(*[(pixel, CHANNEL, limit[pixel] - np.nanmax(two["margin_db"]))] * 2))
    assert np.nanmax(less["fall_pct"]) == pytest.approx(1.0, abs=1e-3)
    excess = two["excess_pct"]
    assert np.nanmax(excess) == pytest.approx(np.nanmax(two["fall_pct"]) - 1.0, abs=1e-4)
    assert ((two["margin_db"] > 0) == (excess > 0)).all()


def test_margin_and_walls_of_a_device(case, tmp_path, repository):
    """The margin is what the check judges and does not count; walls and the load do, the load beside only."""
    content = yaml.safe_load(case.config_path.read_text())
    loss = {"above_m": 2.0, "building_loss_db": {"value": 7.0, "source": "test", "verified": True}}
    first = content["devices"][0]
    content["devices"] = [
        first,
        first | {"id": "margin", "margin_db": 6.0},
        first | {"id": "walls", "type": "B", "indoor": loss},
        first | {"id": "idle", "load": "idle", "idle_penalty_db": 4.0},
    ]
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(content))
    config = load_config(tmp_path / "case.yaml")
    files = ChannelFiles(case.folder, CHANNEL)
    falls = [
        whole(run(config, files, placed(((2, 3), CHANNEL + 2, level), number=n)))[0]
        for n, level in ((0, 0.0), (1, 0.0), (2, 7.0), (3, -4.0))
    ]
    for other in falls[1:]:
        np.testing.assert_allclose(other, falls[0], rtol=1e-5)


def test_devices_out_of_the_offsets_do_not_concern_the_channel(case):
    assert run(case.config, ChannelFiles(case.folder, CHANNEL), placed(((2, 3), CHANNEL + 10, 36.0))) is None


def test_threads_and_strips_change_nothing(case, monkeypatch):
    devices, files = (
        placed(((2, 3), CHANNEL, 0.0), ((9, 8), CHANNEL, 5.0)),
        ChannelFiles(case.folder, CHANNEL),
    )
    one, two = (whole(run(case.config, files, devices, threads=n)) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
    monkeypatch.setattr(multiple_interference, "STRIP_PX", 3)
    np.testing.assert_array_equal(whole(run(case.config, files, devices, threads=2)), one)


def test_two_percentages_of_time_give_the_larger_fall(tmp_path, repository):
    """Each percentage of time alone against both: the larger fall at every pixel."""
    case = Case(tmp_path, repository, 100.0, {"height_m": 10.0})
    devices = placed(((2, 3), CHANNEL, -50.0))
    path = tmp_path / f"coverage/ch{CHANNEL}.tif"
    levels = raster.read(path)
    planned = levels.values.copy()
    ordinary = planned.copy()
    ordinary[2] -= np.float32(5.0)
    names = levels["band"].values.tolist()

    def fall_pct(values: np.ndarray, bands: list[str]) -> np.ndarray:
        data = raster.make_array(
            values, case.grid, units="1", long_name="levels", nodata=np.nan, band_names=bands
        )
        raster.write(path, data, tags={}, publish=False)
        return layers(case, devices)["fall_pct"]

    alone = [fall_pct(values, names) for values in (planned, ordinary)]
    content = yaml.safe_load(case.config_path.read_text())
    content["propagation"] = {"nuisance_time_pct": "both"}
    case.config_path.write_text(yaml.safe_dump(content))
    case.config = load_config(case.config_path)
    more = [*names, "ordinary_nuisance_dbuvm", "ordinary_nuisance_sigma_db"]
    both = fall_pct(np.concatenate([planned, ordinary[2:4]]), more)
    assert np.array_equal(both, np.fmax(*alone), equal_nan=True)
    assert (np.nan_to_num(alone[0]) != np.nan_to_num(alone[1])).any()
