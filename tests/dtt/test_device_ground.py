"""Classes of height of devices, read part by part."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.dtt.device_ground import GroundPlaces, HeightRows
from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.terrain.height_files import base_height_m, heights_file, highest_class, write_classes
from pipeline.territory.codes import Surface


def test_heights_of_a_part_are_those_of_its_pixels_and_a_file_that_ends_early_is_refused(
    tmp_path: Path, repository: Path
) -> None:
    config = load_config(repository / "configs/slovenia.yaml")
    rng, device = np.random.default_rng(4), config.devices[0]
    surface = rng.choice([Surface.HOME, Surface.FOREIGN, Surface.SEA], (9, 11)).astype(np.uint8)
    home = surface == Surface.HOME
    classes = rng.integers(0, 40, (int(home.sum()), 5)).astype(np.uint8)
    strips = ([part] for part in np.array_split(classes, 3))
    write_classes(tmp_path, [base_height_m(device)], strips, surface, classes.shape[1])
    path = heights_file(tmp_path, base_height_m(device))
    assert np.array_equal(np.load(path), classes)
    assert path.stat().st_size % 64 == classes.size % 64  # as numpy writes them
    assert highest_class(tmp_path, base_height_m(device)) == classes.max()
    first = np.array([home[:row].sum() for row in range(9)])
    places = GroundPlaces(surface, np.zeros_like(surface), np.zeros(1), first)
    heights = HeightRows(config, tmp_path, device)
    number = np.cumsum(home.ravel()).reshape(home.shape) - 1
    for box in [(slice(0, 9), slice(0, 11)), (slice(3, 7), slice(2, 9)), (slice(8, 9), slice(10, 11))]:
        part = places.part((slice(2, 9), slice(1, 11))) if box[0].start > 2 else places
        assert np.array_equal(heights.of(box, part), classes[number[box][home[box]]])
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(InputError, match="ends before its last pixel"):
        heights.of((slice(0, 9), slice(0, 11)), places)
