"""A published run without computing: random maximum e.i.r.p. on a small grid, query rasters, manifest."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from affine import Affine

from pipeline.plan.plan import load_plan
from pipeline.plan.run_files import max_eirp_files, query_file
from pipeline.publish.manifest import make_manifest
from pipeline.publish.release import release
from tests.jobs import run_from

# About 14.0 to 14.4 E, 46.0 to 46.2 N: 120 x 90 pixels of 200 m.
WEST_M, NORTH_M, PIXEL_M, WIDTH, HEIGHT = 424_000.0, 118_000.0, 200.0, 120, 90
OUTSIDE, NOT_PERMITTED, NOT_EVALUATED = -32768, -9999, -9998
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
# Folders after :func:`publish`, and the folder of the run in each.
_KEPT: dict[tuple[object, ...], tuple[Path, Path]] = {}
_KEPT_FOLDER = TemporaryDirectory()
GAPS: Mapping[str, float] = {}
MORE: Mapping[str, np.ndarray] = {}
DEVICE = """
  - id: {id}
    type: {type}
    emission_class: {emission_class}
    height_m: {height_m}
    min_separation_m: {{value: 20.0, source: "test", verified: false}}
    cap_dbm: 36.0
    min_eirp_dbm: -40.0
    load: loaded
"""


def with_devices(config: Path, *devices: tuple[str, str, int, float]) -> None:
    """Replace the devices of a territory file by (id, type, emission class, height in m)."""
    head, rest = config.read_text().split("devices:\n", 1)
    tail = rest[rest.index("levels_dbm:") :]
    names = ("id", "type", "emission_class", "height_m")
    texts = [DEVICE.format(**dict(zip(names, device, strict=True))).strip("\n") for device in devices]
    config.write_text(head + "devices:\n" + "\n".join(texts) + "\n" + tail)


def random_levels(seed: int, gaps: float) -> np.ndarray:
    """Raw e.i.r.p. [y, x]: a round territory; ``gaps`` of it is not permitted, as much not evaluated."""
    rng = np.random.default_rng(seed)
    raw = rng.integers(-4000, 3601, (HEIGHT, WIDTH)).astype(np.int16)
    kind = rng.random(raw.shape)
    raw[kind < gaps], raw[kind > 1.0 - gaps] = NOT_PERMITTED, NOT_EVALUATED
    row, col = np.mgrid[:HEIGHT, :WIDTH]
    raw[np.hypot(row - HEIGHT / 2, col - WIDTH / 2) > 42.0] = OUTSIDE
    return raw


def write_levels(path: Path, raw: np.ndarray) -> None:
    """A layer as the combine stage publishes it, written by rasterio alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = Affine(PIXEL_M, 0, WEST_M, 0, -PIXEL_M, NORTH_M)
    profile = {
        "driver": "GTiff",
        "width": WIDTH,
        "height": HEIGHT,
        "count": 1,
        "dtype": raw.dtype.name,
        "crs": "EPSG:3794",
        "transform": place,
        "nodata": OUTSIDE if raw.dtype == np.int16 else None,
    }
    with rasterio.open(path, "w", **profile) as sink:
        sink.write(raw, 1)
        sink.set_band_description(1, path.stem[-4:])
        sink.update_tags(product="test", device="x", hash="abc")


def publish(
    config: Path,
    run_id: str = "0123456789abcdef",
    now: datetime = NOW,
    gaps: Mapping[str, float] = GAPS,
    more: Mapping[str, np.ndarray] = MORE,
) -> Path:
    """Publish random levels of all devices and channels of a territory file; the run's folder.

    ``gaps`` by device, a tenth where none is given; ``more`` layers by name. What was published before from a
    folder of the same files is copied: most tests ask for the same.
    """
    folder = config.parent
    if Path.cwd() != folder or (folder / "results").exists():
        return _publish(config, run_id, now, gaps, more)
    arguments = (run_id, str(now), *gaps.items(), *((name, more[name].tobytes()) for name in more))
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    key = (config.name, arguments, *((str(path.relative_to(folder)), path.read_bytes()) for path in files))
    if key in _KEPT:
        kept, run = _KEPT[key]
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)
        return run
    run = _publish(config, run_id, now, gaps, more)
    kept = Path(_KEPT_FOLDER.name) / str(len(_KEPT))
    shutil.copytree(folder, kept, symlinks=True)
    _KEPT[key] = kept, run
    return run


def _publish(
    config: Path, run_id: str, now: datetime, gaps: Mapping[str, float], more: Mapping[str, np.ndarray]
) -> Path:
    plan = load_plan(config)
    files = {}
    for name, values in more.items():
        write_levels(plan.build / name, values)
        files[name] = plan.build / name
    for number, device in enumerate(plan.config.devices):
        for channel, name in enumerate(max_eirp_files(plan, device.id), plan.wsd[0]):
            write_levels(plan.build / name, random_levels(1000 * number + channel, gaps.get(device.id, 0.1)))
            files[name] = plan.build / name
        run_from("query", config, plan.build, device=device.id)
        files[query_file(plan, device.id)] = plan.build / query_file(plan, device.id)
    return release(
        files, plan.results, run_id, lambda digests: make_manifest(plan, run_id, files, digests, now)
    )
