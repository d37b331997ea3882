"""A territory small enough for tests of commands and of the job graph: a box, five stations, no terrain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """
territory:
  home: [SI]
  bbox_deg: [14.0, 46.0, 14.3, 46.2]
grid: {crs: "EPSG:3794", resolution_m: 500.0}
registers: {transmitters: [register.csv]}
channels:
  plan: [{first_channel: 21, last_channel: 48, first_centre_mhz: 474.0, width_mhz: 8.0}]
  wsd: ["21-30"]
coverage:
  q_min: {value: 0.70, source: "test", verified: false}
  receiver_bands:
    - {from_mhz: 470.0, to_mhz: 862.0, gain_dbd: 10.0, feeder_db: 3.0, flat_deg: 20.0, end_deg: 60.0, discrimination_db: 16.0}
devices:
  - id: fixed30
    emission_class: 1
    height_m: 30.0
    min_separation_m: {value: 20.0, source: "test", verified: false}
    cap_dbm: 36.0
    min_eirp_dbm: -40.0
    load: loaded
levels_dbm: [0.0, 20.0, 36.0]
services:
  dtt: {status: evaluate}
  foreign_dtt: {status: out_of_scope, reason: test}
  pmse: {status: out_of_scope, reason: test}
  radio_astronomy: {status: out_of_scope, reason: test}
  aeronautical: {applicable: false, reason: test}
  mobile: {status: out_of_scope, reason: test}
  ppdr: {status: out_of_scope, reason: test}
  fixed: {status: out_of_scope, reason: test}
"""  # noqa: E501

STATIONS = [
    ("A", 14.10, 46.10, 21, 1.0),
    ("B", 14.11, 46.11, 22, 1.0),
    ("C", 14.12, 46.12, 23, 1.0),
    ("D", 14.13, 46.13, 25, 1.0),
    ("E", 15.14, 46.14, 47, 1.0),
]


def write_register(path: Path, stations: list[tuple[str, float, float, int, float]]) -> None:
    """Stations (id, lon, lat, channel, e.r.p. in kW) as a register file."""
    lines = [
        "id,site,lon,lat,channel,centre_mhz,bandwidth_mhz,erp_kw,antenna_height_agl_m,site_height_asl_m,"
        "polarisation,pattern_azimuth_attenuation_db,system,multiplex_mode,country"
    ]
    for name, lon, lat, channel, erp_kw in stations:
        centre_mhz = 474 + 8 * (channel - 21)
        lines.append(
            f"{name},{name},{lon},{lat},{channel},{centre_mhz},8,{erp_kw},100,,H,,DVB-T,64QAM 2/3,SI"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Territory file ``tiny.yaml`` in a folder of its own, which is made the working folder."""
    monkeypatch.chdir(tmp_path)
    write_register(tmp_path / "register.csv", STATIONS)
    (tmp_path / "tiny.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "tiny.yaml"


@pytest.fixture
def change_station(tiny: Path) -> Callable[..., None]:
    """Function that rewrites the register with some values of one station changed."""

    def change(index: int, **changed: float) -> None:
        stations = list(STATIONS)
        keys = ("lon", "lat", "channel", "erp_kw")
        values = dict(zip(keys, stations[index][1:], strict=True)) | changed
        lon, lat, channel, erp_kw = (values[key] for key in keys)
        stations[index] = (stations[index][0], lon, lat, int(channel), erp_kw)
        write_register(tiny.parent / "register.csv", stations)

    return change
