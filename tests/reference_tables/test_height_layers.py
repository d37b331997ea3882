"""Heights of devices and the layers that answer for them: Ofcom's table and what is refused."""

from __future__ import annotations

import pytest

from pipeline.errors import InputError
from pipeline.reference.height_layers import layer_height_m, read_height_layers
from pipeline.shipped import TABLES

HEAD = "device_type,from_m,to_m,layer_m,source,verified\n"
ABSENT = "A,,,30,a source,true\nB,,,1.5,a source,true\n"


# docs/method.md, section 25 (point queries): <2.5 -> 1.5; 2.5-7.5 -> 5; 7.5-20 -> 10; >=20 -> 30.
@pytest.mark.parametrize(
    ("device_type", "height_m", "layer_m"),
    [
        ("A", 0.0, 1.5),
        ("B", 2.49, 1.5),
        ("A", 2.5, 5.0),
        ("B", 7.4, 5.0),
        ("A", 7.5, 10.0),
        ("A", 19.9, 10.0),
        ("A", 20.0, 30.0),
        ("B", 300.0, 30.0),
        ("A", None, 30.0),
        ("B", None, 1.5),
    ],
)
def test_shipped_layers_are_those_of_ofcom(device_type, height_m, layer_m):
    layers = read_height_layers(TABLES / "height_layers.csv")
    assert layer_height_m(layers, device_type, height_m) == layer_m


def test_height_that_is_no_height_has_no_layer():
    layers = read_height_layers(TABLES / "height_layers.csv")
    for height_m in (-1.0, float("nan")):
        with pytest.raises(InputError):
            layer_height_m(layers, "A", height_m)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("*,0,5,1.5,a source,true\n*,6,,10,a source,true\n" + ABSENT, "gap"),
        ("*,0,7,1.5,a source,true\n*,6,,10,a source,true\n" + ABSENT, "overlap"),
        ("*,0,7,1.5,a source,true\n" + ABSENT, "bounded"),
        ("*,0,,1.5,a source,true\nA,,,30,a source,true\n", "type B"),
        ("*,0,,1.5,a source,true\nC,,,30,a source,true\n", "device_type"),
        ("*,0,,,a source,true\n" + ABSENT, "layer_m"),
        ("A,0,,1.5,a source,true\n" + ABSENT, "type B"),
    ],
)
def test_incomplete_tables_are_refused(tmp_path, lines, said):
    path = tmp_path / "layers.csv"
    path.write_text(HEAD + lines, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_height_layers(path)
