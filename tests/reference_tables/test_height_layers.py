"""Heights of antennas that a database is to have layers for: the shipped table and what is refused."""

from __future__ import annotations

import pytest

from pipeline.errors import InputError
from pipeline.reference.height_layers import read_height_layers
from pipeline.shipped import TABLES

HEAD = "device_type,layer_m,source,verified\n"


def test_shipped_layers():
    assert read_height_layers(TABLES / "height_layers.csv") == {"A": [10.0, 30.0], "B": [1.5]}


def test_rows_of_both_types(tmp_path):
    path = tmp_path / "layers.csv"
    path.write_text(HEAD + "*,30,a source,true\nA,5,a source,true\n*,5,a source,true\n", encoding="utf-8")
    assert read_height_layers(path) == {"A": [5.0, 30.0], "B": [5.0, 30.0]}


@pytest.mark.parametrize("line", ["C,30,a source,true", "A,0.5,a source,true", "A,,a source,true"])
def test_bad_rows_are_refused(tmp_path, line):
    path = tmp_path / "layers.csv"
    path.write_text(HEAD + line + "\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_height_layers(path)
    assert caught.value.row == 2
