"""Commands of the stages, which the workflow calls; not shown in the help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

stages = typer.Typer()

ConfigOption = Annotated[Path, typer.Option("--config", help="Territory file.")]
BuildOption = Annotated[Path, typer.Option("--build", help="Folder of the territory's intermediates.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="Threads inside this job.")]
ChannelOption = Annotated[int, typer.Option("--channel", min=1, max=99, help="Channel number.")]


@stages.command(hidden=True)
def territory(config: ConfigOption, build: BuildOption, threads: ThreadsOption = 1) -> None:
    """Rasterise the territory on its padded grid."""
    from pipeline.territory.rasters import main as stage

    stage(config, build, threads=threads)


@stages.command(hidden=True)
def terrain(
    config: ConfigOption,
    build: BuildOption,
    tile: Annotated[str, typer.Option(help="1-degree square, e.g. n46e014.")],
    threads: ThreadsOption = 1,
) -> None:
    """Radial sweeps of the masts in one 1-degree square."""
    from pipeline.terrain.tile_sweeps import main as stage

    stage(config, build, tile=tile, threads=threads)


@stages.command(hidden=True)
def coverage(
    config: ConfigOption, build: BuildOption, channel: ChannelOption, threads: ThreadsOption = 1
) -> None:
    """Wanted coverage of one DTT channel."""
    from pipeline.coverage.channel import main as stage

    stage(config, build, channel=channel, threads=threads)


@stages.command(hidden=True)
def protect(
    config: ConfigOption, build: BuildOption, channel: ChannelOption, threads: ThreadsOption = 1
) -> None:
    """What the reception of one DTT channel allows to devices around it."""
    from pipeline.dtt.protection_maps import main as stage

    stage(config, build, channel=channel, threads=threads)


@stages.command(hidden=True)
def combine(
    config: ConfigOption, build: BuildOption, channel: ChannelOption, threads: ThreadsOption = 1
) -> None:
    """Maximum e.i.r.p. of every device in one white-space channel."""
    from pipeline.availability.stage import main_combine as stage

    stage(config, build, channel=channel, threads=threads)


@stages.command(hidden=True)
def availability(config: ConfigOption, build: BuildOption, threads: ThreadsOption = 1) -> None:
    """Availability classes, counts and statistics of all devices."""
    from pipeline.availability.stage import main as stage

    stage(config, build, threads=threads)


@stages.command("region-statistics", hidden=True)
def region_statistics(config: ConfigOption, build: BuildOption) -> None:
    """Statistics by region."""
    from pipeline.availability.region_statistics import main as stage

    stage(config, build)


@stages.command(hidden=True)
def reception(
    config: ConfigOption, build: BuildOption, channel: ChannelOption, threads: ThreadsOption = 1
) -> None:
    """Published layers on the reception of one DTT channel."""
    from pipeline.publish.reception import main as stage

    stage(config, build, channel=channel, threads=threads)


@stages.command(name="query-raster", hidden=True)
def query_raster(
    config: ConfigOption,
    build: BuildOption,
    device: Annotated[str, typer.Option(help="Id of a device profile.")],
    threads: ThreadsOption = 1,
) -> None:
    """All channels of one device in one file for point queries."""
    from pipeline.publish.query_raster import main as stage

    stage(config, build, device=device, threads=threads)


@stages.command("rr941-maps", hidden=True)
def rr941_maps(config: ConfigOption, build: BuildOption, threads: ThreadsOption = 1) -> None:
    """Layers and decisions under RR No. 9.41."""
    from pipeline.coordination.rr941.stage import main as stage

    stage(config, build, threads=threads)


@stages.command("rr97ab-maps", hidden=True)
def rr97ab_maps(config: ConfigOption, build: BuildOption, threads: ThreadsOption = 1) -> None:
    """Layers under RR Nos. 9.7A and 9.7B."""
    from pipeline.coordination.rr97.stage import main as stage

    stage(config, build, threads=threads)


@stages.command("radar612-maps", hidden=True)
def radar612_maps(config: ConfigOption, build: BuildOption, threads: ThreadsOption = 1) -> None:
    """Layers and zones of oceanographic radars (Resolution 612)."""
    from pipeline.coordination.radar.stage import main as stage

    stage(config, build, threads=threads)


@stages.command("f1565-budgets", hidden=True)
def f1565_budgets(config: ConfigOption, build: BuildOption) -> None:
    """Budgets of the fixed links of a territory."""
    from pipeline.coordination.f1565.stage import main as stage

    stage(config, build)


@stages.command(hidden=True)
def web(config: ConfigOption, build: BuildOption, threads: ThreadsOption = 1) -> None:
    """The web map of all layers of all devices."""
    from pipeline.publish.web.stage import main as stage

    stage(config, build, threads=threads)


@stages.command(hidden=True)
def qgis(config: ConfigOption, build: BuildOption) -> None:
    """Styles and projects for QGIS."""
    from pipeline.publish.qgis.stage import main as stage

    stage(config, build)


@stages.command(hidden=True)
def stac(config: ConfigOption, build: BuildOption) -> None:
    """STAC collection and items of the public layers."""
    from pipeline.publish.stac import main as stage

    stage(config, build)


@stages.command(hidden=True)
def publish(config: ConfigOption, build: BuildOption, threads: ThreadsOption = 1) -> None:
    """Manifest, run folder, `latest`."""
    from pipeline.publish.stage import main as stage

    stage(config, build, threads=threads)
