"""Epfd by simulation in time: closed forms, a brute-force summation beside it, and never above the bound."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from constellation import Walker, walker_positions_km
from coordinated import change, coordinate
from jobs import run_from
from satellites import ORBIT_KM, from_centre_km, write_yaml
from test_rr97ab_maps import CONTENT, GRID, LIMITS, MASK, WANTED, points, systems

from pipeline.config.coordination import EpfdSimulation
from pipeline.coordination.rr97.epfd import judge, run
from pipeline.coordination.rr97.epfd_in_time import angle_from_arc_rad, epfd_in_time, receiver_at
from pipeline.coordination.rr97.simulation import simulate
from pipeline.coordination.rr97.systems import read_systems
from pipeline.coordination.rr941.antenna_patterns import gain_dbi, pattern_segments
from pipeline.errors import InputError
from pipeline.grid import raster

LARGE = pattern_segments("S.1428", 11200.0, gain_dbi=64.0)
EARTH_KM = 6378.137
SHELL = {"satellites": 40, "planes": 5, "phasing": 1, "inclination_deg": 53.0, "altitude_km": 1200.0}
EQUATORIAL = {**SHELL, "satellites": 1, "planes": 1, "phasing": 0, "inclination_deg": 0.0}


def simulated_system(**changes):
    return systems(system__constellation=[SHELL], **changes).system


def share_pct(course, level):
    return 100.0 * course.lengths_s[course.epfd_dbw_m2 > level].sum() / course.lengths_s.sum()


@pytest.mark.parametrize("phi_deg", [0.05, 0.5, 3.0, 8.0, 20.0])
def test_one_equatorial_station_by_its_closed_form(phi_deg: float) -> None:
    """Below the zenith satellite the share of time within phi is (phi - asin(R sin phi / a)) / 180."""
    system = systems(system__constellation=[EQUATORIAL], system__avoidance_deg=0.0).system
    axis_km = EARTH_KM + 1200.0
    turn_s = 2.0 * math.pi / (math.sqrt(398600.4418 / axis_km**3) - 7.2921159e-5)
    course = epfd_in_time(receiver_at(10.0, 0.0, 10.0), system, LARGE, turn_s)
    assert course.lengths_s.sum() == pytest.approx(turn_s)
    phi = math.radians(phi_deg)
    inside = 100.0 * (phi - math.asin(EARTH_KM * math.sin(phi) / axis_km)) / math.pi
    level = -146.0 + gain_dbi(LARGE, phi_deg) - 64.0
    # A step is a thirty-second of the angle to either side.
    assert share_pct(course, level) == pytest.approx(inside, rel=0.04)
    # At the zenith it crosses the beam: the mask's power, to the sixteenth of the beam.
    assert course.epfd_dbw_m2.max() == pytest.approx(-146.0, abs=0.02)
    assert course.highest_dbw_m2.max() == pytest.approx(-146.0, abs=1e-9)


def test_station_on_the_arc_is_never_in_use() -> None:
    """Farther than the avoidance angle from the wanted satellite, but in line with others of the arc."""
    system = systems(system__constellation=[EQUATORIAL]).system
    course = epfd_in_time(receiver_at(10.0, 0.0, 10.0), system, LARGE, 3600.0)
    assert (course.epfd_dbw_m2 == -math.inf).all()
    assert (course.highest_dbw_m2 == -math.inf).all()


def brute_force_dbw_m2(times_s, place_deg, satellite_deg, system):
    """Each time by itself: every station as a vector, every longitude of the arc 0.05 degrees apart."""
    place = np.array(from_centre_km(EARTH_KM, *place_deg))
    up = place / np.linalg.norm(place)
    longitudes = np.arange(place_deg[0] - 90.0, place_deg[0] + 90.0, 0.05)
    arc = np.array([from_centre_km(ORBIT_KM, lon, 0.0) for lon in [satellite_deg, *longitudes]]) - place
    arc = arc[arc @ up > 0.0]
    arc /= np.linalg.norm(arc, axis=1)[:, None]
    shells = [Walker(*shell.model_dump().values()) for shell in system.constellation]
    mask = [(point.elevation_deg, point.pfd_dbw_m2) for point in system.pfd_mask]
    levels = []
    for time_s in times_s:
        flux = []
        for shell in shells:
            for there in walker_positions_km(shell, time_s).reshape(-1, 3) - place:
                away = there / np.linalg.norm(there)
                height = math.degrees(math.asin(away @ up))
                off = np.degrees(np.arccos(np.clip(arc @ away, -1.0, 1.0)))
                if height >= system.min_elevation_deg and off.min() >= system.avoidance_deg:
                    pfd = float(np.interp(height, *zip(*mask, strict=True)))
                    flux.append(10.0 ** (0.1 * (pfd + gain_dbi(LARGE, off[0]) - 64.0)))
        total = sum(sorted(flux)[-system.satellites_in_use :])
        levels.append(10.0 * math.log10(total) if total else -math.inf)
    return np.array(levels)


@pytest.mark.parametrize(("in_use", "avoidance", "lowest"), [(1, 0.0, 0.0), (2, 4.0, 10.0), (8, 2.0, 25.0)])
def test_course_in_time_is_that_of_a_brute_force_summation(in_use, avoidance, lowest) -> None:
    higher = {"satellites": 24, "planes": 4, "phasing": 3, "inclination_deg": 80.0, "altitude_km": 2000.0}
    system = systems(
        system__constellation=[SHELL, higher],
        system__altitudes_km=[1200.0, 2000.0],
        system__pfd_mask=points(MASK),
        system__satellites_in_use=in_use,
        system__avoidance_deg=avoidance,
        system__min_elevation_deg=lowest,
    ).system
    duration_s = 4000.0
    course = epfd_in_time(receiver_at(14.5, 46.0, 16.0), system, LARGE, duration_s)
    plain = brute_force_dbw_m2(np.arange(5.0, duration_s, 10.0), (14.5, 46.0), 16.0, system)
    for level in np.percentile(plain[np.isfinite(plain)], [10, 30, 50, 70, 90]):
        assert share_pct(course, level) == pytest.approx(100.0 * (plain > level).mean(), abs=2.0)
    assert share_pct(course, -math.inf) == pytest.approx(100.0 * np.isfinite(plain).mean(), abs=1.0)
    # By the highest levels of steps the shares of time are never less.
    for level in np.percentile(plain[np.isfinite(plain)], [10, 30, 50, 70, 90]):
        highest = course.lengths_s[course.highest_dbw_m2 > level].sum() / duration_s
        assert highest >= (plain > level).mean() - 0.003
    # Around the largest of 10 s, and of others, tiny steps: none above the highest, which some nearly reach.
    largest = plain.max()
    for start_s in np.arange(5.0, duration_s, 10.0)[np.argsort(plain)[-2:]]:
        middle_s = start_s
        for half_s, count in ((10.0, 101), (0.4, 41), (0.04, 21)):
            times_s = middle_s + np.linspace(-half_s, half_s, count)
            finer = brute_force_dbw_m2(times_s[times_s >= 0.0], (14.5, 46.0), 16.0, system)
            middle_s = times_s[times_s >= 0.0][np.argmax(finer)]
            largest = max(largest, finer.max())
    assert largest <= course.highest_dbw_m2.max() <= largest + 0.05


@pytest.mark.parametrize("inclination", [35.0, 97.5])
def test_passage_through_the_beam_is_never_below_its_true_maximum(inclination) -> None:
    """Nearest passages of a day by 1 s, 10 ms and 0.1 ms: the published maximum is theirs to 0.01 dB."""
    shell = {**SHELL, "inclination_deg": inclination}
    system = systems(system__constellation=[shell], system__avoidance_deg=0.0).system
    place, satellite = (46.7, 24.7), 42.0
    station = np.array(from_centre_km(EARTH_KM, *place))
    wanted = np.array(from_centre_km(ORBIT_KM, satellite, 0.0)) - station
    wanted /= np.linalg.norm(wanted)
    walker = Walker(*system.constellation[0].model_dump().values())

    def nearest_deg(time_s):
        away = walker_positions_km(walker, time_s).reshape(-1, 3) - station
        seen = away @ station > 0.0
        cosine = (away @ wanted / np.linalg.norm(away, axis=1))[seen]
        return math.degrees(math.acos(min(cosine.max(initial=-1.0), 1.0)))

    times_s = np.arange(0.0, 20_000.0)
    middles = times_s[np.argsort([nearest_deg(t) for t in times_s])[:40]]
    for step_s in (0.01, 0.0001):
        around = [t for m in middles for t in m + step_s * np.arange(-100, 101) if t >= 0.0]
        middles = [min(around, key=nearest_deg)]
    largest = -146.0 + gain_dbi(LARGE, nearest_deg(middles[0])) - 64.0
    course = epfd_in_time(receiver_at(*place, satellite), system, LARGE, 20_000.0)
    assert largest <= course.highest_dbw_m2.max() <= largest + 0.02
    # The middles of steps alone do not promise that.
    assert (course.highest_dbw_m2 >= course.epfd_dbw_m2).all()


def test_nearest_passage_is_found_between_steps() -> None:
    """10 s steps come within 0.95784 degrees of the wanted satellite (11,200 s): the epfd there, or more."""
    course = epfd_in_time(
        receiver_at(46.7, 24.7, 42.0), simulated_system(system__avoidance_deg=0.0), LARGE, 86400.0
    )
    assert course.epfd_dbw_m2.max() >= -146.0 + gain_dbi(LARGE, 0.95784) - 64.0 - 0.4
    # ... and 19 thousand steps, not the 4 million of a constant one of a sixteenth of the beam.
    assert course.lengths_s.size < 25_000
    assert course.lengths_s.min() < 0.1


def test_angle_from_the_arc_by_all_its_longitudes() -> None:
    receiver = receiver_at(46.7, 24.7, 42.0)
    rng = np.random.default_rng(17)
    towards = rng.normal(size=(200, 3))
    towards /= np.linalg.norm(towards, axis=1)[:, None]
    place = np.array(from_centre_km(EARTH_KM, 46.7, 24.7))
    arc = np.array([from_centre_km(ORBIT_KM, lon, 0.0) for lon in np.arange(-40.0, 134.0, 0.01)]) - place
    arc = arc[arc @ place > 0.0]
    arc /= np.linalg.norm(arc, axis=1)[:, None]
    nearest = np.arccos(np.clip(towards @ arc.T, -1.0, 1.0)).min(axis=1)
    np.testing.assert_allclose(angle_from_arc_rad(receiver, towards), nearest, atol=2e-4)


def test_territory_never_exceeds_its_bound_and_squares_share_a_place() -> None:
    both = systems(system__constellation=[SHELL], system__pfd_mask=points(MASK), system__satellites_in_use=3)
    judgement = judge(both, LIMITS)
    found = simulate(both, judgement, GRID, WANTED, EpfdSimulation(hours=6.0, spacing_km=30.0), threads=2)
    values = found.layers["epfd_simulated"].values
    assert found.places == 9  # 90 by 70 km
    np.testing.assert_array_equal(np.isfinite(values), WANTED)
    bound = run(both, judgement, GRID, WANTED)["epfd_max"].values
    assert (values[WANTED] <= bound[WANTED]).all()
    assert len({float(v) for v in values[:3, :3].ravel()}) == 1
    assert found.largest_dbw_m2 == pytest.approx(np.nanmax(values), abs=1e-4)
    # The distribution ends where the largest is, and holds all the time in which a station was in use.
    assert found.levels_dbw_m2[0] <= found.largest_dbw_m2 <= found.levels_dbw_m2[0] + 0.1
    assert (np.diff(found.worst_pct) >= 0.0).all()
    assert (found.worst_pct >= found.mean_pct).all()
    assert found.worst_pct[-1] <= 100.0 + 1e-9


def test_time_above_the_limit_stands_in_the_layer() -> None:
    both = systems(
        system__constellation=[SHELL], system__avoidance_deg=0.0, system__pfd_mask=points([(0.0, -110.0)])
    )
    judgement = judge(both, LIMITS)
    place = WANTED & (np.arange(9) == 0)
    found = simulate(both, judgement, GRID, place, EpfdSimulation(hours=3.0, spacing_km=1000.0))
    lon, lat = found.place_deg
    course = epfd_in_time(receiver_at(lon, lat, 42.0), both.system, LARGE, 3.0 * 3600.0)
    above = course.highest_dbw_m2 > judgement.limit_dbw_m2
    share = 100.0 * course.lengths_s[above].sum() / course.lengths_s.sum()
    assert share_pct(course, judgement.limit_dbw_m2) <= share < 100.0
    assert share > 0.0
    np.testing.assert_allclose(found.layers["exceedance"].values[place], share, rtol=1e-6)
    row = np.searchsorted(-found.levels_dbw_m2, -judgement.limit_dbw_m2 - 1e-6)
    assert found.worst_pct[row] == pytest.approx(share, abs=0.2)


def test_territory_that_does_not_see_the_satellite_has_no_simulation() -> None:
    both = systems(system__constellation=[SHELL], station__satellite_longitude_deg=-150.0)
    found = simulate(both, judge(both, LIMITS), GRID, WANTED, EpfdSimulation(hours=1.0))
    assert (found.places, found.largest_dbw_m2, found.levels_dbw_m2.size) == (0, None, 0)
    assert np.isnan(found.layers["epfd_simulated"].values).all()


def test_job_writes_distribution_layers_and_decides_by_the_simulation(tiny: Path) -> None:
    build = coordinate(tiny)
    system = {**CONTENT["system"], "constellation": [SHELL]}
    write_yaml(tiny.parent / "systems.yaml", {**CONTENT, "system": system})
    case = {
        "kind": "inclusion",
        "request_received": "2020-06-01",
        "ific_date": "2020-10-13",
        "comment_received": "2021-02-13",
        "calculation_supplied": True,
        "epfd": "simulation",
    }
    change(tiny, rr97ab={"systems": "systems.yaml", "simulation": {"hours": 2.0}, "case": case})
    run_from("rr97ab", tiny, build)
    document = json.loads((build / "internal/rr97ab_decision.json").read_text())
    simulation, decision = document["simulation"], document["decision"]
    assert simulation["places"] > 1
    assert (decision["outcome"], decision["reason"]) == ("not_include", "BELOW_LIMIT")
    assert decision["epfd_dbw_m2"] == simulation["epfd_max_dbw_m2"] < document["epfd_max_dbw_m2"]
    assert simulation["exceedance_pct"] == 0.0
    table = pd.read_csv(build / "public/rr97ab_epfd_distribution.csv")
    assert list(table) == ["epfd_dbw_m2", "worst_pct", "mean_pct"]
    layer = raster.read(build / "public/rr97ab_epfd_simulated.tif")
    assert float(np.nanmax(layer.values)) == pytest.approx(simulation["epfd_max_dbw_m2"], abs=1e-4)
    assert raster.read_layout(build / "public/rr97ab_exceedance.tif").tags["mode"] == "simulation"


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ({"planes": 7}, "planes does not divide"),
        ({"phasing": 5}, "phasing is not below"),
        ({"altitude_km": 1300.0}, "altitudes_km"),
        ({"inclination_deg": 181.0}, "0 to 180"),
    ],
)
def test_constellation_that_contradicts_itself_is_refused(tmp_path: Path, shell, said: str) -> None:
    system = {**CONTENT["system"], "constellation": [{**SHELL, **shell}]}
    path = write_yaml(tmp_path / "systems.yaml", {**CONTENT, "system": system})
    with pytest.raises(InputError, match=said):
        read_systems(path)


def test_simulation_needs_a_constellation_and_a_decision_by_it_the_section(tiny: Path) -> None:
    build = coordinate(tiny)
    change(tiny, rr97ab={"systems": "systems.yaml", "simulation": {}})
    with pytest.raises(InputError, match=r"systems\.yaml.*nothing to simulate"):
        run_from("rr97ab", tiny, build)
    case = {"kind": "inclusion", "request_received": "2020-06-01", "ific_date": "2020-10-13"}
    case |= {"comment_received": "2021-02-13", "calculation_supplied": True, "epfd": "simulation"}
    change(tiny, rr97ab={"systems": "systems.yaml", "case": case})
    with pytest.raises(InputError, match="needs the section"):
        run_from("rr97ab", tiny, build)
