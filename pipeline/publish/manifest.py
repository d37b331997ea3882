"""The manifest of a run: what went in and out, which numbers are not verified, what was left out."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.config.base import unverified
from pipeline.config.bonds import channel_named, plain_channel
from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.coordination.radar.cr372_register import doubts_of
from pipeline.dtt.calibration import calibration_notice
from pipeline.grid.layer_files import layer_file
from pipeline.hashing import LOCK_FILE, file_sha256, input_files
from pipeline.plan.band_screening import PROHIBITED, SCREENING
from pipeline.plan.dependencies import code_of
from pipeline.plan.jobs import JOBS
from pipeline.plan.plan import Plan
from pipeline.plan.plausibility import register_facts
from pipeline.plan.run_files import loss_files, two_digits
from pipeline.propagation.models import model_named
from pipeline.publish.protection_facts import overload_state, protection_entry
from pipeline.publish.query_facts import query_facts
from pipeline.publish.release import utc_period, validity
from pipeline.publish.service_facts import service_facts
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.limiting_channels import offsets_narrowed, offsets_notice
from pipeline.reference.ratios import building_loss_db
from pipeline.registers.areas import read_adjustments, read_exclusions, read_masks
from pipeline.registers.guard_intervals import guard_summary
from pipeline.registers.named_registers import register_sizes
from pipeline.registers.stations import station_registers
from pipeline.registers.transmitters import summary
from pipeline.rows.text_records import own_rows
from pipeline.services.pmse.pmse_register import active_between
from pipeline.services.pmse.pmse_register import summary as summary_of_bookings
from pipeline.services.product import product_statement
from pipeline.shipped import TABLES, repository_path, shipped
from pipeline.terrain.height_files import knows_terrain, terrain_notice
from pipeline.terrain.loss_tables import profile_steps_km
from pipeline.terrain.records import read_facts
from pipeline.terrain.tile_sweeps import summary as summary_of_sweeps
from pipeline.territory.rasters import ACCOUNTS_FILE, REPAIRS_FILE

_FORMAT = "channelmaps-manifest/1"
_PACKAGES = ("channelmaps", "numpy", "numba", "scipy", "xarray", "rasterio", "pyproj", "shapely", "snakemake")


def make_manifest(
    plan: Plan, run_id: str, files: Mapping[str, Path], digests: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """All facts of a run as plain data; ``files``, ``digests`` by published name; ``now`` in UTC."""
    return {**run_facts(plan, run_id, files, now), "outputs": output_entries(files, digests)}


def run_facts(plan: Plan, run_id: str, files: Mapping[str, Path], now: datetime) -> dict[str, Any]:
    """The manifest but for its list of outputs."""
    config = plan.config
    valid = validity(plan, now)
    return {
        "format": _FORMAT,
        "territory": config.name,
        "title": config.title,
        "notice": config.notice,
        "product": product_statement(config),
        "run_id": run_id,
        "computed_at": now.isoformat(timespec="seconds"),
        "valid": valid,
        "valid_utc": utc_period(valid, config.query.time_zone),
        "software": software(config),
        "config": config_entry(plan),
        "inputs": input_entries(config),
        "register": summary(plan.register)
        | {"systems": sorted({config.coverage.default_mode.system, *plan.register["system"].values.tolist()})}
        | guard_summary(plan.register, config.coverage),
        "register_rows": register_sizes(config, plan.register, plan.bookings),
        "plausibility": plausibility_entries(plan),
        "bookings": bookings_entry(plan),
        "population": population_entry(plan),
        "terrain": terrain_entry(plan),
        "sea_paths": config.protection.sea_paths,
        "offsets_narrowed": offsets_narrowed(config),
        "protection": protection_entry(plan),
        "channels": {"device": plan.wsd, "dtt": plan.victims},
        **service_facts(config),
        "not_evaluated_area": open_areas(files),
        "areas": area_entries(config),
        "repaired_polygons": repaired_polygons(plan),
        "unverified": [*unverified_guards(plan), *open_entries(config, files)],
        "notes": notes(config),
        "servers": servers(plan),
        "query": query_facts(config, plan.slices),
    }


def open_entries(config: Config, files: Mapping[str, Path]) -> list[dict[str, object]]:
    """Numbers of settings, tables and decisions whose source was not read."""
    # Bands are looked up in every territory, whatever its settings name.
    tables = unverified_rows([*(path for _, path in input_files(config)), PROHIBITED, SCREENING])
    return [*unverified(config), *tables, *unverified_in_decisions(files)]


def config_entry(plan: Plan) -> dict[str, object]:
    """The territory file and all settings, defaults too."""
    return {
        "path": shown(plan.config_path),
        "sha256": file_sha256(plan.config_path),
        "settings": json.loads(plan.config.model_dump_json(), object_hook=_shown_paths),
    }


def input_entries(config: Config) -> list[dict[str, object]]:
    """Every input file with its sum, by key of the settings."""
    return [
        {"key": key, "path": shown(path), "sha256": file_sha256(path), "bytes": path.stat().st_size}
        for key, path in input_files(config)
        if path.is_file()
    ]


def output_entries(files: Mapping[str, Path], digests: Mapping[str, str]) -> list[dict[str, object]]:
    """Every published file with its sum, by name."""
    return [
        {"path": name, "sha256": digests[name], "bytes": files[name].stat().st_size} for name in sorted(files)
    ]


def plausibility_entries(plan: Plan) -> list[dict[str, object]]:
    """The table of the registers' plausibility; ids of transmitters alone."""
    return [{**facts._asdict(), "register": shown(Path(facts.register))} for facts in register_facts(plan)]


def bookings_entry(plan: Plan) -> dict[str, object] | None:
    """Counts of the PMSE register; None where there is none. Rows left out are not protected."""
    if plan.bookings is None:
        return None
    at = plan.config.pmse.at
    active = active_between(plan.bookings, at, plan.config.validity_hours)
    return {"at": at, **summary_of_bookings(plan.bookings, active)}


def software(config: Config) -> dict[str, object]:
    """Versions, and the hashes of code and lock file that went into the run."""
    lock = shipped(LOCK_FILE)
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "lock_sha256": file_sha256(lock) if lock.is_file() else None,
        "code": {job: code_of(config, job) for job in JOBS},
    }


def area_entries(config: Config) -> list[dict[str, object]]:
    """The log of exclusions, masks and manual adjustments: what holds where; for these who, when, why."""
    areas = read_exclusions([*config.areas.exclusions, *config.areas.licensed])
    areas += [mask.area for mask in read_masks(config.areas.masks)]
    return [
        {
            "file": shown(Path(area.file)),
            "row": area.row,
            **area.values,
            **({} if area.repair is None else {"repaired": area.repair.words}),
            "box_deg": [round(bound, 6) for bound in area.shape.bounds],
        }
        for area in [*areas, *(change.area for change in read_adjustments(config.areas.adjustments))]
    ]


def repaired_polygons(plan: Plan) -> list[dict[str, object]]:
    """Boundaries near the grid that were made valid, and what they cover now."""
    path = plan.build / "territory" / REPAIRS_FILE
    repairs: list[dict[str, object]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [{**repair, "file": shown(Path(str(repair["file"])))} for repair in repairs]


def open_areas(files: Mapping[str, Path]) -> list[dict[str, object]]:
    """Devices and channels with land that is not evaluated, and how much; all are in the table itself."""
    names = [layer_file("not_evaluated", partial=partial) for partial in (False, True)]
    path = next((files[name] for name in names if name in files and files[name].is_file()), None)
    if path is None:
        return []
    rows = [row for row in own_rows(path) if float(row["area_km2"]) > 0.0]
    numbers = ("area_km2", "area_pct", "population_pct")
    return [
        {"device": row["device"], "channel": plain_channel(channel_named(row["channel"]))}
        | {name: float(row[name]) if row[name] else None for name in numbers}
        for row in rows
    ]


def population_entry(plan: Plan) -> dict[str, dict[str, float]] | None:
    """People of a list of places by country: on the grid, beyond it, not placed; None without a list."""
    path = plan.build / "territory" / ACCOUNTS_FILE
    population = plan.config.population
    if population is None or population.places is None or not path.is_file():
        return None
    return dict(json.loads(path.read_text(encoding="utf-8")))


def terrain_entry(plan: Plan) -> dict[str, object]:
    """Masts by source of their effective heights, and whether the corrections that need fine terrain are on.

    P.1546-6 Annex 5, sections 11 (clearance angle) and 13 (troposcatter floor, from the same angles).
    """
    sweeps = [plan.build / f"terrain/{tile}.npz" for tile in plan.tiles]
    masts = summary_of_sweeps(fact for path in sweeps if path.is_file() for fact in read_facts(path).values())
    on = masts["with_clearance_angles"] > 0
    clutter, why = clutter_of(plan.config)
    return {
        "masts": masts,
        "clutter": {"on": clutter, "reason": why},
        "profile_step_m": _profile_step_m(plan),
        "clearance_angles": {"on": on, "reason": _why_angles(plan.config, on)},
        "troposcatter_floor": {"on": on, "reason": f"clearance angles are {'on' if on else 'off'}"},
    }


def _profile_step_m(plan: Plan) -> list[float] | None:
    """Smallest and largest step of the profiles of a model that sees them whole; None for other models.

    Losses over obstacles beside a terminal depend on it.
    """
    files = [plan.build / name for tile in plan.tiles for name in loss_files(plan, tile)]
    steps_km = [step_km for path in files for step_km in profile_steps_km(path)]
    return [round(1000.0 * step_km, 1) for step_km in (min(steps_km), max(steps_km))] if steps_km else None


def _why_angles(config: Config, on: bool) -> str:
    terrain = config.terrain
    if terrain.dem is None:
        return "no terrain model"
    if terrain.tca != "auto":
        return f"terrain.tca is {terrain.tca}"
    limit = f"{terrain.tca_max_step_m:g} m (terrain.tca_max_step_m)"
    return f"the terrain model has a step of {'at most' if on else 'more than'} {limit}"


def clutter_of(config: Config) -> tuple[bool, str]:
    """Whether land cover counts in fields of DTT, and why or why not."""
    model, clutter = config.propagation.coverage_model, config.terrain.clutter
    if clutter is None:
        return False, "no land cover (terrain.clutter)"
    needs = model_named(model).needs
    if not needs & {"clutter", "surroundings"}:
        return False, f"{model} takes no account of land cover"
    what = "heights" if "clutter" in needs else "surroundings of receivers"
    return True, f"{what} of {shown(clutter.table)}"


def unverified_guards(plan: Plan) -> list[dict[str, object]]:
    """The guard intervals assumed for networks of which neither register nor settings know one."""
    coverage = plan.config.coverage
    if guard_summary(plan.register, coverage)["guard_assumed"] == 0:
        return []
    source = "usual modes (8k 1/4, 32k 1/16, ISDB-T 8k 1/8, DTMB PN945, ATSC 3.0 GI5), quoted from memory"
    return [{"key": "coverage.default_guard_us", "value": coverage.default_guard_us, "source": source}]


def unverified_rows(tables: Iterable[Path]) -> list[dict[str, object]]:
    """Rows of CSV tables that say of themselves that their source was not read."""
    found: list[dict[str, object]] = []
    for path in tables:
        if path.suffix.lower() != ".csv" or not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8-sig") as stream:
            for row, record in enumerate(csv.DictReader(stream), start=2):
                if (record.get("verified") or "").strip().lower() in {"false", "0", "no"}:
                    values = {k: v for k, v in record.items() if k not in {"source", "verified"} and v}
                    key = f"{shown(path)}:{row}"
                    found.append({"key": key, "value": values, "source": record.get("source") or ""})
    return found


def unverified_in_decisions(files: Mapping[str, Path]) -> list[dict[str, object]]:
    """Numbers that decisions on coordination rest on and whose source was not read."""
    names = [name for name in sorted(files) if name.endswith("_decision.json") and files[name].is_file()]
    return [
        {"key": f"{name}: {entry['key']}", "value": entry["value"], "source": entry["source"]}
        for name in names
        for entry in json.loads(files[name].read_text(encoding="utf-8"))["unverified"]
    ]


def _beside(config: Config) -> str:
    """What of the terrain they do know."""
    return ", only of the height of the device over its surroundings" if knows_terrain(config) else ""


def _clutter_notes(config: Config) -> list[str]:
    """What readers have to know of the land cover: that it does not count where it could."""
    counts, why = clutter_of(config)
    if counts or (config.terrain.clutter is None and not sees_profiles(config.propagation.coverage_model)):
        return []
    return [f"Fields of DTT are those over bare terrain: {why}."]


def _indoor_notes(config: Config) -> list[str]:
    """Which devices are declared to be used in buildings only."""
    return [
        f"Device {device.id} is declared to be used in buildings only:"
        f" {building_loss_db(device):g} dB of building entry loss are counted; outside it disturbs more."
        for device in config.devices
        if device.indoor is not None and device.indoor.above_m is None
    ]


def notes(config: Config) -> list[str]:
    """What a reader of the maps has to know beside the numbers."""
    found = _path_notes(config)
    if config.protection.method == "separation":
        by_fcc = config.protection.separation.curves == "fcc"
        how = "with the FCC's curves" if by_fcc else "by Rec. ITU-R P.1546, not by the curves of the FCC"
        found.append(f"Protected contours are computed {how}.")
    found += _protection_notes(config)
    if config.protection.sea_paths == "ignore":
        found.append("Sea paths between devices and receivers are ignored (sea_paths: ignore).")
    if config.terrain.dem is None:
        found.append("No terrain model: antenna heights above ground, or HAAT, serve as effective heights.")
    if said := terrain_notice(config):
        found.append(said)
    if config.terrain.coast_void_km > 0.0:
        within = f"Land of no known height within {config.terrain.coast_void_km:g} km of the sea"
        found.append(f"{within} counts as sea level (terrain.coast_void_km).")
    found += _clutter_notes(config)
    found += _indoor_notes(config)
    if config.population is None:
        found.append("No population data: statistics give shares of area only.")
    found += [
        f"Level {level:g} dBm exceeds the cap of device {device.id} ({cap_dbm:g} dBm): not written."
        for device, cap_dbm in ((device, device_cap_dbm(device)) for device in config.devices)
        for level in config.levels_dbm
        if level > cap_dbm
    ]
    radars = config.coordination.radars
    if radars is not None and radars.register_file is not None:
        # Records hold names and addresses: the report says where and what, `validate` also what stands there.
        named = shown(radars.register_file)
        found += [f"Radars: {named}{doubt}." for doubt in doubts_of(radars.register_file, values=False)]
    return found


def _path_notes(config: Config) -> list[str]:
    """How paths of devices take the terrain between their ends."""
    protection, whose = config.protection, "receivers"
    over: list[str] = []
    if protection.device_path != "homogeneous":
        whose = "DTT receivers"
        also = "; where flat land gives less loss, this" if protection.device_path == "smaller" else ""
        over = [
            "Paths to receivers of other services at known places lead over terrain by Rec. ITU-R P.1812,"
            f" up to {protection.device_path_km:g} km{also}."
        ]
    elif config.terrain.dem is not None and (station_registers(config) or config.pmse.registers):
        over = [
            "Receivers of other services on summits are protected as on a plain;"
            " protection.device_path: smaller would take the terrain into account."
        ]
    return [
        f"Paths from devices to {whose} take no account of the terrain between them{_beside(config)}.",
        *over,
    ]


def _protection_notes(config: Config) -> list[str]:
    """What is assumed of devices and receivers, and at which offsets nothing is looked at."""
    if config.protection.method != "degradation":
        return []
    settings, offsets = config.protection, offsets_notice(config)
    penalty = f"{settings.idle_penalty_db.value:g} dB on the {settings.idle_on}"
    load = (
        f"idle ({penalty} where ratios are those of loaded devices)" if settings.load == "idle" else "loaded"
    )
    tiers = "no loss at high wanted levels" if settings.tiers is None else f"tiers of {settings.tiers.name}"
    state = overload_state(settings)
    why = "protection.overload" if settings.overload == "none" else "no threshold is known"
    overload = f"left out: {why}" if state == "none" else f"by thresholds that are {state}"
    notes = [f"Devices count as {load}; {tiers}; overload of receivers {overload}."]
    if calibration := calibration_notice(config):
        notes.append(calibration)
    return [*([offsets] if offsets else []), *notes]


def servers(plan: Plan) -> dict[str, Any]:
    """Tables of the server numbers of `internal/dtt_server_chNN.tif`, by channel."""
    tables = {}
    for channel in map(two_digits, plan.victims):
        path = plan.build / f"coverage/ch{channel}_servers.json"
        tables[channel] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return tables


def utc_now() -> datetime:
    """The time of publishing; rasters never see it."""
    return datetime.now(UTC)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def shown(path: Path) -> str:
    """A path without the place of this checkout or installation."""
    return (repository_path(path) or Path(path.name)).as_posix()


def _shown_paths(node: dict[str, Any]) -> dict[str, Any]:
    """Settings whose default lies in the repository, without the place of this checkout."""
    return {key: _shown_path(value) for key, value in node.items()}


def _shown_path(value: Any) -> Any:  # noqa: ANN401 - any value of a setting
    """The same of one value; of a list, of each."""
    if isinstance(value, list):
        return [_shown_path(item) for item in value]
    return shown(Path(value)) if isinstance(value, str) and value.startswith(str(TABLES)) else value
