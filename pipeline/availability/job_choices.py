"""Job choices: ``choices.csv``, what each cautious choice costs, and ``lost_channels.csv``, by which rule.

From the stored maps of the job protect; nothing is searched again.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.availability.channel_costs import channel_costs
from pipeline.availability.cost_tables import write_choices, write_lost
from pipeline.config.config import Config
from pipeline.grid.layer_files import layer_file
from pipeline.radio.allocations import is_partial
from pipeline.reference.limiting_channels import victim_channels
from pipeline.registers.transmitters import read_register


def main(config: Config, build: Path, *, threads: int) -> None:
    """Write both tables of the devices that ``report.costed_devices`` names; one thread is enough."""
    register, _ = read_register(config)
    occupied = register["channel"].values.tolist()
    victims = victim_channels(config, occupied, config.all_device_channels())
    devices, partial = config.costed_devices(), is_partial(config)
    found = channel_costs(config, build, devices, victims, occupied)
    channels = {device.id: len(config.channels_of(device)) for device in devices}
    write_choices(found, config.levels_dbm, build / layer_file("choices", partial=partial))
    write_lost(found.lost, channels, build / layer_file(config.publish.lost_family, partial=partial))
