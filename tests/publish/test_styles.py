"""Classes of the maps: every value in its class, and classes that colour-blind readers can tell apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import yaml

from pipeline.publish.styles import Scheme, class_index, hex_colour, palette, read_base_colours, read_schemes
from pipeline.services import table
from pipeline.services.table import code_labels
from pipeline.shipped import TABLES

SCHEMES = read_schemes()
# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(colour: str, vision: str) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as someone with that vision sees it."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = SRGB_TO_XYZ @ np.clip(VISION[vision] @ linear, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def least_distance(first: str, second: str) -> float:
    return min(float(np.linalg.norm(lab(first, v) - lab(second, v))) for v in VISION)


def drawn(scheme: Scheme) -> dict[str, str]:
    return {entry.label: hex_colour(entry.rgba) for entry in scheme.classes if entry.rgba[3]}


def label_of(scheme: Scheme, raw: int) -> str:
    return scheme.classes[int(class_index(scheme, np.array([raw], dtype=np.int16))[0])].label


@pytest.mark.parametrize(
    ("family", "raw", "label"),
    [
        ("max_eirp", -9999, "not permitted"),
        ("max_eirp", -9998, "not evaluated"),
        ("max_eirp", -32768, "outside"),
        ("max_eirp", -4000, "below -20"),
        ("max_eirp", -2001, "below -20"),
        ("max_eirp", -2000, "-20 to -10"),
        ("max_eirp", -1, "-10 to 0"),
        ("max_eirp", 0, "0 to 10"),
        ("max_eirp", 1999, "10 to 20"),
        ("max_eirp", 2000, "20 to 30"),
        ("max_eirp", 3599, "30 to 36"),
        ("max_eirp", 3600, "36 and more"),
        ("max_eirp", 5500, "36 and more"),
        ("available_channels", 0, "none"),
        ("available_channels", 2, "1 or 2"),
        ("available_channels", 3, "3 to 5"),
        ("available_channels", 40, "31 and more"),
        ("available_channels", 255, "outside"),
        ("availability", 2, "not evaluated"),
        ("limiting_service", 8, "foreign DTT reception"),
        ("limiting_service", 255, "outside"),
    ],
)
def test_value_falls_into_its_class(family: str, raw: int, label: str) -> None:
    assert label_of(SCHEMES[family], raw) == label


def test_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="77"):
        class_index(SCHEMES["limiting_service"], np.array([[1, 77]], dtype=np.uint8))


def test_every_service_code_has_a_class() -> None:
    labels = {entry.code: entry.label for entry in SCHEMES["limiting_service"].classes}
    assert labels == code_labels()


def test_every_service_code_of_the_table_has_a_colour_of_its_own_in_the_file() -> None:
    listed = yaml.safe_load((TABLES / "map_classes.yaml").read_text(encoding="utf-8"))
    assert set(listed["schemes"]["limiting_service"]["codes"]) == set(code_labels())


def test_added_service_has_a_class_that_stays_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    row = table.ServiceRow("seven", 19, 20, "seven dBm")
    monkeypatch.setattr(table, "SERVICES", (*table.SERVICES, row))
    scheme = read_schemes()["limiting_service"]
    assert label_of(scheme, 19) == "seven dBm"
    colours = drawn(scheme)
    added = colours.pop("seven dBm")
    assert min(least_distance(added, colour) for colour in colours.values()) >= 15


@pytest.mark.parametrize("family", sorted(SCHEMES))
def test_scheme_is_well_formed(family: str) -> None:
    scheme = SCHEMES[family]
    lows = [entry.low for entry in scheme.classes if entry.low is not None]
    assert lows == sorted(set(lows))
    labels = [entry.label for entry in scheme.classes]
    assert len(set(labels)) == len(labels)
    assert palette(scheme).shape == (len(labels), 4)
    assert sum(entry.rgba[3] == 0 for entry in scheme.classes if entry.label == "outside") == 1


@pytest.mark.parametrize("family", sorted(SCHEMES))
def test_classes_stay_apart_for_colour_blind_readers(family: str) -> None:
    """A distance of 2.3 is just noticeable; neighbours on a ramp need 10, unlike things 15."""
    colours = drawn(SCHEMES[family])
    ramp = {e.label for e in SCHEMES[family].classes if e.low is not None}
    for (first, one), (second, other) in combinations(colours.items(), 2):
        needed = 10 if {first, second} <= ramp else 15
        assert least_distance(one, other) >= needed, (first, second)


@pytest.mark.parametrize("family", ["max_eirp", "available_channels", "availability"])
def test_classes_stay_apart_from_the_map_below(family: str) -> None:
    base = read_base_colours()
    for label, colour in drawn(SCHEMES[family]).items():
        for name in ("land", "sea"):
            assert least_distance(colour, base[name]) >= 12, (label, name)
