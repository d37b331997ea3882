"""People without fast access: the choice of stations by brute force, and the direction of the numbers."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.links.unserved import choose_stations, unserved_people
from tests.published import HEIGHT, NORTH_M, PIXEL_M, WEST_M, WIDTH, publish
from tests.tiny import CONFIG, STATIONS, write_register


def test_people_of_thinly_settled_surroundings_count() -> None:
    people = np.zeros((100, 100), np.float32)
    people[20, 20], people[80, 80] = 80.0, 90_000.0
    found = unserved_people(people, np.full((100, 100), 0.04, np.float32), 200.0, 0.2, 100.0)
    assert found[20, 20] == pytest.approx(16.0)
    assert found.sum() == pytest.approx(16.0)


def test_stations_are_those_that_add_most_by_brute_force() -> None:
    """Pixels of 2 km: every pixel is a place. Each step against all places."""
    rng = np.random.default_rng(6)
    unserved = rng.integers(0, 50, (30, 40)).astype(np.float64)
    radius = rng.integers(0, 900, (30, 40)).astype(np.uint16)
    chosen, reached = choose_stations(radius, unserved, 2000.0, 100.0, 500)
    left = unserved.copy()
    y, x = np.mgrid[:30, :40]

    def gain(row: int, col: int) -> float:
        return float(left[np.hypot(y - row, x - col) * 2.0 <= 0.01 * radius[row, col]].sum())

    for one in chosen:
        most = max(gain(r, c) for r in range(30) for c in range(40) if radius[r, c])
        assert one.people == pytest.approx(most)
        assert gain(one.row, one.col) == pytest.approx(most)
        left[np.hypot(y - one.row, x - one.col) * 2.0 <= one.radius_km] = 0.0
    assert max(gain(r, c) for r in range(30) for c in range(40) if radius[r, c]) < 100.0
    assert sum(one.people for one in chosen) == pytest.approx(unserved[reached].sum())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A published run of made-up levels with villages around it."""
    folder = tmp_path_factory.mktemp("unserved")
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_register(folder / "register.csv", STATIONS)
        (folder / "places.csv").write_text("latitude,longitude,population\n46.1,14.2,100\n")
        text = CONFIG.replace("registers:", "population: {places: places.csv}\nregisters:", 1)
        (folder / "tiny.yaml").write_text(text, encoding="utf-8")
        publish(folder / "tiny.yaml")
        people = np.zeros((HEIGHT, WIDTH), np.float32)
        rng = np.random.default_rng(8)
        people[rng.integers(0, HEIGHT, 200), rng.integers(0, WIDTH, 200)] = 25.0
        place = folder / "build/tiny/territory/population.tif"
        place.parent.mkdir(parents=True, exist_ok=True)
        transform = rasterio.Affine(PIXEL_M, 0, WEST_M, 0, -PIXEL_M, NORTH_M)
        with rasterio.open(
            place, "w", driver="GTiff", height=HEIGHT, width=WIDTH, count=1, dtype="float32", crs="EPSG:3794",
            transform=transform, nodata=np.nan,
        ) as sink:  # fmt: skip
            sink.write(people, 1)
            sink.set_band_description(1, "persons per pixel")
        yield folder
    finally:
        os.chdir(before)


def numbers(*options: str) -> tuple[float, float, int]:
    """People without, people reached, stations."""
    line = ["unserved", "--results", "results/tiny/latest", "--device", "fixed30", "--out", "answer"]
    done = CliRunner().invoke(app, [*line, "--cpe", "a8_bowtie", "--least-people", "4", *options])
    assert done.exit_code == 0, (done.output, done.exception)
    with Path("answer/answer.csv").open(encoding="utf-8", newline="") as stream:
        without, reached, stations = [row["value"] for row in csv.DictReader(stream)]
    return float(without), float(reached), int(stations.split(";")[0])


def test_numbers_change_in_the_right_direction(run: Path) -> None:
    """Half the share, and half the power: fewer without; fewer reached, or more stations for them."""
    whole, half, capped = numbers(), numbers("--share-pct", "10"), numbers("--cap-dbm", "20")
    lower = numbers("--cap-dbm", "17")
    assert half[0] == pytest.approx(0.5 * whole[0], abs=1.0)
    assert 0 < half[1] <= whole[1]
    assert half[2] <= whole[2]
    assert whole[0] == capped[0] == lower[0]
    assert lower[1] < capped[1] <= whole[1]
    # As far as people are worth a station, less power needs more of them for the same people.
    assert capped[2] / max(capped[1], 1.0) <= lower[2] / max(lower[1], 1.0)
    page = Path("answer/answer.html").read_text()
    assert "Illustrative" in page


def test_what_cannot_be_answered_is_refused(run: Path) -> None:
    line = ["unserved", "--results", "results/tiny/latest", "--device", "fixed30", "--out", "never"]
    for options, said in (
        (("--rate", "60"), "--rate"),
        (("--share-pct", "101"), "--share-pct"),
        (("--cap-dbm", "100"), "--cap-dbm"),
    ):
        assert said in str(CliRunner().invoke(app, [*line, *options]).exception)
    assert not Path("never").exists()
