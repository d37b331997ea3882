"""What a job depends on besides earlier jobs: hashes of settings, of rows of registers, and of code.

Rules pass on what these functions return and decide nothing themselves. Every dependence on raw files, on the
configuration and on code is a hash among a job's ``params`` (see ``hashing.py``); dependence on earlier jobs
is by their files. Raw files are no inputs of rules: their content counts, neither their time nor their name.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.dtt.foreign_data import foreign_data
from pipeline.hashing import json_hash, plain, rows_hash, settings_hash, source_hash
from pipeline.plan.jobs import STAGES
from pipeline.plan.margin import margin_m
from pipeline.plan.plan import Plan, near_channel
from pipeline.services.pmse import pmse_victims
from pipeline.services.table import SERVICES
from pipeline.territory.surface import ROOM_DEG


def settings_of(plan: Plan, stage: str) -> str:
    """Hash of the settings a stage reads, input files by content."""
    return settings_hash(plan.config, STAGES[stage].settings)


def code_of(stage: str) -> str:
    """Hash of the code a stage runs; a stage that asks the services runs theirs too."""
    services = {row.module for row in SERVICES if row.module is not None} if stage == "combine" else set()
    return json_hash([source_hash(module) for module in (STAGES[stage].module, *sorted(services))])


def rows_of_territory(plan: Plan) -> str:
    """Hash of what the territory stage takes from the register: the widths of the margin and the sites' box.

    The margin is the proven radius, over land and over sea; it follows from the modes in use, the devices and
    the protection ratios. The box is as coarse as that of the land mask: a station that moves within it
    concerns its own channels only.
    """
    modes = sorted(set(zip(*_texts(plan, "system", "mode"), strict=True)))
    margins_m = [margin_m(plan.config, modes, coastal=coastal) for coastal in (False, True)]
    sites = [plan.register[name].values for name in ("lon_deg", "lat_deg")]
    low = [math.floor(values.min() - ROOM_DEG) for values in sites]
    high = [math.ceil(values.max() + ROOM_DEG) for values in sites]
    return json_hash({"margins_m": margins_m, "low_deg": low, "high_deg": high})


def rows_of_neighbours(plan: Plan) -> str:
    """Hash of what the border takes from the register: which countries have transmitters, and which modes."""
    return json_hash(foreign_data(plan.config))


def rows_of_tile(plan: Plan, tile: str) -> str:
    """Hash of the masts of one tile: other facts of their stations do not concern the sweeps."""
    inside = plan.register["tile"].values == tile
    return json_hash(sorted(set(plan.register["mast"].values[inside].tolist())))


def rows_of_channel(plan: Plan, channel: int) -> str:
    """Hash of the register rows of a DTT channel and its neighbours."""
    return rows_hash(plan.register, near_channel(plan, channel))


def rows_of_register(plan: Plan) -> str:
    """Hash of all rows of the register."""
    return rows_hash(plan.register, np.ones(plan.register.sizes["transmitter"], dtype=bool))


def pmse_rows_of_channel(plan: Plan, channel: int) -> str:
    """Hash of the PMSE assignments that concern devices in one channel."""
    return pmse_victims.bookings_hash(plan.config, plan.bookings, channel)


def coverage_hash(plan: Plan, channel: int) -> str:
    """Hash of everything that the coverage of a DTT channel is computed from."""
    stages = ("territory", "terrain", "coverage")
    parts = [settings_of(plan, stage) for stage in stages] + [code_of(stage) for stage in stages]
    return json_hash([*parts, rows_of_territory(plan), rows_of_channel(plan, channel)])


def run_id(plan: Plan) -> str:
    """Name of a run: hash of configuration, content of all inputs, and code."""
    code = {stage: code_of(stage) for stage in STAGES} | {"publish": source_hash("pipeline.publish.stage")}
    return json_hash({"config": plain(plan.config), "code": code})


def _texts(plan: Plan, *names: str) -> list[list[str]]:
    return [plan.register[name].values.tolist() for name in names]
