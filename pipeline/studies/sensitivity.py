"""``channelmaps sensitivity``: how far the maximum e.i.r.p. of a device moves with models, sigma and dq.

The jobs of the pipeline run once for every variant of the settings, for one device and channel; their
published layers become a map of the spread and statistics of each. All variants share a grid whose margin
is wide enough for each. What is up to date from an earlier call is not computed again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.availability.choices import choices_of, with_device, with_ratios, with_values
from pipeline.availability.classes import Availability, availability_class, level_name
from pipeline.availability.limit_tags import limit_file
from pipeline.config.bonds import DeviceChannel, channels_in
from pipeline.config.config import Config
from pipeline.config.reception import sees_profiles
from pipeline.errors import InputError
from pipeline.files import (
    GEOTIFF_FILE,
    check_output_folder,
    csv_text,
    kind_of_table,
    write_output,
    write_whole,
)
from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import layer_file, two_digits
from pipeline.hashing import json_hash
from pipeline.plan.dependencies import (
    code_of,
    coverage_hash,
    rows_of_losses,
    rows_of_territory,
    rows_of_tile,
    settings_of,
)
from pipeline.plan.hill_reach import hills_of
from pipeline.plan.margin import modes_of, required_margin_km
from pipeline.plan.plan import Plan, load_plan
from pipeline.plan.run_job import run_job, run_territory
from pipeline.plan.territory_file import files_read, load_config
from pipeline.publish.release import point_to
from pipeline.quantise import NODATA_CENTI, NOT_EVALUATED, NOT_PERMITTED
from pipeline.radio.allocations import is_partial
from pipeline.registers.transmitters import read_register
from pipeline.studies.compare import is_number
from pipeline.terrain.height_files import knows_terrain
from pipeline.territory.rasters import Reach
from pipeline.workflow.run import only_one_run
from pipeline.workflow.validate import validate_command

# --- spread of layers ---------------------------------------------------------------------------------------


_SPREAD_BANDS = ("spread", "lowest", "highest")
_BAND_UNITS = ("dB", "dBm", "dBm")
_PERCENTILES = (5, 50, 95)


def spread_bands(raw: NDArray[np.int16]) -> NDArray[np.int16]:
    """Spread, lowest and highest of ``raw`` [variant, y, x] in 0.01 dB, int16[3, y, x].

    Codes as in the published layers: -9998 where a variant is not evaluated; -9999 in spread and lowest
    where some variant permits nothing, in highest where none permits anything.
    """
    known = is_number(raw)
    largest, smallest = np.iinfo(np.int16).max, np.iinfo(np.int16).min
    low = np.where(known, raw, largest).min(axis=0).astype(np.int32)
    high = np.where(known, raw, smallest).max(axis=0).astype(np.int32)
    bands = np.stack([high - low, low, high])
    barred = raw == NOT_PERMITTED
    bands[:2, barred.any(axis=0)] = NOT_PERMITTED
    bands[2, ~known.any(axis=0)] = NOT_PERMITTED
    bands[:, (raw == NOT_EVALUATED).any(axis=0)] = NOT_EVALUATED
    bands[:, (raw == NODATA_CENTI).any(axis=0)] = NODATA_CENTI
    return bands.astype(np.int16)


def statistics(
    names: Sequence[str],
    raw: NDArray[np.int16],
    area_km2: NDArray[np.float32],
    levels_dbm: Sequence[float],
    limits: NDArray[np.int16] | None = None,
) -> list[dict[str, object]]:
    """One row a variant: difference to the first one where both are levels, and shares of the area.

    Mean and shares are weighted by true area, percentiles are of pixels. ``limits``: what the layers of
    levels show, before the least e.i.r.p. of the device; None = as ``raw``.
    """
    inside = raw[0] != NODATA_CENTI
    area = np.broadcast_to(area_km2, inside.shape)[inside].astype(np.float64)
    rows: list[dict[str, object]] = []
    for name, layer, limit in zip(names, raw, raw if limits is None else limits, strict=True):
        both = is_number(raw[0]) & is_number(layer)
        difference_db = (layer[both].astype(np.float64) - raw[0][both]) / 100.0
        row: dict[str, object] = {"variant": name}
        row |= _differences(difference_db, np.broadcast_to(area_km2, both.shape)[both])
        row["not_permitted_pct"] = _share(layer[inside] == NOT_PERMITTED, area)
        for level in levels_dbm:
            available = availability_class(limit[inside], level) == Availability.AVAILABLE
            row[f"available_{level_name(level)}dbm_pct"] = _share(available, area)
        rows.append(row)
    return rows


def _differences(difference_db: NDArray[np.float64], area_km2: NDArray[np.floating]) -> dict[str, str]:
    if difference_db.size == 0:
        return {"mean_db": ""} | {f"p{p:02d}_db": "" for p in _PERCENTILES}
    mean_db = float(np.average(difference_db, weights=area_km2))
    found_db = np.percentile(difference_db, _PERCENTILES)
    return {"mean_db": f"{mean_db:.3f}"} | {
        f"p{p:02d}_db": f"{value:.3f}" for p, value in zip(_PERCENTILES, found_db, strict=True)
    }


def _share(chosen: NDArray[np.bool_], area: NDArray[np.float64]) -> str:
    return f"{100.0 * float(area[chosen].sum()) / float(area.sum()):.4f}" if area.size else ""


# --- variants -----------------------------------------------------------------------------------------------


_BASE = "base"
# Choices that lists of values of `sensitivity` try.
_TRIED_BY_VALUE = ("protection.load", "protection.ratios")


class Variant(NamedTuple):
    """The settings of the territory with one of them changed."""

    name: str
    config: Config


def sensitivity_command(
    config_path: Path, channel: DeviceChannel, device_id: str, out: Path, *, threads: int = 1
) -> None:
    """Compute all variants and write the spread and the statistics of each to ``out``."""
    config = load_config(config_path)
    alone = narrowed(config, channel, device_id)
    stem = f"sensitivity_{device_id}_ch{two_digits(channel)}"
    products = {f"{stem}.tif": GEOTIFF_FILE, f"{stem}.csv": kind_of_table("variant", "mean_db")}
    check_output_folder("--out", out, products, files_read(config))
    with redirect_stdout(sys.stderr):
        validate_command(config_path)
    margin_km = alone.grid.margin_km
    assert margin_km is not None
    # Devices on hills widen the grid on the sides where they need to.
    alone = with_values(alone, "grid", margin_km=None, least_margins_km=(margin_km, margin_km))
    variants = variants_of(alone)
    folder = Path("build") / variants[0].config.name / "sensitivity"
    reach = common_reach(alone, variants, margin_km, threads)
    layers = []
    with only_one_run():
        for number, variant in enumerate(variants, 1):
            _tell(f"{number} of {len(variants)}: {variant.name}")
            layers.append(_run_variant(folder, variant, reach, threads))
    grid = raster.read_grid(layers[0][0])
    raw, limits = (
        np.stack([raster.read(path).values for path in paths]) for paths in zip(*layers, strict=True)
    )
    out.mkdir(parents=True, exist_ok=True)
    names = [variant.name for variant in variants]
    _write_spread(out / f"{stem}.tif", grid, raw, names)
    rows = statistics(names, raw, grid.area_km2(), variants[0].config.levels_dbm, limits)
    text = csv_text(list(rows[0]), rows)
    write_output(out / f"{stem}.csv", text)
    print(text, end="")


def narrowed(config: Config, channel: DeviceChannel, device_id: str) -> Config:
    """The settings for one device and channel alone, under a margin that suffices for all variants."""
    devices = [device for device in config.devices if device.id == device_id]
    if not devices:
        known = ", ".join(device.id for device in config.devices)
        raise InputError("no such device", field="device", value=device_id, allowed=known)
    if channel not in config.channels_of(devices[0]):
        raise InputError(
            "is not a channel of the territory",
            field="channel",
            value=str(channel),
            allowed=", ".join(map(str, config.channels_of(devices[0]))),
        )
    if config.protection.method != "degradation":
        raise InputError(
            "has no sensitivity to models, sigma and dq",
            row="protection.method",
            value=config.protection.method,
            allowed="degradation",
        )
    channels = config.channels.model_copy(update={"wsd": list(channels_in(channel))})
    narrow = config.model_copy(update={"channels": channels, "devices": devices, "priority": []})
    return with_values(narrow, "grid", margin_km=_margin_km(narrow))


def variants_of(config: Config) -> list[Variant]:
    """The territory as it is, then one change at a time; a value it already has adds nothing."""
    tried, (device,) = config.sensitivity, config.devices
    found = [Variant(_BASE, config)]
    for model in tried.coverage_models:
        if model != config.propagation.coverage_model:
            other = with_values(config, "propagation", coverage_model=model)
            found.append(Variant(f"coverage-{model}", other))
    for model in tried.wsd_models:
        if model != config.propagation.wsd_model:
            found.append(Variant(f"wsd-{model}", with_values(config, "propagation", wsd_model=model)))
    for sigma_db in tried.location_sigmas_db:
        if sigma_db != config.coverage.location_sigma_db:
            changed = with_values(config, "coverage", location_sigma_db=sigma_db)
            found.append(
                Variant(f"sigma-{sigma_db:g}", with_values(changed, "protection", far_sigma_db=sigma_db))
            )
    for dq_pct in tried.dqs_pct:
        if dq_pct != device.dq_pct:
            found.append(Variant(f"dq-{dq_pct:g}", with_device(config, device, dq_pct=dq_pct)))
    found += _load_variants(config)
    if tried.choices:
        for choice in choices_of(config, device):
            if choice.key not in _TRIED_BY_VALUE and not choice.own_run:
                found.append(Variant(f"choice-{choice.key.rpartition('.')[2]}", choice.config))
    return found


def _load_variants(config: Config) -> list[Variant]:
    """Idle devices by what they cost, loaded ones, and the cautious table of ratios."""
    protection, tried = config.protection, config.sensitivity
    (device,) = config.devices
    load = device.load or protection.load
    current_db = (device.idle_penalty_db or protection.idle_penalty_db).value if load == "idle" else None
    found = []
    for penalty_db in tried.idle_penalties_db:
        if penalty_db != current_db:
            number = protection.idle_penalty_db.model_copy(update={"value": penalty_db})
            idle = with_device(config, device, load="idle", idle_penalty_db=number)
            found.append(Variant(f"idle-{penalty_db:g}", idle))
    if load != "loaded" and tried.loaded:
        found.append(Variant("loaded", with_device(config, device, load="loaded")))
    for path in tried.ratio_tables:
        if path != protection.ratios:
            found.append(Variant(f"ratios-{path.stem}", with_ratios(config, path)))
    return found


def _margin_km(config: Config) -> float:
    """Whole kilometres around the largest radius of any variant."""
    register, _ = read_register(config)
    modes = modes_of(config, register)
    coastal = config.protection.sea_paths == "coastal" and config.territory.coastal_km > 0.0
    radii_km = [required_margin_km(v.config, modes, coastal=coastal) for v in variants_of(config)]
    return float(max(np.ceil(max(radii_km)), config.grid.margin_km or 0.0))


def common_reach(config: Config, variants: Sequence[Variant], margin_km: float, threads: int) -> Reach:
    """What the devices of any variant reach: all of them share one grid and one coverage."""
    register, _ = read_register(config)
    on_hills = [variant.config for variant in variants if knows_terrain(variant.config)]
    modes = modes_of(config, register)
    if not on_hills:
        return Reach((margin_km, margin_km))
    hills = hills_of(on_hills, modes, threads=threads)
    # A model that knows no effective heights reaches its own range everywhere.
    flat = [variant.config for variant in variants if not knows_terrain(variant.config)]
    coastal = config.protection.sea_paths == "coastal"
    ranges_km = [required_margin_km(one, modes, coastal=coastal) for one in flat]
    return Reach((margin_km, margin_km), hills._replace(near_km=max(hills.near_km, *ranges_km, 0.0)))


# --- computing ----------------------------------------------------------------------------------------------


class VariantJob(NamedTuple):
    """One job; ``stamp`` holds the digest of everything it was last computed from."""

    name: str
    digest: str
    stamp: Path
    run: Callable[[], None]


def _run_variant(folder: Path, variant: Variant, reach: Reach, threads: int) -> tuple[Path, Path]:
    """Compute what is not up to date for a variant; its maximum e.i.r.p., and its limit before the least."""
    place, config_path = folder / variant.name, folder / f"{variant.name}.yaml"
    place.mkdir(parents=True, exist_ok=True)
    settings = json.loads(variant.config.model_dump_json())
    write_whole(config_path, yaml.safe_dump(settings, allow_unicode=True))
    plan = load_plan(config_path)
    shared = f"coverage-{settings_of(plan, 'coverage')}"
    losses = f"losses-{settings_of(plan, 'losses')}"
    targets = {"territory": "territory", "terrain": "terrain", "losses": losses, "coverage": shared}
    for name, target in targets.items():
        (folder / target).mkdir(exist_ok=True)
        point_to(place / name, f"../{target}")
    for step in steps_of(plan, place, reach, threads):
        if not (step.stamp.is_file() and step.stamp.read_text() == step.digest):
            _tell(f"  {step.name}")
            step.stamp.unlink(missing_ok=True)
            step.run()
            write_whole(step.stamp, step.digest)
    (device,) = plan.config.devices
    (channel,) = plan.config.channels_of(device)
    run_job("combine", plan.config, place, threads=threads, channel=channel)
    published = layer_file("max_eirp", device=device.id, channel=channel, partial=is_partial(plan.config))
    return place / published, place / limit_file(device.id, channel)


def steps_of(plan: Plan, place: Path, reach: Reach, threads: int) -> Iterator[VariantJob]:
    """The jobs of a variant in order; those of shared folders are up to date from the second variant on."""
    config, grid = plan.config, rows_of_territory(plan)
    parts = [settings_of(plan, "territory"), code_of(config, "territory"), grid]
    yield VariantJob(
        "territory",
        json_hash(parts),
        place / "territory/stamp",
        partial(run_territory, config, place, reach, threads=threads),
    )
    for tile in plan.tiles:
        parts = [settings_of(plan, "terrain"), code_of(config, "terrain"), grid, rows_of_tile(plan, tile)]
        yield VariantJob(
            f"terrain {tile}",
            json_hash(parts),
            place / f"terrain/{tile}.stamp",
            partial(run_job, "terrain", config, place, tile=tile, threads=threads),
        )
    yield from _losses_of(plan, place, grid, threads)
    heights = json_hash([settings_of(plan, "heights"), code_of(config, "heights"), grid])
    yield VariantJob(
        "heights of devices",
        heights,
        place / f"terrain/heights-{heights}.stamp",
        partial(run_job, "heights", config, place, threads=threads),
    )
    for channel in plan.victims:
        covered = coverage_hash(plan, channel)
        yield VariantJob(
            f"coverage of channel {channel}",
            covered,
            place / f"coverage/ch{channel:02d}.stamp",
            partial(run_job, "coverage", config, place, channel=channel, threads=threads),
        )
        parts = [covered, settings_of(plan, "protect"), code_of(config, "protect")]
        yield VariantJob(
            f"protection of channel {channel}",
            json_hash(parts),
            place / f"protect-ch{channel:02d}.stamp",
            partial(run_job, "protect", config, place, channel=channel, threads=threads),
        )


def _losses_of(plan: Plan, place: Path, grid: str, threads: int) -> Iterator[VariantJob]:
    """Tables of losses, of a model of coverage that has some."""
    own = [settings_of(plan, "losses"), code_of(plan.config, "losses"), grid]
    for tile in plan.tiles if sees_profiles(plan.config.propagation.coverage_model) else []:
        parts = [*own, rows_of_losses(plan, tile)]
        yield VariantJob(
            f"losses {tile}",
            json_hash(parts),
            place / f"losses/{tile}.stamp",
            partial(run_job, "losses", plan.config, place, tile=tile, threads=threads),
        )


def _tell(text: str) -> None:
    print(f"sensitivity {text}", file=sys.stderr, flush=True)


# --- results ------------------------------------------------------------------------------------------------


def _write_spread(path: Path, grid: Grid, raw: NDArray[np.int16], names: Sequence[str]) -> None:
    """The raster of three bands."""
    layer = raster.make_array(
        spread_bands(raw),
        grid,
        units=_BAND_UNITS,
        nodata=NODATA_CENTI,
        scale_factor=0.01,
        band_names=_SPREAD_BANDS,
        long_name="maximum e.i.r.p. over the variants of the method",
    )
    raster.write(path, layer, tags={"variants": ", ".join(names)}, publish=True)
