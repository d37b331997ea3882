"""A family of commands that a test adds."""

from __future__ import annotations

from pipeline.cli.application import ConfigFile, app


@app.command(epilog="Example: channelmaps channels configs/slovenia.yaml")
def channels(config: ConfigFile) -> None:
    """Channels that the devices of a territory may use."""
    from pipeline.plan.territory_file import load_config

    print(*sorted(load_config(config).channels.wsd))
