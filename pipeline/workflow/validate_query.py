"""What `channelmaps validate` says of point queries."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.config import Config
from pipeline.reference.height_layers import layer_height_m, read_height_layers


def query_remarks(config: Config) -> Iterator[str]:
    """Check the table of height layers; kinds of devices whose generic slaves cannot be answered for."""
    layers = read_height_layers(config.query.height_layers)
    emission_class = config.query.generic_slave.emission_class
    answered = {(device.type, device.emission_class, device.height_m) for device in config.devices}
    for kind in sorted({device.type for device in config.devices}):
        layer_m = layer_height_m(layers, kind, None)
        if (kind, emission_class, layer_m) not in answered:
            missing = f"no device of class {emission_class} at {layer_m:g} m"
            yield f"  not answered  queries for generic slaves of type {kind}: {missing}"
