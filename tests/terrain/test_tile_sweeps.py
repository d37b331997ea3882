"""The stage: masts of a tile, files with equal bytes, the same result for any number of threads."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from profile_reference import mean_height
from surfaces import LAT_DEG, LON_DEG, NAN, mast, raster, relief

from pipeline.config.territory import Terrain
from pipeline.errors import InputError
from pipeline.grid.grid import Grid
from pipeline.grid.raster import make_array, write
from pipeline.plan.territory_file import load_config
from pipeline.registers import terrain_tiles
from pipeline.registers.transmitters import read_register
from pipeline.terrain import job as terrain_job
from pipeline.terrain import job_losses
from pipeline.terrain.loss_tables import MastLosses
from pipeline.terrain.records import (
    Mast,
    MastView,
    SweepSettings,
    TerrainSource,
    facts_of,
    read_sweeps,
    write_sweeps,
)
from pipeline.terrain.tile_sweeps import (
    box_around,
    box_of_masts,
    grid_lattice_deg,
    masts_of_tile,
    outline_of,
    run,
    settings_of,
    summary,
)
from tests.dask_cluster import as_on_a_worker
from tests.jobs import run_from

GRID = Grid("EPSG:3794", 200.0, 440_000.0, 120_000.0, 250, 200)
MASTS = [
    Mast(f"{LON_DEG + dx:.6f}_46.000000_30.0_nan", LON_DEG + dx, LAT_DEG, 30.0, NAN, NAN)
    for dx in (0.0, 0.1, -0.1)
]
SETTINGS = SweepSettings(azimuth_step_deg=10.0, tca="on", tca_step_km=0.5, tca_arc_km=2.0)


@pytest.fixture(scope="module")
def sweeps():
    return sweep_all(threads=1)


def sweep_all(threads):
    terrain = raster(relief)
    land = raster(lambda lon, lat, az, d: lon < LON_DEG + 0.2, dtype=np.uint8)
    views = {mast.key: MastView(0.0, 360.0, 0.0, 20.0) for mast in MASTS}
    return run(MASTS, terrain, terrain, land, views, SETTINGS, threads=threads)


def test_file_gives_back_every_sweep(tmp_path, sweeps):
    write_sweeps(tmp_path / "n46e014.npz", [sweeps])
    found = read_sweeps(tmp_path / "n46e014.npz")
    assert list(found) == sorted(sweeps)
    for key, sweep in sweeps.items():
        for name, value in sweep._asdict().items():
            np.testing.assert_array_equal(getattr(found[key], name), value)
            assert np.asarray(getattr(found[key], name)).dtype == np.asarray(value).dtype
    assert len(list(tmp_path.iterdir())) == 1


def test_bytes_do_not_depend_on_threads_order_or_clock(tmp_path, sweeps):
    write_sweeps(tmp_path / "a.npz", [sweeps])
    again = sweep_all(threads=3)
    write_sweeps(tmp_path / "b.npz", [dict(reversed(again.items()))])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_file_reads_single_masts_and_refuses_unknown_ones(tmp_path, sweeps):
    write_sweeps(tmp_path / "a.npz", [sweeps])
    assert list(read_sweeps(tmp_path / "a.npz", [MASTS[1].key])) == [MASTS[1].key]
    with pytest.raises(InputError, match="no sweep of this mast"):
        read_sweeps(tmp_path / "a.npz", ["nowhere"])
    with pytest.raises(InputError, match="not found"):
        read_sweeps(tmp_path / "b.npz")


def test_failed_write_leaves_the_old_file(tmp_path, sweeps):
    path = tmp_path / "a.npz"
    write_sweeps(path, [sweeps])
    before = path.read_bytes()
    broken = sweeps[MASTS[0].key]._replace(heff_m=np.array([object()]))
    with pytest.raises(ValueError, match="allow_pickle"):
        write_sweeps(path, [{"m": broken}])
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_far_mast_takes_clearance_angles_from_the_terrain_of_the_grid(sweeps):
    far = Mast("far", LON_DEG + 0.9, LAT_DEG, 30.0, 500.0, NAN)
    result = run([far], None, raster(relief), None, {"far": MastView(240.0, 60.0, 40.0, 100.0)}, SETTINGS)[
        "far"
    ]
    assert result.terrain_source == TerrainSource.AGL
    assert (result.tca_counts > -32768).any()


def test_masts_of_a_tile_are_listed_once():
    register = xr.Dataset(
        {
            "tile": ("transmitter", np.array(["n46e014", "n46e014", "n45e014", "n46e014"])),
            "mast": ("transmitter", np.array(["b", "a", "c", "b"])),
            "lon_deg": ("transmitter", [14.2, 14.1, 14.0, 14.2]),
            "lat_deg": ("transmitter", [46.2, 46.1, 45.0, 46.2]),
            "antenna_height_agl_m": ("transmitter", [20.0, 10.0, 5.0, 20.0]),
            "site_height_asl_m": ("transmitter", [NAN, 900.0, NAN, NAN]),
            "haat_m": ("transmitter", [100.0, NAN, NAN, 100.0]),
        }
    )
    masts = masts_of_tile(register, "n46e014")
    assert [mast.key for mast in masts] == ["a", "b"]
    assert masts[0][:5] == ("a", 14.1, 46.1, 10.0, 900.0)
    assert (masts[1].lon_deg, masts[1].haat_m) == (14.2, 100.0)


def test_outline_is_a_closed_ring_through_the_corners():
    lon, lat = grid_lattice_deg(GRID)
    ring = list(zip(outline_of(lon), outline_of(lat), strict=True))
    assert ring[0] == ring[-1]
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert (lon[corner], lat[corner]) in ring
    assert lat[0].min() > lat[-1].max()
    steps = np.hypot(np.diff(outline_of(lon)), np.diff(outline_of(lat)))
    assert steps.max() < 0.01
    assert steps.min() > 0.0


def test_box_holds_the_margin_in_kilometres():
    west, south, east, north = box_around(np.array([14.0, 15.0]), np.array([46.0, 47.0]), 16.0)
    assert (46.0 - south) * 111.0 >= 16.0
    assert (14.0 - west) * 111.0 * np.cos(np.radians(47.2)) >= 16.0
    assert (east - 15.0, north - 47.0) == pytest.approx((14.0 - west, 46.0 - south))
    assert box_of_masts(MASTS)[1] < LAT_DEG - 15.0 / 111.2


def test_settings_follow_the_configuration():
    settings = settings_of(Terrain(tca="off", tca_max_step_m=100.0, azimuth_step_deg=1.0))
    assert settings.tca == "off"
    assert settings.tca_max_dem_step_m == 100.0
    assert settings.azimuth_step_deg == 1.0


def test_summary_counts_masts_by_source_of_their_heights(sweeps):
    numbers = summary(map(facts_of, sweeps.values()))
    assert sum(numbers[source.name.lower()] for source in TerrainSource) == 3
    assert numbers["with_clearance_angles"] == 3
    assert numbers["with_sea"] == 2  # the western mast does not see the coast


CONFIG = """
territory: {home: [SI], bbox_deg: [14.0, 46.0, 14.3, 46.2]}
grid: {crs: "EPSG:3794", resolution_m: 500.0}
terrain: {dem: [DEM], tca_max_step_m: 400.0}
registers: {transmitters: [register.csv]}
channels:
  plan: [{first_channel: 21, last_channel: 48, first_centre_mhz: 474.0, width_mhz: 8.0}]
  wsd: ["21-30"]
coverage:
  q_min: {value: 0.70, source: "test", verified: false}
  receiver_bands:
    - {from_mhz: 470.0, to_mhz: 862.0, gain_dbd: 10.0, feeder_db: 3.0, flat_deg: 20.0, end_deg: 60.0,
       discrimination_db: 16.0}
devices:
  - id: fixed30
    emission_class: 1
    height_m: 30.0
    min_separation_m: {value: 20.0, source: "test", verified: false}
    cap_dbm: 36.0
    min_eirp_dbm: -40.0
    load: loaded
services:
  dtt: {status: evaluate}
  foreign_dtt: {status: out_of_scope, reason: test}
  pmse: {status: out_of_scope, reason: test}
  radio_astronomy: {status: out_of_scope, reason: test}
  aeronautical: {applicable: false, reason: test}
  mobile: {status: out_of_scope, reason: test}
  ppdr: {status: out_of_scope, reason: test}
  fixed: {status: out_of_scope, reason: test}
"""
REGISTER = """\
id,site,lon,lat,channel,centre_mhz,bandwidth_mhz,erp_kw,antenna_height_agl_m,site_height_asl_m,polarisation,\
pattern_azimuth_attenuation_db,system,multiplex_mode,country
A,Here,14.1,46.1,21,474,8,1,30,,H,,DVB-T,,SI
B,There,15.1,46.1,21,474,8,1,30,,H,,DVB-T,,SI
"""


def prepare(folder, half_deg, reached=np.s_[:, :]):
    """A territory of 30 km with its masks in ``build`` and terrain up to ``half_deg`` around its middle.

    ``reached``: pixels of land that a device reaches.
    """
    (folder / "register.csv").write_text(REGISTER)
    (folder / "config.yaml").write_text(CONFIG.replace("DEM", "dem.tif"))
    terrain = raster(relief, half_deg, lon_deg=14.1, lat_deg=46.1)
    land = raster(lambda lon, lat, az, d: lon < 14.25, 1.0, lon_deg=14.1, lat_deg=46.1, dtype=np.uint8)
    save(folder / "dem.tif", terrain, nodata=-9999.0)
    save(folder / "build" / "territory" / "land_lonlat.tif", land, nodata=255)
    grid = Grid("EPSG:3794", 500.0, 420_000.0, 120_000.0, 60, 60)
    surface = make_array(np.ones((60, 60), np.uint8), grid, units="", long_name="surface", nodata=255)
    write(folder / "build" / "territory" / "surface.tif", surface, tags={}, publish=False)
    reach = surface.copy(data=np.zeros((60, 60), np.uint8))
    reach.values[reached] = 1
    write(folder / "build" / "territory" / "reach.tif", reach, tags={}, publish=False)


def save(path, lonlat, nodata):
    place = Affine(lonlat.step_lon_deg, 0.0, lonlat.west_deg, 0.0, -lonlat.step_lat_deg, lonlat.north_deg)
    attrs = {"crs": "EPSG:4326", "transform": place, "nodata": nodata, "units": "", "long_name": "test"}
    write(path, xr.DataArray(lonlat.values, dims=("y", "x"), attrs=attrs), tags={}, publish=False)


def test_main_writes_the_sweeps_of_one_tile(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, half_deg=0.6)
    run_from("terrain", "config.yaml", "build", tile="n46e014", threads=2)
    (sweep,) = read_sweeps(tmp_path / "build" / "terrain" / "n46e014.npz").values()
    terrain = raster(relief, 0.6, lon_deg=14.1, lat_deg=46.1)
    mean_m = mean_height(terrain, mast(lon_deg=14.1, lat_deg=46.1), 90.0, 3.0, 15.0)
    assert sweep.heff_m[180] == pytest.approx(sweep.ground_asl_m + 30.0 - mean_m, abs=0.3)
    assert sweep.terrain_source == TerrainSource.DEM
    assert sweep.tca_counts.shape[1] > 0
    assert sweep.sea_pieces[180].max() > 20
    assert sweep.sea_pieces[540].max() == 0
    assert "'dem': 1" in capfd.readouterr().err


def test_main_refuses_terrain_that_does_not_cover_the_grid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, half_deg=0.15)
    with pytest.raises(InputError, match="does not cover"):
        run_from("terrain", "config.yaml", "build", tile="n46e014")
    assert not (tmp_path / "build" / "terrain").exists()


def test_heights_are_asked_for_where_a_device_reaches_alone(tmp_path, monkeypatch):
    """Terrain of 30 km around the middle of the grid holds the inner 15 km of it, not the rest."""
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, half_deg=0.15, reached=np.s_[18:42, 18:42])
    run_from("terrain", "config.yaml", "build", tile="n46e014")
    assert read_sweeps(tmp_path / "build" / "terrain" / "n46e014.npz")


def work_of(monkeypatch, job):
    """Masts that the job computes from now on, by key; losses are a cheap function of the mast."""
    done = []
    if job is terrain_job:
        sweep = terrain_job.sweep_towards

        def counted(masts, *others, **options):
            done.extend(mast.key for mast in masts)
            return sweep(masts, *others, **options)

        monkeypatch.setattr(terrain_job, "sweep_towards", counted)
    else:

        def losses(mast, ground, lattice, waves, receiver_m, threads):
            done.append(mast.key)
            codes = np.full((waves.f_ghz.size, 2, lattice.radials, lattice.ranges.nodes), mast.lon_deg * 100)
            return MastLosses(codes.astype(np.uint16), codes[:, 0].astype(np.uint8))

        monkeypatch.setattr(job_losses, "run", losses)
    return done


@pytest.mark.parametrize(("job", "folder"), [(terrain_job, "terrain"), (job_losses, "losses")])
def test_tile_of_several_squares_holds_what_its_squares_do_and_keeps_those_that_stay(
    tmp_path, monkeypatch, job, folder
):
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, half_deg=1.2)
    done = work_of(monkeypatch, job)

    def arrays(name, **options):
        file = Path("build") / folder / f"{name}.npz"
        job.main(load_config("config.yaml"), Path("build"), threads=1, tile=name, **options)
        with np.load(file) as stored:
            return file.read_bytes(), {key: stored[key] for key in stored.files}

    squares = arrays("n46e014")[1] | arrays("n46e015")[1]
    keys = sorted(done)
    assert len(keys) == 2
    monkeypatch.setattr(terrain_tiles, "MOST_TILES", 1)
    assert set(read_register(load_config("config.yaml"))[0]["tile"].values.tolist()) == {"n46e014"}
    whole, found = arrays("n46e014", basis="a")
    assert list(found) == list(squares)
    for key, values in squares.items():
        np.testing.assert_array_equal(found[key], values)
    done.clear()
    assert arrays("n46e014", basis="a")[0] == whole
    assert done == []
    Path("register.csv").write_text(f"{REGISTER}C,Third,15.2,46.1,22,482,8,1,40,,V,,DVB-T,,SI\n")
    grown = arrays("n46e014", basis="a")[0]
    assert len(done) == 2  # the square of the new mast has another one
    assert keys[0] not in done
    arrays("n46e014", basis="another")
    assert len(done) == 5
    shutil.rmtree("build/.kept")
    as_on_a_worker(monkeypatch)
    assert arrays("n46e014", basis="a")[0] == grown
