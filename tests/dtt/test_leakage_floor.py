"""The floor of the mask below 0 dBm: closed forms, written from EN 301 598's max(P - AFLR, floor)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import yaml

from pipeline.dtt.leakage_floor import floor_coupling, limits_dbm
from pipeline.plan.territory_file import load_config
from pipeline.radio.channel_plan import Offset, Slice
from pipeline.reference.ratio_tables import read_protection_tables
from pipeline.reference.ratios import Group, Tier, group_shift_db
from tests.dtt.test_protection_maps import CHANNEL, HOME, Case
from tests.jobs import run_from

# DVB-T 64QAM 2/3 of the shipped table of modes; class 1: AFLR 74, 79, 84 dB in 100 kHz; 8 MHz are 80 of them.
C_N_DB, WIDTH_DB = 20.0, 10.0 * math.log10(80.0)
GROUP = Group("DVB-T", "64QAM 2/3", Tier(-math.inf, math.inf))
HEAD = "system,mode,emission_class,offset,from_dbm,to_dbm,quantity,value,source,verified\n"


def setting(tmp_path, repository, acs_db: float, **device: object):
    """Slovenia with one selectivity for all offsets, and its first device changed."""
    rows = "".join(f"*,*,*,{k},,,acs_db,{acs_db:g},made up,false\n" for k in range(-9, 10) if k)
    (tmp_path / "ratios.csv").write_text(HEAD + rows)
    content = yaml.safe_load((repository / "configs/slovenia.yaml").read_text(encoding="utf-8"))
    content["devices"] = [content["devices"][0] | {"min_eirp_dbm": -60.0} | device]
    content["protection"] = {"ratios": str(tmp_path / "ratios.csv"), "load": "loaded"}
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(content))
    config = load_config(tmp_path / "case.yaml")
    return config, read_protection_tables(config.protection)


def limit_dbm(config, tables, tolerated_dbm: float, k: int = 1, channel: int = CHANNEL) -> float:
    """Limit where a victim tolerates so much e.i.r.p. at a ratio of 0 dB."""
    device, offset = config.devices[0], Offset(k, (Slice(k, 1.0),), 8.0)
    coupling = floor_coupling(config, channel, GROUP, tables, device, offset)
    shift_db = group_shift_db(tables, GROUP, device, offset)
    return float(limits_dbm(np.array([tolerated_dbm]), shift_db, coupling)[0])


@pytest.mark.parametrize(("k", "aflr_db"), [(1, 74.0), (-2, 79.0), (3, 84.0), (7, 84.0)])
def test_where_leakage_alone_counts_nothing_is_permitted_below_the_floor(tmp_path, repository, k, aflr_db):
    """At -40 dBm the leakage is at -84 dBm in 100 kHz, not at -40 - AFLR: much more than is tolerated."""
    config, tables = setting(tmp_path, repository, 150.0)
    proportional_dbm = aflr_db - WIDTH_DB - C_N_DB  # P - T where leakage is a share of P
    for eirp_dbm in (-40.0, aflr_db - 84.0 - 0.1):
        assert limit_dbm(config, tables, eirp_dbm - proportional_dbm, k) == -math.inf
    above_dbm = aflr_db - 84.0 + 0.1
    assert limit_dbm(config, tables, above_dbm - proportional_dbm, k) == pytest.approx(above_dbm, abs=1e-6)


@pytest.mark.parametrize("eirp_dbm", [-40.0, -20.0, -12.0])
def test_with_selectivity_the_power_and_the_floor_share_what_is_tolerated(tmp_path, repository, eirp_dbm):
    """P 10^((C/N - ACS)/10) + 10^((C/N + floor)/10) = T, solved the other way round."""
    config, tables = setting(tmp_path, repository, 30.0)
    floor_dbm = C_N_DB - 84.0 + WIDTH_DB
    tolerated_mw = 10 ** ((eirp_dbm + C_N_DB - 30.0) / 10) + 10 ** (floor_dbm / 10)
    found_dbm = limit_dbm(config, tables, 10 * math.log10(tolerated_mw))
    assert found_dbm == pytest.approx(eirp_dbm, abs=1e-6)
    ratio_db = C_N_DB + 10 * math.log10(10**-3.0 + 10 ** (-(74.0 - WIDTH_DB) / 10))
    assert found_dbm < 10 * math.log10(tolerated_mw) - ratio_db


def test_outside_the_television_band_the_floor_is_higher(tmp_path, repository):
    """-54 dBm in 100 kHz below 470 MHz: reached below 74 - 54 = 20 dBm in the next channel."""
    config, tables = setting(tmp_path, repository, 150.0, min_eirp_dbm=0.0)
    low = [{"first_channel": 21, "last_channel": 69, "first_centre_mhz": 174.0, "width_mhz": 8.0}]
    channels = config.channels.model_validate({"plan": low, "wsd": ["21-48"]})
    config = config.model_copy(update={"channels": channels})
    proportional_dbm = 74.0 - WIDTH_DB - C_N_DB
    assert limit_dbm(config, tables, 19.9 - proportional_dbm) == -math.inf
    assert limit_dbm(config, tables, 20.1 - proportional_dbm) == pytest.approx(20.1, abs=1e-6)


def test_devices_that_stay_above_the_floor_keep_their_limits(tmp_path, repository):
    for least_dbm in (0.0, None):
        config, tables = setting(tmp_path, repository, 150.0, min_eirp_dbm=least_dbm)
        proportional_dbm = 74.0 - WIDTH_DB - C_N_DB
        assert limit_dbm(config, tables, -40.0 - proportional_dbm) == pytest.approx(-40.0, abs=1e-6)


def test_levels_and_priorities_below_the_floor_count_it_whatever_the_least_power(tmp_path, repository):
    """A layer of -20 dBm speaks of a device that radiates just that: it leaks -84 dBm in 100 kHz."""
    config, tables = setting(tmp_path, repository, 150.0, min_eirp_dbm=None)
    tolerated_dbm = -20.0 - (74.0 - WIDTH_DB - C_N_DB)
    asked = config.model_copy(update={"levels_dbm": [-20.0, 0.0, 20.0]})
    assert limit_dbm(asked, tables, tolerated_dbm) == -math.inf
    priority = type(config).model_fields["priority"].annotation.__args__[0]
    level = {"level": 1, "device": config.devices[0].id, "eirp_dbm": -20.0, "channels": ["21-48"]}
    asked = config.model_copy(update={"priority": [priority.model_validate(level)]})
    assert limit_dbm(asked, tables, tolerated_dbm) == -math.inf


@pytest.mark.slow
def test_maps_and_their_budgets_have_the_floor(tmp_path, repository):
    """On a territory: every limit in the next channel is what the two lines leave of the stored map."""
    from tests.dtt.test_dtt_budget import check_sums

    case = Case(tmp_path, repository, 400.0, {"min_eirp_dbm": -99.0, "emission_class": 1})
    rows = (tmp_path / "ratios.csv").read_text().replace("-1,,,pr_db,-30", "-1,,,acs_db,150")
    (tmp_path / "ratios.csv").write_text(rows)
    run_from("protect", case.config_path, case.folder, channel=CHANNEL)
    limit_dbm = case.limit(CHANNEL - 1).eirp_dbm[case.surface == HOME]
    assert (limit_dbm == -math.inf).any()
    finite_dbm = limit_dbm[np.isfinite(limit_dbm)]
    assert (finite_dbm >= -10.0 - 1e-6).all()
    budgets = check_sums(case, -1, 60)
    assert any("leakage floor" in {term.name for term in one.terms} for one in budgets)
    floors = [one.victim["protection_ratio"]["leakage_floor_dbm_per_100khz"] for one in budgets]
    assert floors == [[-84.0]] * len(budgets)
