"""The jobs of one territory: its channels and tiles, and where its files are located."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.config.bonds import DeviceChannel
from pipeline.config.config import Config
from pipeline.config.protection import Device
from pipeline.dtt.neighbour_rules import ForeignData, foreign_data
from pipeline.plan.territory_file import load_config
from pipeline.radio.channel_plan import plan_neighbours
from pipeline.radio.emission import device_cap_dbm
from pipeline.reference.limiting_channels import victim_channels
from pipeline.registers.transmitters import read_register
from pipeline.services.pmse.pmse_register import bookings_of
from pipeline.services.pmse.pmse_slices import BookingSlice, slices_of


class Plan(NamedTuple):
    """The jobs of one territory; channels ascending, tiles by name, folders relative to where it runs.

    ``foreign``: what the register says of other countries. ``wsd``: the channels of devices; which of them,
    or which bonds, a device has tells ``channels_of``. ``slices``: parts of the period in which the same
    bookings hold; none where these do not change.
    """

    config_path: Path
    config: Config
    register: xr.Dataset
    foreign: ForeignData
    bookings: xr.Dataset | None
    victims: list[int]
    wsd: list[int]
    tiles: list[str]
    slices: list[BookingSlice]
    build: Path
    results: Path

    @property
    def device_channels(self) -> list[DeviceChannel]:
        """Channels and bonds of all devices, each of which has a job."""
        return self.config.all_device_channels()


def load_plan(config_path: str | Path) -> Plan:
    """Read a territory file and its registers and list the jobs."""
    return plan_of(load_config(os.path.relpath(config_path)))


def plan_of(config: Config) -> Plan:
    """The jobs of the territory of a configuration that was read from a file; reads the registers."""
    if config.file is None:
        raise ValueError("a plan needs the file of its configuration")
    register, _ = read_register(config)
    victims = victim_channels(config, register["channel"].values.tolist(), config.all_device_channels())
    bookings = bookings_of(config)
    near = np.isin(register["channel"].values, _with_neighbours(config, victims))
    return Plan(
        config_path=Path(os.path.relpath(config.file)),
        config=config,
        register=register,
        foreign=foreign_data(config, register),
        bookings=bookings,
        victims=victims,
        wsd=sorted(config.channels.wsd),
        tiles=sorted(set(register["tile"].values[near].tolist())),
        slices=slices_of(config, bookings),
        build=Path("build") / config.name,
        results=results_of(config),
    )


def results_of(config: Config) -> Path:
    """Folder of the published runs, relative to where the workflow runs."""
    return Path("results") / (config.results or config.name)


def channels_of(plan: Plan, device_id: str) -> list[DeviceChannel]:
    """The channels, or bonds, that are published for a device, ascending."""
    return plan.config.channels_of(_device(plan, device_id))


def slice_names(plan: Plan) -> list[str]:
    """Names of the rasters hour by hour: without bookings, then by set of bookings; none without slices."""
    names = dict.fromkeys(part.name for part in plan.slices if part.name)
    return ["base", *names] if plan.slices else []


def with_bond(plan: Plan, bond: int) -> Plan:
    """The plan of the devices alone that use so many channels as one."""
    devices = [device for device in plan.config.devices if device.bond == bond]
    return plan._replace(config=plan.config.model_copy(update={"devices": devices}))


def victims_of(plan: Plan, wsd_channel: DeviceChannel) -> list[int]:
    """Victim channels that limit devices in one channel, or one bond."""
    return victim_channels(plan.config, plan.victims, [wsd_channel])


def tiles_of(plan: Plan, channel: int) -> list[str]:
    """Terrain tiles with a mast that matters in a DTT channel: its own stations' and the neighbours'."""
    return sorted(set(plan.register["tile"].values[near_channel(plan, channel)].tolist()))


def near_channel(plan: Plan, channel: int) -> NDArray[np.bool_]:
    """Rows of the register whose nuisance reaches a DTT channel: its own stations and the neighbours'."""
    near: NDArray[np.bool_] = np.isin(
        plan.register["channel"].values, _with_neighbours(plan.config, [channel])
    )
    return near


def _with_neighbours(config: Config, channels: Iterable[int]) -> list[int]:
    """Channels and those whose nuisance reaches them, which overlap or touch them in frequency."""
    return sorted({near for channel in channels for near in plan_neighbours(config.channels, channel)})


def levels_of(plan: Plan, device_id: str) -> list[float]:
    """Levels published for a device: those its cap allows."""
    return [level for level in plan.config.levels_dbm if level <= device_cap_dbm(_device(plan, device_id))]


def _device(plan: Plan, device_id: str) -> Device:
    (device,) = [device for device in plan.config.devices if device.id == device_id]
    return device


def threads_per_job(cores: int | None, jobs: int) -> int:
    """Threads of one job where ``jobs`` of its kind can run side by side."""
    return max(1, (cores or 1) // max(1, jobs))
