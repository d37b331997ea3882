"""A whole run, in the process of the tests, of a territory with protected stations of every kind."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import yaml

from pipeline.plan.plan import load_plan
from pipeline.plan.run_files import two_digits
from tests.jobs import run_from
from tests.tiny import CONFIG, STATIONS, write_register

CHANNELS = [22, 25]
RADIO = {
    "f_mhz": 482.0,
    "bandwidth_mhz": 4.5,
    "noise_figure_db": 5,
    "gain_dbi": 12,
    "feeder_db": 1,
    "antenna_height_m": 25,
    "acs_db": 40,
    "azimuth_deg": "",
    "pattern": "",
    "coastal": "no",
}
RECEIVERS = {
    "mobile": ("Sentinel-LM-41", 14.0513, 46.0421),
    "ppdr": ("Sentinel-PP-42", 14.2517, 46.0629),
    "fixed": ("Sentinel-FS-43", 14.0719, 46.1733),
}
TELESCOPE = {
    "id": "Sentinel-RA-44",
    "lon": 14.2319,
    "lat": 46.1877,
    "criterion": "continuum_611",
    "antenna_height_m": 20,
    "acs_db": "",
    "coastal": "no",
}
BOOKING = {
    "id": "Sentinel-PM-45",
    "kind": "wireless_microphone",
    "situation": "outdoor",
    "freq_mhz": 482.0,
    "bandwidth_mhz": 0.2,
    "antenna_height_agl_m": 1.5,
    "start": "2026-05-10T06:30",
    "finish": "2026-05-11T06:30",
    "lon": 14.1237,
    "lat": 46.1319,
}
RELAY = {
    "id": "Sentinel-RL-46",
    "lon": 14.1771,
    "lat": 46.0297,
    "channel": 25,
    "parent_lon": "",
    "parent_lat": "",
}
EXCLUSION = {
    "channels": "22",
    "reason": "Sentinel-quiet-zone",
    "wkt": "POLYGON((14.2013 46.1417,14.2211 46.1417,14.2211 46.1537,14.2013 46.1417))",
}
ADJUSTMENT = {
    "channels": "25",
    "adjustment_db": -3,
    "who": "Sentinel-Officer",
    "when": "2026-05-01",
    "why": "Sentinel-bunker under the hill",
    "wkt": "POLYGON((14.0917 46.0811,14.1097 46.0811,14.1097 46.0913,14.0917 46.0811))",
}


def write_rows(path: Path, row: Mapping[str, object]) -> Path:
    """A register of one row."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(row))
        writer.writeheader()
        writer.writerow(row)
    return path


def secret_territory(folder: Path, **publish: object) -> Path:
    """Territory file with a register of every kind in ``secret-registers``; ``publish`` its section."""
    registers = folder / "secret-registers"
    registers.mkdir(parents=True)
    write_register(folder / "register.csv", STATIONS)
    settings = yaml.safe_load(CONFIG)
    settings["registers"]["transmitters"] = [str(folder / "register.csv")]
    settings["channels"]["wsd"] = CHANNELS
    settings["publish"] = publish
    settings["incumbents"] = {
        "radio_astronomy": {"stations": str(write_rows(registers / "Sentinel-ra.csv", TELESCOPE))}
    }
    for name, (station, lon, lat) in RECEIVERS.items():
        path = registers / f"Sentinel-{name}.csv"
        write_rows(path, {"id": station, "lon": lon, "lat": lat, **RADIO})
        settings["incumbents"][name] = {"registers": [str(path)]}
    settings["pmse"] = {
        "registers": [str(write_rows(registers / "Sentinel-pmse.csv", BOOKING))],
        "at": "2026-05-10T06:30",
    }
    settings["areas"] = {
        "exclusions": [str(write_rows(registers / "Sentinel-exclusions.csv", EXCLUSION))],
        "adjustments": [str(write_rows(registers / "Sentinel-adjustments.csv", ADJUSTMENT))],
        "relay_sites": str(write_rows(registers / "Sentinel-relays.csv", RELAY)),
    }
    for name in ("pmse", "radio_astronomy", "mobile", "ppdr", "fixed"):
        settings["services"][name] = {"status": "evaluate"}
    settings["name"] = "secret"
    if not publish:
        del settings["publish"]
    path = folder / "secret.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def secrets(folder: Path) -> set[str]:
    """Texts that betray a station: names, reasons, coordinates and files, as the registers have them."""
    found = {"Sentinel", "secret-registers"}
    for path in sorted((folder / "secret-registers").glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                found |= {row[name] for name in row if name in {"lon", "lat", "x", "y", "id", "who", "why"}}
                found |= {
                    number
                    for pair in row.get("wkt", "").removeprefix("POLYGON").strip("()").split(",")
                    for number in pair.split()
                }
    return found - {""}


def run_secret(path: Path) -> Path:
    """All jobs of a territory of ``secret_territory``, in the working folder; the run's folder."""
    plan = load_plan(path)
    build = plan.build

    def job(name: str, **wildcards: object) -> None:
        run_from(name, path, build, key="" if name == "publish" else "made-up", **wildcards)

    job("territory")
    for tile in plan.tiles:
        job("terrain", tile=tile)
    for channel in plan.victims:
        job("coverage", channel=channel)
        job("protect", channel=channel)
    job("reception")
    for channel in plan.wsd:
        job("combine", channel=channel)
    job("availability")
    job("choices")
    for device in plan.config.devices:
        job("query", device=device.id)
    for name in ("web", "qgis", "stac", "publish"):
        job(name)
    assert two_digits(plan.wsd[0]) == "22"
    return plan.results / "latest"
