"""``channelmaps rr941``: the table it writes and the points it refuses."""

import csv
import math

import numpy as np
import pytest
from satellites import case_a, case_b, exact_view, write_yaml

from pipeline.coordination.rr941.point_table import rr941_command
from pipeline.errors import InputError


def run(tmp_path, content, points):
    networks = write_yaml(tmp_path / "networks.yaml", content)
    table = tmp_path / "points.csv"
    table.write_bytes(points if isinstance(points, bytes) else points.encode())
    out = tmp_path / "out.csv"
    rr941_command(networks, table, out)
    with out.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_worked_case_on_a_point(tmp_path, capsys):
    (row,) = run(tmp_path, case_b(), "lon,lat\n46.7,24.7\n")
    assert list(row) == [
        "lon",
        "lat",
        "theta_t_deg",
        "elevation_deg",
        "dtt_down_pct",
        "dtt_up_pct",
        "dtt_transponder_pct",
        "exceeds",
    ]
    assert (row["lon"], row["lat"], row["exceeds"]) == ("46.7", "24.7", "1")
    expected = (9.8241, 60.63, 17.57340, 22.44281, 18.79075)
    values = [float(row[name]) for name in list(row)[2:7]]
    np.testing.assert_allclose(values, expected, atol=5e-3)
    assert values[2:] == pytest.approx(expected[2:], abs=6e-6)
    assert capsys.readouterr() == ("", "")


def test_points_keep_their_order_and_masked_ones_are_nan(tmp_path):
    rows = run(tmp_path, case_a(), "note,lat,lon\nx,0,-138\ny,24.7,46.7\n")
    assert [row["lon"] for row in rows] == ["-138.0", "46.7"]
    assert rows[0]["exceeds"] == "nan"
    assert math.isnan(float(rows[0]["dtt_down_pct"]))
    assert float(rows[0]["elevation_deg"]) < 0.0
    assert rows[1]["exceeds"] == "0"


def test_angle_of_many_points_is_that_of_vectors(tmp_path):
    rng = np.random.default_rng(7)
    lon, lat = rng.uniform(0, 90, 50), rng.uniform(-60, 60, 50)
    text = "lon,lat\n" + "".join(f"{x!r},{y!r}\n" for x, y in zip(lon.tolist(), lat.tolist(), strict=True))
    for row, x, y in zip(run(tmp_path, case_a(), text), lon, lat, strict=True):
        angle, _, elevation = exact_view(x, y, 42.0, 50.5)
        assert float(row["theta_t_deg"]) == pytest.approx(angle, abs=0.003)
        assert float(row["elevation_deg"]) == pytest.approx(elevation, abs=1e-6)


def test_networks_without_common_frequencies_give_nan_and_a_remark(tmp_path, capsys):
    content = case_a()
    for entry in content["interferer"]["assignments"]:
        entry["frequency_mhz"] += 500.0
    (row,) = run(tmp_path, content, "lon,lat\n46.7,24.7\n")
    assert (row["dtt_down_pct"], row["dtt_up_pct"], row["exceeds"]) == ("nan", "nan", "nan")
    assert "NO_FREQ_OVERLAP" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("points", "row", "field"),
    [
        ("lon,lat\n46.7,24.7\n46.7,north\n", 3, "lat"),
        ("lon,lat\nnan,24.7\n", 2, "lon"),
        ("lon,lat\n46.7,inf\n", 2, "lat"),
        ("lon,lat\n180.5,0\n", 2, "lon"),
        ("lon,lat\n0,-90.5\n", 2, "lat"),
        ("lon,lat\n,0\n", 2, "lon"),
        ("lon\n1\n", 1, "lat"),
        ("lon,lat,lat\n1,2,3\n", 1, "lat"),
        ("lon,lat\n1,2,3\n", 2, "(row)"),
        ("lon,lat\n1e999,2\n", 2, "lon"),
        ("lon,lat\n1_0,2\n", 2, "lon"),
        ("lon,lat\n=1+1,2\n", 2, "lon"),
        ("lon,lat\n1;0,2\n", 2, "lon"),
        (b"lon,lat\n1,\xff\n", 2, None),
        (b"lon,lat\n1,\x002\n", 2, None),
        ("lon,lat\n", None, None),
        ("", 1, "lon"),
        ("lon,lat\n1," + "9" * 10_000_000 + "\n", 2, None),
    ],
    ids=range(18),
)
def test_bad_points_are_refused_and_nothing_is_written(tmp_path, points, row, field):
    with pytest.raises(InputError, match=r"points\.csv") as refused:
        run(tmp_path, case_a(), points)
    assert (refused.value.row, refused.value.field) == (row, field)
    assert len(str(refused.value)) < 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["networks.yaml", "points.csv"]


def test_failed_writing_leaves_what_was_there(tmp_path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        run(tmp_path, case_a(), "lon,lat\n46.7,24.7\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["networks.yaml", "out.csv", "points.csv"]
