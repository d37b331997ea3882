"""The wanted field of a victim and its path, against the naive twin of P.1812 along an own profile."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod

from pipeline.config.config import Config
from pipeline.hashing import input_files
from pipeline.plan.territory_file import load_config
from pipeline.studies.explain_path import WantedPath, changed_input, wanted_path, worst_sample
from pipeline.studies.pictures import draw_profile
from tests.propagation.p1812_reference import loss
from tests.studies.test_validate_field import (
    MAST_M,
    STEP_DEG,
    height_m,
    hills_m,
    predicted,
    with_column,
    with_hills,
)
from tests.tiny import STATIONS

LON, LAT, RECEIVER_M, WANTED = 14.27, 46.03, 10.0, 41.25
# 157 / (157 - 50) of 6371 km.
EARTH_KM = 6371.0 * 157.0 / 107.0


def victim(**changed: object) -> dict[str, object]:
    facts = {"kind": "reception", "channel": 22, "lon": LON, "lat": LAT, "wanted_dbuvm": WANTED}
    return facts | {"station": {"id": "B"}} | changed


def found(tiny: Path, **changed: object) -> WantedPath:
    path = wanted_path(load_config(tiny), victim(**changed))
    assert path is not None
    return path


def own_profile() -> tuple[np.ndarray, np.ndarray, float]:
    """Distances, heights, and the latitude half-way, from B to the victim."""
    geod, (_, lon, lat, _, _) = Geod(ellps="WGS84"), STATIONS[1]
    azimuth_deg, _, length_m = geod.inv(lon, lat, LON, LAT)
    count = math.ceil(length_m / 1000.0 / (STEP_DEG * math.pi * 6371.0 / 180.0))
    d_km = np.linspace(0.0, length_m / 1000.0, count + 1)
    along = [geod.fwd(lon, lat, azimuth_deg, 1000.0 * d)[:2] for d in d_km]
    half_way_deg = geod.fwd(lon, lat, azimuth_deg, 0.5 * length_m)[1]
    return d_km, np.array([height_m(hills_m(), *each) for each in along]), half_way_deg


def test_terms_by_p1812_are_those_of_the_twin_and_add_up(tiny: Path) -> None:
    with_hills(tiny, "p1812")
    register = tiny.parent / "register.csv"
    register.write_text(register.read_text().replace(",22,482,8,1.0,", ",22,482,8,2.0,"))
    with_column(tiny, "vertical_pattern_deg_attenuation_db", {"B": "-10:0;20:60"})
    path, (d_km, terrain_m, half_way_deg) = found(tiny), own_profile()
    loss_db, between = loss(
        d_km.tolist(),
        terrain_m.tolist(),
        [0.0] * d_km.size,
        [4] * d_km.size,
        f_mhz=482.0,
        p=50.0,
        htg=MAST_M,
        hrg=RECEIVER_M,
        vertical=False,
        phi=half_way_deg,
        dn=50.0,
        n0=325.0,
    )
    ends_m = terrain_m[0] + MAST_M, terrain_m[-1] + RECEIVER_M
    slant_km = math.hypot(d_km[-1], (ends_m[0] - ends_m[1]) / 1000.0)
    down_deg = math.degrees(math.atan((ends_m[0] - ends_m[1]) / 1000.0 / d_km[-1]))
    down_deg += math.degrees(d_km[-1] / (2 * 4 / 3 * 6370.0))
    expected = {
        "free space, 1 kW e.r.p.": 106.96 - 20.0 * math.log10(slant_km),
        "focusing and multipath": 0.0,
        "diffraction": -between["Ldp"],
        "ducting, troposcatter": between["Lb0p"] + between["Ldp"] - loss_db,
        "e.r.p. over 1 kW": 10.0 * math.log10(2.0),
        "horizontal pattern": 0.0,
        "vertical pattern": -2.0 * (10.0 + down_deg),
    }
    terms = {term.name: term.value_db for term in path.terms}
    rest_db = terms.pop("maps less this path")
    # Heights are float32, and radials go straight between knots 2 km apart.
    assert terms == pytest.approx(expected, abs=0.05)
    assert between["Ldp"] > 10.0
    assert sum(terms.values()) + rest_db == pytest.approx(WANTED, abs=1e-9)
    (row,) = predicted(
        tiny, [{"lon": LON, "lat": LAT, "field_dbuvm": 50, "transmitter": "B", "h2_m": RECEIVER_M}]
    )
    assert sum(terms.values()) == pytest.approx(row.field_dbuvm, abs=1e-6)


def test_horizons_and_obstruction_by_brute_force(tiny: Path) -> None:
    with_hills(tiny, "p1812")
    path, (d_km, terrain_m, _) = found(tiny), own_profile()
    ends_m, length_km = (terrain_m[0] + MAST_M, terrain_m[-1] + RECEIVER_M), d_km[-1]
    inner = slice(1, -1)
    d, h = d_km[inner], terrain_m[inner]
    up = (h - ends_m[0]) / (1000.0 * d) - d / (2.0 * EARTH_KM)
    back = length_km - d
    down = (h - ends_m[1]) / (1000.0 * back) - back / (2.0 * EARTH_KM)
    facts = path.facts
    assert facts["path"] == "transhorizon"
    assert facts["mechanism_p1812"] in ("diffraction", "troposcatter")
    for name, seen, at_km in (("horizon_of_station", up, d), ("horizon_of_receiver", down, back)):
        k = int(np.argmax(seen))
        horizon = facts[name]
        assert horizon["distance_km"] == pytest.approx(at_km[k], abs=0.002)
        assert horizon["height_asl_m"] == pytest.approx(h[k], abs=0.5)
        assert horizon["elevation_mrad"] == pytest.approx(1000.0 * math.atan(seen[k]), abs=0.2)
    ray_m = ends_m[0] + (ends_m[1] - ends_m[0]) * d / length_km
    clear_m = ray_m - h - d * back * 1000.0 / (2.0 * EARTH_KM)
    radius_m = np.sqrt(299.8 / 482.0 * 1000.0 * d * back / length_km)
    k = int(np.argmin(clear_m / radius_m))
    worst = facts["obstruction"]
    assert worst["distance_km"] == pytest.approx(d[k], abs=0.002)
    assert worst["clearance_m"] == pytest.approx(clear_m[k], abs=0.5)
    assert worst["clearance_f1"] == pytest.approx(clear_m[k] / radius_m[k], abs=0.02)
    assert worst["clearance_f1"] < -1.0
    assert facts["antennas_asl_m"] == pytest.approx(ends_m, abs=0.2)
    assert path.drawn.horizons_km == pytest.approx(
        (d[np.argmax(up)], length_km - back[np.argmax(down)]), abs=0.002
    )


def test_p1546_has_its_field_as_one_term_and_the_same_path(tiny: Path) -> None:
    with_hills(tiny, "p1546")
    path = found(tiny)
    terms = {term.name: term.value_db for term in path.terms}
    (row,) = predicted(
        tiny, [{"lon": LON, "lat": LAT, "field_dbuvm": 50, "transmitter": "B", "h2_m": RECEIVER_M}]
    )
    assert terms["field of 1 kW e.r.p."] == pytest.approx(row.field_dbuvm, abs=1e-6)
    assert sum(terms.values()) == pytest.approx(WANTED, abs=1e-9)
    assert path.facts["mechanism_p1812"] in ("diffraction", "troposcatter")
    assert path.facts["model"] == "p1546"


def test_no_path_without_terrain_station_or_reception(tiny: Path) -> None:
    assert wanted_path(load_config(tiny), victim()) is None
    with_hills(tiny, "p1546")
    config = load_config(tiny)
    assert wanted_path(config, victim(kind="point")) is None
    assert wanted_path(config, victim(station={"id": "Z"})) is None
    # Next to the mast there is no terrain between.
    _, lon, lat, _, _ = STATIONS[1]
    assert wanted_path(config, victim(lon=lon, lat=lat)) is None


def test_picture_is_the_same_twice(tiny: Path) -> None:
    with_hills(tiny, "p1812")
    drawn = found(tiny).drawn
    for name in ("a.png", "b.png"):
        draw_profile(tiny.parent / name, "B", drawn)
    assert (tiny.parent / "a.png").read_bytes() == (tiny.parent / "b.png").read_bytes()
    assert (tiny.parent / "a.png").read_bytes().startswith(b"\x89PNG")
    # In the middle the effective Earth stands d1 d2 / 2a above the chord; the worst sample counts cover.
    middle = drawn.d_km.size // 2
    d1, d2 = drawn.d_km[middle], drawn.d_km[-1] - drawn.d_km[middle]
    assert drawn.earth_m[middle] == pytest.approx(1000.0 * d1 * d2 / (2.0 * EARTH_KM))
    covered = drawn._replace(cover_m=np.where(np.arange(drawn.d_km.size) == middle, 900.0, 0.0))
    assert worst_sample(covered)[0] == middle
    assert worst_sample(drawn)[0] != middle


def entries(config: Config) -> list[dict[str, str]]:
    return [
        {"key": key, "path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for key, path in input_files(config)
        if path.is_file()
    ]


@pytest.mark.parametrize("name", ["register", "dem"])
def test_inputs_of_another_day_are_named(tiny: Path, name: str) -> None:
    with_hills(tiny, "p1812")
    config = load_config(tiny)
    dem = config.terrain.dem
    path = {"register": config.registers.transmitters[0], "dem": dem[0] if isinstance(dem, list) else dem}[
        name
    ]
    made_with, whole = entries(config), path.read_bytes()
    assert changed_input(config, made_with) == ""
    path.write_bytes(whole + b"\n")
    assert changed_input(config, made_with) == f"{path.name} has changed since the run"
    path.unlink()
    assert changed_input(config, made_with) == f"{path.name} is not here"
    path.write_bytes(whole)
    others = [entry | {"sha256": "0"} for entry in made_with if entry["key"] == "device_profiles"]
    assert others
    assert changed_input(config, others) == ""


def test_a_large_rest_is_warned_of(tiny: Path) -> None:
    with_hills(tiny, "p1546")
    terms = found(tiny).terms
    wanted = WANTED - terms[-1].value_db
    near, far = (found(tiny, wanted_dbuvm=wanted + more_db).terms[-1] for more_db in (2.9, -3.1))
    assert "WARNING" not in near.note
    assert far.note.startswith("WARNING: over 3 dB")
