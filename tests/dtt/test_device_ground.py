"""Classes of height of devices, read part by part."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.dtt import device_ground
from pipeline.dtt.device_ground import GroundFiles, GroundPlaces, HeightRows
from pipeline.errors import InputError
from pipeline.grid import raster
from pipeline.grid.boxes import PixelBox, box_of, moved
from pipeline.grid.grid import Grid
from pipeline.grid.open_rasters import OpenRasters
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
        assert np.array_equal(heights.of(box, places), classes[number[box][home[box]]])
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(InputError, match="ends before its last pixel"):
        heights.of((slice(0, 9), slice(0, 11)), places)


def test_ground_is_read_part_by_part(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the whole arrays; blocks of four pixels, parts that begin and end within them."""
    monkeypatch.setattr(device_ground, "STRIP_PX", 4)
    config, rng = load_config(repository / "configs/slovenia.yaml"), np.random.default_rng(7)
    surface = rng.choice([Surface.HOME, Surface.FOREIGN, Surface.SEA], (9, 11)).astype(np.uint8)
    surface[:, 8:] = surface[0] = Surface.SEA
    sea = rng.integers(0, 7, surface.shape).astype(np.uint8)
    grid = Grid("EPSG:3794", 100.0, 500_000.0, 100_000.0, 11, 9)
    for name, values in (("surface", surface), ("sea", sea)):
        data = raster.make_array(values, grid, units="1", long_name=name, nodata=255)
        raster.write(tmp_path / f"territory/{name}.tif", data, tags={}, publish=False)
    home = surface == Surface.HOME
    number = np.cumsum(home.ravel()).reshape(home.shape) - 1
    with OpenRasters() as opened:
        ground = GroundFiles(config, tmp_path, opened)
        assert ground.box == box_of(home)
        assert [ground.number_in(slice(row, row + 2)) for row in (0, 3, 8)] == [
            home[row : row + 2].sum() for row in (0, 3, 8)
        ]
        boxes = ((0, 9), (0, 11)), ((2, 7), (3, 10)), ((1, 9), (6, 8)), ((5, 6), (5, 6)), ((1, 9), (8, 11))
        for rows, cols in boxes:
            box = PixelBox(slice(*rows), slice(*cols))
            part, its, found = ground.part(box), home[box], ground.box_within(box)
            assert np.array_equal(part.home_of(box), its)
            assert np.array_equal(part.sea_of(box), sea[box])
            first = [number[row, box.cols][home[row, box.cols]][:1] for row in range(*rows)]
            assert all(n.size == 0 or n[0] == m for n, m in zip(first, part.first_numbers(box), strict=True))
            inner = box_of(its)
            assert found == (None if inner is None else moved(inner, rows[0], cols[0]))
