"""What `channelmaps validate` says of a territory that is well: what a run would compute, what to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import xarray as xr

from pipeline.config.base import unverified
from pipeline.config.config import Config
from pipeline.grid.grid import Grid
from pipeline.radio.allocations import open_channels, partial_statement
from pipeline.radio.channel_plan import channel_width_mhz
from pipeline.radio.emission import device_cap_dbm, least_eirp_dbm
from pipeline.reference.limiting_channels import offsets_notice
from pipeline.registers.transmitters import summary
from pipeline.rows.row_models import RejectedRow
from pipeline.services.coarsening import disclosure
from pipeline.services.product import product_statement
from pipeline.terrain.height_files import terrain_notice


def report(
    config: Config, register: xr.Dataset, rejected: list[RejectedRow], grid: Grid, victims: list[int]
) -> Iterator[str]:
    """Lines on what a run would compute and what its reader has to know."""
    counts = summary(register)
    yield f"{config.name}: {config.title}"
    yield f"  grid          {grid.width} x {grid.height} pixels of {grid.resolution_m:g} m, {grid.crs}"
    yield f"  transmitters  {', '.join(f'{name} {count}' for name, count in counts.items() if count)}"
    yield f"  DTT channels  {_listed(victims) or 'none: no television here'}"
    yield f"  devices       {', '.join(device.id for device in config.devices)}"
    yield f"  for channels  {_listed(sorted(config.channels.wsd))}"
    for device in config.devices:
        if device.bond > 1:
            yield f"  bonds         {device.id}: {_listed(config.channels_of(device))}"
    for row in rejected:
        where = f"{row.file}, row {row.row}, field {row.field}"
        yield f"  rejected      {where}: {row.problem}; found {row.value!r}; allowed: {row.allowed}"
    yield from _remarks(config, register["sfn"].values.tolist())


def _remarks(config: Config, networks: list[str]) -> Iterator[str]:
    narrowest_mhz = min(channel_width_mhz(config.channels, channel) for channel in config.channels.wsd)
    for device in config.devices:
        if device.bond == 1 and device.bandwidth_mhz > narrowest_mhz:
            wide = f"{device.bandwidth_mhz:g} MHz is wider than a channel, it overlaps those beside"
            yield f"  wide          {device.id}: {wide}"
    for device in config.devices:
        for level_dbm in config.levels_dbm:
            if level_dbm > device_cap_dbm(device):
                cap = f"above its cap of {device_cap_dbm(device):g} dBm"
                yield f"  not written   {device.id} at {level_dbm:g} dBm: {cap}"
        low = [level_dbm for level_dbm in config.levels_dbm if level_dbm < least_eirp_dbm(device)]
        if low:
            least = (
                f"its least e.i.r.p. is {least_eirp_dbm(device):g} dBm; the maps are of one with the level"
            )
            yield f"  level         {device.id} at {', '.join(f'{x:g}' for x in low)} dBm: {least}"
    for name in sorted(set(config.coverage.guard_us) - set(networks)):
        yield f"  no effect     coverage.guard_us: {name} is no network of the register"
    for name, service in config.services.items():
        if not service.evaluated:
            treated = "not evaluated" if service.applicable else "not present  "
            yield f"  {treated} {name}: {service.reason}"
    yield from _allocation_remarks(config)
    for entry in unverified(config):
        yield f"  not verified  {entry['key']} = {entry['value']} ({entry['source']})"
    if notice := offsets_notice(config):
        yield f"  offsets       {notice}"
    if (notice := terrain_notice(config)) and "no_terrain" not in config.accept:
        yield f"  warning       {notice} `accept: [no_terrain]` if this is known"
    if statement := product_statement(config):
        yield f"  product       {statement}"
    if told := disclosure(config):
        yield f"  disclosure    {told}"


def _allocation_remarks(config: Config) -> Iterator[str]:
    """In which channels an incumbent is not evaluated, and what becomes of them."""
    fate = "the study left it out" if config.study else "not evaluated, never available"
    for name, channels in open_channels(config).items():
        yield f"  incumbent     {name} is not evaluated; channels {_listed(channels)}: {fate}"
    left_out = any(service.applicable and not service.evaluated for service in config.services.values())
    if left_out and not config.channels.allocated:
        yield "  incumbent     channels.allocated is empty: a service out of scope closes no channel"
    if config.study or config.channels.publish_partial:
        yield f"  partial       {partial_statement(config) or 'nothing is left out: names stay as they are'}"


def _listed(channels: Sequence[object]) -> str:
    return " ".join(str(channel) for channel in channels)
