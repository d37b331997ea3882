"""Hashes change exactly when what they stand for changes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pydantic import BaseModel

from pipeline import hashing as hashes


class Grid(BaseModel):
    crs: str = "EPSG:3035"
    resolution_m: float = 200.0


class Terrain(BaseModel):
    dem: list[Path] = []


class Config(BaseModel):
    grid: Grid = Grid()
    terrain: Terrain = Terrain()
    title: str = "a"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package: stage -> kernels -> units; stage -> (lazily) raster; nothing imports `other`."""
    files = {
        "requirements.lock": "numpy==1 \\\n    --hash=a\njinja2==3 \\\n    --hash=b\n",
        "pipeline/__init__.py": "",
        "pipeline/units.py": "X = 1\n",
        "pipeline/raster.py": "import numpy\n",
        "pipeline/other.py": "Y = 1\n",
        "pipeline/cover/__init__.py": "",
        "pipeline/cover/stage.py": (
            "from pipeline.cover import kernels\ndef main():\n    from pipeline import raster\n"
        ),
        "pipeline/cover/kernels.py": 'from ..units import X\nPLAN = TABLES / "plans.csv"\n',
        "configs/tables/plans.csv": "21",
        "configs/tables/ratios.csv": "1",
        "pipeline/cover/curves.npz": "numbers",
        "pipeline/elsewhere/__init__.py": "",
        "pipeline/elsewhere/table.csv": "1",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def source_hash(root: Path) -> str:
    for known in (hashes.source_hash, hashes._imports, hashes._source_of, hashes._tables_of):
        known.cache_clear()
    return hashes.source_hash("pipeline.cover.stage", root)


def test_imported_sources_follow_absolute_relative_and_lazy_imports(package: Path) -> None:
    found = {
        p.relative_to(package).as_posix() for p in hashes.imported_sources("pipeline.cover.stage", package)
    }
    assert found == {
        "pipeline/__init__.py",
        "pipeline/units.py",
        "pipeline/raster.py",
        "pipeline/cover/__init__.py",
        "pipeline/cover/stage.py",
        "pipeline/cover/kernels.py",
    }


@pytest.mark.parametrize(
    "edited",
    [
        "pipeline/units.py",
        "pipeline/raster.py",
        "pipeline/cover/kernels.py",
        "pipeline/cover/curves.npz",
        "configs/tables/plans.csv",
        "pipeline/__init__.py",
    ],
)
def test_source_hash_changes_with_what_the_stage_uses(package: Path, edited: str) -> None:
    before = source_hash(package)
    with (package / edited).open("a") as stream:
        stream.write("\n")
    assert source_hash(package) != before


@pytest.mark.parametrize(
    "edited", ["pipeline/other.py", "pipeline/elsewhere/table.csv", "configs/tables/ratios.csv", "README.md"]
)
def test_source_hash_stays_when_something_else_changes(package: Path, edited: str) -> None:
    before = source_hash(package)
    (package / edited).write_text("Z = 2\n")
    assert source_hash(package) == before


def test_source_hash_takes_from_the_lock_the_versions_of_what_computes(package: Path) -> None:
    before, lock = source_hash(package), package / "requirements.lock"
    text = lock.read_text()
    lock.write_text(text.replace("jinja2==3", "jinja2==4").replace("hash=a", "hash=c"))
    assert source_hash(package) == before
    lock.write_text(text.replace("numpy==1", "numpy==2"))
    assert source_hash(package) != before


def test_leaves_are_neither_hashed_nor_followed(package: Path) -> None:
    (package / "pipeline/config").mkdir()
    (package / "pipeline/config/base.py").write_text("from pipeline.other import Y\n")
    (package / "pipeline/units.py").write_text("from pipeline.config import base\n")
    before = source_hash(package)
    (package / "pipeline/config/base.py").write_text('"""Words."""\nfrom pipeline.other import Y\n')
    (package / "pipeline/other.py").write_text("Y = 2\n")
    assert source_hash(package) == before
    found = hashes.imported_sources("pipeline.cover.stage", package, with_leaves=True)
    assert package / "pipeline/config/base.py" in found


def test_source_hash_sees_a_module_that_appears(package: Path) -> None:
    before = source_hash(package)
    (package / "pipeline/cover/units.py").write_text("")
    assert source_hash(package) == before
    (package / "pipeline/cover/stage.py").write_text("import pipeline.cover.units\n")
    after = source_hash(package)
    (package / "pipeline/cover/units.py").write_text("X = 3\n")
    assert source_hash(package) != after != before


def test_imported_sources_cover_what_python_really_loads(repository: Path) -> None:
    """Independent view: import modules in a fresh interpreter and see which files it loaded."""
    program = (
        "import sys, pipeline.hashing, pipeline.terrain.job, pipeline.grid.raster\n"
        "for n, m in sorted(sys.modules.items()):\n"
        "    if n.split('.')[0] == 'pipeline': print(m.__file__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, text=True, capture_output=True, check=True
    )
    loaded = {Path(line).resolve() for line in run.stdout.splitlines()}
    found: set[Path] = set()
    for module in ("pipeline.hashing", "pipeline.terrain.job", "pipeline.grid.raster"):
        found |= set(hashes.imported_sources(module, repository))
    leaves = {path for path in loaded if hashes._is_leaf(".".join(path.relative_to(repository).parts)[:-3])}
    packages = {path.parent / "__init__.py" for path in leaves}  # empty but for words
    assert loaded - leaves - packages <= found
    assert not leaves & found


def test_settings_hash_depends_on_the_named_sections_only() -> None:
    before = hashes.settings_hash(Config(), ["grid"])
    assert hashes.settings_hash(Config(title="b"), ["grid"]) == before
    assert hashes.settings_hash(Config(grid=Grid(resolution_m=100.0)), ["grid"]) != before
    assert hashes.settings_hash(Config(), ["grid.crs"]) == hashes.settings_hash(
        Config(grid=Grid(resolution_m=100.0)), ["grid.crs"]
    )


def test_settings_hash_depends_on_resolved_values() -> None:
    assert hashes.settings_hash(Config(), ["grid"], margin_km=40.0) != hashes.settings_hash(
        Config(), ["grid"], margin_km=41.0
    )


def test_settings_hash_follows_content_and_not_name_or_time_of_an_input_file(tmp_path: Path) -> None:
    def of(path: Path) -> str:
        return hashes.settings_hash(Config(terrain=Terrain(dem=[path])), ["terrain"])

    first, copy, other = (tmp_path / name for name in ("a.tif", "b.tif", "c.tif"))
    first.write_bytes(b"heights")
    copy.write_bytes(b"heights")
    other.write_bytes(b"other heights")
    before = of(first)
    assert of(copy) == before
    assert of(other) != before
    first.touch()
    assert of(first) == before
    first.write_bytes(b"Heights")
    assert of(first) != before


def test_file_that_stays_is_read_once_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []
    read = hashes._sha256
    monkeypatch.setattr(hashes, "_sha256", lambda path: reads.append(path) or read(path))
    path = tmp_path / "dem.tif"
    path.write_bytes(b"heights")
    os.utime(path, (1e9, 1e9))
    assert hashes.file_sha256(path) == hashes.file_sha256(path) == hashlib.sha256(b"heights").hexdigest()
    assert len(reads) == 1
    path.write_bytes(b"more heights")
    os.utime(path, (1e9, 1e9))  # a copy that keeps the time of its original
    assert hashes.file_sha256(path) == hashlib.sha256(b"more heights").hexdigest()


def test_file_that_changes_within_one_tick_of_the_clock_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"1")
    now = path.stat().st_mtime_ns
    assert hashes.file_sha256(path) == hashlib.sha256(b"1").hexdigest()
    path.write_bytes(b"2")
    os.utime(path, ns=(now, now))
    assert hashes.file_sha256(path) == hashlib.sha256(b"2").hexdigest()


def test_key_of_a_list_stands_for_all_its_sections() -> None:
    class Device(BaseModel):
        height_m: float
        name: str = ""

    class Devices(BaseModel):
        devices: list[Device]

    def of(*devices: Device) -> str:
        return hashes.settings_hash(Devices(devices=list(devices)), ["devices.height_m"])

    low, high = Device(height_m=1.5), Device(height_m=30.0)
    assert of(low, high) == of(low, Device(height_m=30.0, name="x"))
    assert len({of(low, high), of(high, low), of(low), of(low, low)}) == 4


def test_input_files_name_their_key(tmp_path: Path) -> None:
    config = Config(terrain=Terrain(dem=[tmp_path / "a", tmp_path / "b"]))
    assert list(hashes.input_files(config)) == [
        ("terrain.dem.0", tmp_path / "a"),
        ("terrain.dem.1", tmp_path / "b"),
    ]


def register(**changed: object) -> xr.Dataset:
    columns: dict[str, object] = {
        "id": ["a", "b", "c"],
        "channel": np.array([21, 22, 40]),
        "erp_kw": np.array([1.0, 2.0, np.nan]),
    } | changed
    data = {name: ("transmitter", np.asarray(values)) for name, values in columns.items()}
    data["attenuation_db"] = (("transmitter", "azimuth"), np.zeros((3, 360), np.float32))  # type: ignore[assignment]
    return xr.Dataset(data)


def test_rows_hash_sees_only_the_chosen_rows() -> None:
    near = np.array([True, True, False])
    before = hashes.rows_hash(register(), near)
    assert hashes.rows_hash(register(erp_kw=np.array([1.0, 2.0, 9.0])), near) == before
    assert hashes.rows_hash(register(erp_kw=np.array([1.0, 2.5, np.nan])), near) != before
    assert hashes.rows_hash(register(id=["a", "x", "c"]), near) != before


def test_rows_hash_sees_every_azimuth_of_a_pattern() -> None:
    changed = register()
    changed["attenuation_db"][1, 359] = 0.1
    every = np.array([True, True, True])
    assert hashes.rows_hash(changed, every) != hashes.rows_hash(register(), every)


def test_rows_hash_tells_an_empty_choice_from_another_channels_rows() -> None:
    none = np.zeros(3, bool)
    assert hashes.rows_hash(register(), none) != hashes.rows_hash(register(), ~none)


def test_sources_of_a_virtual_raster_are_inputs(tmp_path: Path) -> None:
    """A tile that changes changes the hash of the settings, and the manifest lists it."""
    dem, source = tmp_path / "dem.vrt", tmp_path / "tiles" / "tile.tif"
    source.parent.mkdir()
    source.write_bytes(b"heights")
    text = '<VRTDataset><SourceFilename relativeToVRT="1">tiles/tile.tif</SourceFilename></VRTDataset>'
    dem.write_text(text, encoding="utf-8")
    before = hashes.plain(dem)
    source.write_bytes(b"heights 1000 m up")
    assert hashes.plain(dem) != before

    class Terrain(BaseModel):
        dem: Path

    files = dict(hashes.input_files(Terrain(dem=dem), "terrain."))
    assert files == {"terrain.dem": dem, "terrain.dem.tiles/tile.tif": source}


def test_what_never_ends_is_no_file(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    for path in (pipe, link, tmp_path):
        with pytest.raises(OSError, match="is no regular file"):
            hashes.file_sha256(path)


def test_imports_are_found_in_every_kind_of_statement(tmp_path: Path) -> None:
    text = """
import pipeline.a0
if True:
    import pipeline.a1
elif False:
    import pipeline.a2
else:
    import pipeline.a3
try:
    from pipeline import a4
except ValueError:
    import pipeline.a5
else:
    import pipeline.a6
finally:
    import pipeline.a7
while False:
    import pipeline.a8
with open("x"):
    import pipeline.a9
match 1:
    case 1:
        import pipeline.a10
class C:
    import pipeline.a11
    async def f(self, g=lambda x: x):
        async for _ in ():
            import pipeline.a12
        def inner():
            return [x if x else 0 for x in ()]
            import pipeline.a13
"""
    path = tmp_path / "every.py"
    path.write_text(text)
    found = {name for name in hashes._imports(path, "every") if name[-1].isdigit()}
    assert found == {f"pipeline.a{number}" for number in range(14)}
