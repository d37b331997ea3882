"""`channelmaps priority`: which channels each level of priority may be given, as maps and as one table.

Writes ``priority_<level>.tif`` (one band per channel, classes of the availability layers),
``priority_channels_<level>.tif`` (how many of them) and ``priority.csv``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.availability.classes import OUTSIDE_COUNT, Availability, count_available
from pipeline.availability.priority import ANY_CHANNEL, priority_classes, priority_shares
from pipeline.config.config import Config
from pipeline.config.priority import Priority
from pipeline.errors import InputError
from pipeline.files import table_bytes, write_output
from pipeline.grid import raster
from pipeline.plan.run_files import two_digits
from pipeline.plan.territory_file import load_config

_CLASS_NAMES = {int(code): code.name.lower().replace("_", " ") for code in Availability}


def priority_command(config_path: Path, out: Path, *, build: Path | None = None) -> None:
    """Maps and table of all levels from the published maximum e.i.r.p."""
    config = load_config(config_path)
    if not config.priority:
        raise InputError(
            "no level of priority is configured",
            file=config_path,
            row="priority",
            allowed="a list of levels; see configs/schema.json",
        )
    folder = build or Path("build") / config.name
    levels = sorted(config.priority, key=lambda level: level.level)
    out.mkdir(parents=True, exist_ok=True)
    table = pd.concat([_write_level(config, folder, level, out) for level in levels])
    write_output(out / "priority.csv", table_bytes(table))
    print(f"channels of each level: {out / 'priority.csv'}")
    for row in table[table["channel"] == ANY_CHANNEL].itertuples():
        print(f"  level {row.level}  some channel on {row.area_pct:.1f} % of the area")


def _write_level(config: Config, folder: Path, level: Priority, out: Path) -> pd.DataFrame:
    channels = sorted(config.channels.wsd)
    names = [f"max_eirp_{level.device}_ch{two_digits(channel)}.tif" for channel in channels]
    layers = [raster.read(folder / "public" / name) for name in names]
    grid = layers[0].attrs["grid"]
    classes = priority_classes(np.stack([layer.values for layer in layers]), channels, level)
    what = f"priority level {level.level}, {level.device} at {level.eirp_dbm:g} dBm"
    tags = {"level": str(level.level), "device": level.device, "notice": config.notice}
    stack = raster.make_array(
        classes,
        grid,
        units="",
        nodata=int(Availability.OUTSIDE),
        categories=_CLASS_NAMES,
        band_names=[f"channel {channel}" for channel in channels],
        long_name=f"channels for {what}",
    )
    raster.write(out / f"priority_{level.level}.tif", stack, tags=tags, publish=True)
    count = raster.make_array(
        count_available(classes),
        grid,
        units="channels",
        nodata=OUTSIDE_COUNT,
        long_name=f"number of channels for {what}",
    )
    raster.write(out / f"priority_channels_{level.level}.tif", count, tags=tags, publish=True)
    people = None
    if config.population is not None:
        people = raster.read(folder / "territory" / "population.tif").values
    return priority_shares(classes, channels, level, grid.area_km2(), people)
