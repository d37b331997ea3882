"""NETWORKS.yaml: what is refused, and how the message names it."""

import pytest
from satellites import assignment, case_a, write_yaml

from pipeline.coordination.rr941.networks import read_networks, warnings
from pipeline.errors import InputError


def edited(edit):
    content = case_a()
    edit(content)
    return content


def first(content):
    return content["victim"]["assignments"][0]


REQUIRED = (
    "id",
    "direction",
    "frequency_mhz",
    "bandwidth_khz",
    "earth_station",
    "power_density_dbw_hz",
    "satellite_gain_dbi",
    "noise_temperature_k",
)


@pytest.mark.parametrize("key", REQUIRED)
def test_missing_key_of_an_assignment_is_refused(tmp_path, key):
    path = write_yaml(tmp_path / "n.yaml", edited(lambda c: first(c).pop(key)))
    with pytest.raises(InputError) as refused:
        read_networks(path)
    assert refused.value.row == f"victim.assignments.0.{key}"
    assert refused.value.allowed


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("frequency_mhz", 0.0, "300000"),
        ("frequency_mhz", -12500.0, "300000"),
        ("frequency_mhz", "12500", "MHz"),
        ("frequency_mhz", float("nan"), "MHz"),
        ("frequency_mhz", float("inf"), "MHz"),
        ("frequency_mhz", True, "MHz"),
        ("frequency_mhz", 10**400, "MHz"),
        ("frequency_mhz", None, "MHz"),
        ("bandwidth_khz", 0.0, "kHz"),
        ("power_density_dbw_hz", 0.1, "-150 to 0"),
        ("power_density_dbw_hz", -150.1, "-150 to 0"),
        ("noise_temperature_k", 0.0, "more than 0 K"),
        ("noise_temperature_k", -3.0, "more than 0 K"),
        ("satellite_gain_dbi", "high", "dBi"),
        ("direction", "sideways", "down or up"),
        ("polarisation", "H", "LHC, RHC, L or NA"),
        ("id", "", "1 to 64"),
        ("id", "a\x07b", "1 to 64"),
    ],
)
def test_bad_value_of_an_assignment_is_named(tmp_path, key, value, allowed):
    path = write_yaml(tmp_path / "n.yaml", edited(lambda c: first(c).update({key: value})))
    with pytest.raises(InputError, match=r"n\.yaml") as refused:
        read_networks(path)
    assert refused.value.row == f"victim.assignments.0.{key}"
    assert allowed in refused.value.allowed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("longitude_deg", 180.1),
        ("longitude_deg", "42"),
        ("tolerance_deg", -0.1),
        ("adm", "arabia"),
        ("adm", 5),
        ("name", ""),
        ("assignments", []),
        ("assignments", "none"),
        ("assignments", None),
    ],
)
def test_bad_value_of_a_network_is_named(tmp_path, key, value):
    path = write_yaml(tmp_path / "n.yaml", edited(lambda c: c["interferer"].update({key: value})))
    with pytest.raises(InputError) as refused:
        read_networks(path)
    assert refused.value.row == f"interferer.{key}"
    assert refused.value.allowed


@pytest.mark.parametrize(
    ("edit", "row", "known"),
    [
        (lambda c: c.update(third={}), "third", "victim, interferer"),
        (lambda c: c["victim"].update(longitude=42.0), "victim.longitude", "longitude_deg"),
        (lambda c: first(c).update(freq=1.0), "victim.assignments.0.freq", "frequency_mhz"),
        (
            lambda c: first(c)["earth_station"].update(size=1.0),
            "victim.assignments.0.earth_station.size",
            "diameter_m",
        ),
    ],
)
def test_unknown_key_is_refused_with_the_known_ones(tmp_path, edit, row, known):
    with pytest.raises(InputError, match="unknown key") as refused:
        read_networks(write_yaml(tmp_path / "n.yaml", edited(edit)))
    assert refused.value.row == row
    assert known in refused.value.allowed


@pytest.mark.parametrize(
    ("station", "words"),
    [
        ({"pattern": "AP8"}, "either diameter_m or gain_dbi"),
        ({"pattern": "AP8", "diameter_m": 1.0, "gain_dbi": 40.0}, "either diameter_m or gain_dbi"),
        ({"pattern": "AP7", "diameter_m": 1.0}, "AP8"),
        ({"pattern": "AP8", "gain_dbi": 9.0}, "9.3"),
        ({"pattern": "S.1428", "diameter_m": 0.3}, "20"),
        ({"pattern": "AP8", "diameter_m": 0.0}, "more than 0"),
    ],
)
def test_antenna_without_a_pattern_is_refused(tmp_path, station, words):
    path = write_yaml(tmp_path / "n.yaml", edited(lambda c: first(c).update(earth_station=station)))
    with pytest.raises(InputError, match=words) as refused:
        read_networks(path)
    assert str(refused.value.row).startswith("victim.assignments.0")


def test_same_id_twice_is_refused(tmp_path):
    content = edited(lambda c: c["victim"]["assignments"][1].update(id="d1"))
    with pytest.raises(InputError, match="'d1' is given twice"):
        read_networks(write_yaml(tmp_path / "n.yaml", content))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda c: c["victim"]["assignments"].append(assignment("d9", "down")), "needs a pair_id"),
        (
            lambda c: (
                first(c).update(pair_id="t"),
                c["victim"]["assignments"].append(assignment("d9", "down", pair_id="t")),
            ),
            "joins more than one down",
        ),
        (lambda c: c["victim"]["assignments"][1].update(transmission_gain_db=-11.0), "differ"),
        (
            lambda c: (first(c).update(pair_id="x"), c["victim"]["assignments"][1].update(pair_id="y")),
            "needs a pair_id",
        ),
    ],
)
def test_transponder_that_is_not_one_pair_is_refused(tmp_path, edit, words):
    with pytest.raises(InputError, match=words):
        read_networks(write_yaml(tmp_path / "n.yaml", edited(edit)))


def test_amplifying_transponder_is_accepted_with_a_warning(tmp_path):
    networks = read_networks(
        write_yaml(tmp_path / "n.yaml", edited(lambda c: first(c).update(transmission_gain_db=3.0)))
    )
    assert [line for line in warnings(networks) if "transmission_gain_db is 3" in line]
    assert not list(warnings(read_networks(write_yaml(tmp_path / "n.yaml", case_a()))))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"victim: {}\nvictim: {}\n", "given twice"),
        (b"- 1\n", "not a mapping"),
        (b"", "not a mapping"),
        (b"victim: \xff\xfe\n", "UTF-8"),
        (b"victim: [\n", "YAML"),
        (b"a: \x00\n", "YAML"),
        (b"? [1]\n: 2\n", "YAML"),
        (b"day: 2020-13-45\n", "YAML"),
        (b"[" * 5000, "YAML"),
        (b"victim: !!python/object/apply:os.system [ls]\n", "YAML"),
        (b"n: " + b"9" * 6000, "YAML"),
    ],
)
def test_file_that_is_no_yaml_mapping_is_refused(tmp_path, content, words):
    path = tmp_path / "n.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_networks(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_networks(tmp_path / "none.yaml")
