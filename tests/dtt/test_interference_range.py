"""Maximum interference range: known ranges, what it promises, and the search from the far end."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.dtt.interference_range import (
    farthest_limiting_km,
    interference_range_km,
    limiting_loss_db,
    permissible_levels_of,
)
from pipeline.dtt.path_losses import path_ranges_km
from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.propagation.homogeneous import path_loss_db
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.units import power_dbm

MODE = ("DVB-T", "64QAM 2/3")


@pytest.fixture(scope="module")
def config(repository):
    return load_config(repository / "configs/slovenia.yaml")


@pytest.fixture(scope="module")
def radius(config):
    tables = read_protection_tables(config.protection)

    def radius_km(channel: int = 21, coastal: bool = False, **changes: object) -> float:
        device = config.devices[0].model_copy(update=changes)
        return interference_range_km(
            config, device, tables, modes=[MODE], channels=[channel], coastal=coastal
        )

    return radius_km


# docs/method.md, section 10, for 64QAM 2/3, 36 dBm, dq 1 %; the sea figures there are rounded ("about").
@pytest.mark.parametrize(
    ("height_m", "coastal", "low_km", "high_km"),
    [
        (30.0, False, 31.0, 40.0),
        (10.0, False, 19.5, 26.0),
        (30.0, True, 62.0, 80.0),
        (10.0, True, 53.0, 62.0),
    ],
)
@pytest.mark.parametrize("channel", [21, 48])
def test_radius_lies_in_the_known_range(radius, height_m, coastal, low_km, high_km, channel):
    assert low_km < radius(channel, coastal, height_m=height_m) < high_km


# docs/method.md, section 10, at 474 MHz, 64QAM 2/3, 36 dBm, dq 1 %, by effective height: land, sea.
HILLS_KM = {30.0: (38, 69), 114.0: (60, 86), 437.0: (91, 119), 1066.0: (127, 160), 3000.0: (170, 195)}


def test_radii_by_effective_height_and_length_of_land(config):
    """Known radii on hills; between land and sea what the distances from the sea leave, never too short."""
    device, tables = config.devices[0], read_protection_tables(config.protection)
    from_db = limiting_loss_db(config, device, tables, modes=[MODE], channel=21)
    lengths_km = np.array([0.0, 20.0, 60.0, 100.0, np.inf])
    heights_m = np.array(list(HILLS_KM))
    found_km = path_ranges_km(config, device, 21, from_db, heights_m, lengths_km, 15.0)
    for radii_km, (land_km, sea_km) in zip(found_km, HILLS_KM.values(), strict=True):
        assert radii_km[-1] == pytest.approx(land_km, abs=1.0)
        assert radii_km[0] == pytest.approx(sea_km, abs=2.0)
        assert (np.diff(radii_km) <= 0.0).all()
    for k, height_m in enumerate(HILLS_KM):
        for coastal, column in ((False, -1), (True, 0)):
            exact_km = interference_range_km(
                config, device, tables, modes=[MODE], channels=[21], coastal=coastal, effective_m=height_m
            )
            assert exact_km - 0.1 <= found_km[k, column] <= 1.005 * exact_km
    high = path_ranges_km(config, device, 21, from_db, heights_m, lengths_km, 150.0)
    assert high[0, -1] == 150.0
    assert high[-1, -1] == pytest.approx(found_km[-1, -1], rel=0.003)


def test_worst_victim_limits_just_inside_and_not_beyond(config, radius):
    """Worst victim by hand: E_n 42.42 dBuV/m at 474 MHz, X -17.65 at q_min 0.70, r 20."""
    reach_km = radius(21)
    tolerated_dbm = power_dbm(42.42, 474.0) - 17.65 - 20.0
    inside, beyond = path_loss_db(np.array([reach_km * 0.99, reach_km]), 474.0, 30.0) + tolerated_dbm
    assert inside < 36.0
    assert beyond == pytest.approx(36.0, abs=0.05)


def test_penalties_and_margins_widen_the_radius(radius):
    plain_km = radius()
    assert radius(margin_db=3.0) > plain_km
    assert radius(cap_dbm=30.0) < plain_km
    assert radius(dq_pct=7.0) < plain_km


def test_no_served_victim_tolerates_less_than_the_worst(config):
    """Random nuisance above the noise and any margin that is served: nothing lies below the assumed worst."""
    from pipeline.dtt.calibration import calibrated_level_db
    from pipeline.dtt.interference_range import smallest_permissible_level_db

    rng = np.random.default_rng(5)
    for table in permissible_levels_of(config, config.devices[0]):
        worst_db = smallest_permissible_level_db(table, 0.70)
        for _ in range(2000):
            sigma_db = rng.uniform(0, 5.5)
            margin_db = np.hypot(5.5, sigma_db) * rng.uniform(0.5245, 4.0)
            assert calibrated_level_db(table, margin_db, sigma_db) >= worst_db - 0.01


def test_search_does_not_stop_at_the_first_crossing():
    found_km = farthest_limiting_km(lambda d: (d < 2.0) | ((d > 30.0) & (d < 47.0)), 0.02)
    assert 47.0 <= found_km < 47.1


def test_device_that_limits_everywhere_is_refused():
    with pytest.raises(InputError, match="1000 km"):
        farthest_limiting_km(lambda d: d > 0.0, 0.02)


def test_device_that_never_limits_has_the_smallest_radius():
    assert farthest_limiting_km(lambda d: d < 0.0, 0.02) == pytest.approx(0.02)
