"""Commands that check a territory, compute its maps and publish them; one of all jobs for the workflow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import (
    ChannelOption,
    ConfigFile,
    ConfigOption,
    ThreadsOption,
    app,
    channel_option,
)


@app.command(epilog="Example: channelmaps validate configs/slovenia.yaml")
def validate(
    config: ConfigFile,
    lenient: Annotated[bool, typer.Option("--lenient", help="Skip and list bad register rows.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Faults, plausibility of the registers and remarks as JSON.")
    ] = False,
) -> None:
    """Check a territory file and everything it names; compute nothing."""
    from pipeline.workflow.validate import validate_all, validate_json

    if as_json:
        text, good = validate_json(config, lenient=lenient)
        print(text)
        raise typer.Exit(0 if good else 2)
    raise typer.Exit(0 if validate_all(config, lenient=lenient) else 2)


@app.command(
    epilog="Examples: channelmaps run configs/slovenia.yaml --cores 4\n\n"
    "channelmaps run configs/slovenia.yaml --if-changed --no-wait --keep-runs 10 (see docs/scheduled.md)"
)
def run(
    config: ConfigFile,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Cores to use; all of this machine if absent.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be computed.")] = False,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Skip bad register rows and count them.")
    ] = False,
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="Compute nothing if the published run has the same inputs.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for another run in this folder, or refuse.")
    ] = True,
    accept_shrink: Annotated[
        bool, typer.Option("--accept-shrink", help="Take registers that lost many rows.")
    ] = False,
    keep_runs: Annotated[
        int | None, typer.Option(min=1, help="Remove all but so many of the newest runs afterwards.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(help="Write the summary here as well; also if the run is refused.")
    ] = None,
    dask_address: Annotated[
        str | None,
        typer.Option(
            envvar="DASK_SCHEDULER_ADDRESS",
            help="Dask scheduler whose workers compute the blocks (docs/dask.md): tls://HOST:PORT.",
        ),
    ] = None,
    dask_tls_ca: Annotated[
        Path | None, typer.Option(help="PEM of the authorities that a tls:// cluster is trusted by.")
    ] = None,
    dask_tls_cert: Annotated[Path | None, typer.Option(help="PEM of the certificate of this side.")] = None,
    dask_tls_key: Annotated[Path | None, typer.Option(help="PEM of its key, without password.")] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show all that Snakemake and its jobs say.")
    ] = False,
) -> None:
    """Check a territory file, compute what changed, publish it under results/."""
    from pipeline.workflow.cluster import cluster_of
    from pipeline.workflow.run import RunOptions, run_command

    cluster = cluster_of(dask_address, dask_tls_ca, dask_tls_cert, dask_tls_key)
    options = RunOptions(
        cores, lenient, dry_run, if_changed, wait, accept_shrink, keep_runs, summary, cluster, verbose
    )
    raise typer.Exit(run_command(config, options))


@app.command(epilog="Example: channelmaps demo --no-show")
def demo(
    cores: Annotated[int | None, typer.Option(min=1, help="Cores to use; all if absent.")] = None,
    show: Annotated[
        bool, typer.Option("--show/--no-show", help="Open the web map in a browser, at a terminal.")
    ] = True,
) -> None:
    """Compute a small territory that comes with the program, in this folder, and open its web map."""
    from pipeline.workflow.demo import demo_command

    raise typer.Exit(demo_command(cores=cores, show=show))


@app.command(
    name="what-if", epilog="Example: channelmaps what-if configs/slovenia.yaml --set devices.fixed30.dq_pct=2"
)
def what_if(
    config: ConfigFile,
    changes: Annotated[
        list[str], typer.Option("--set", help="KEY=VALUE, dotted key; list items by number or id.")
    ],
    cores: Annotated[int | None, typer.Option(min=1, help="Cores to use; all if absent.")] = None,
) -> None:
    """Compute the maps after a change of settings beside the published ones; only what depends on it."""
    from pipeline.workflow.what_if import what_if_command

    raise typer.Exit(what_if_command(config, changes, cores=cores))


@app.command(epilog="Example: channelmaps schema > configs/schema.json")
def schema() -> None:
    """Print the JSON schema of a territory file."""
    from pipeline.plan.territory_file import export_schema

    sys.stdout.write(export_schema())


@app.command(hidden=True)
def job(
    name: Annotated[str, typer.Argument(help="Name of a job in pipeline/plan/jobs.py.")],
    config: ConfigOption,
    build: Annotated[Path, typer.Option(help="Folder of the territory's intermediates.")],
    threads: ThreadsOption = 1,
    channel: ChannelOption | None = None,
    tile: Annotated[str | None, typer.Option(help="Terrain tile, e.g. n46e014.")] = None,
    device: Annotated[str | None, typer.Option(help="Id of a device profile.")] = None,
    key: Annotated[str, typer.Option(help="What the job depends on, for its record.")] = "",
    memory_mb: Annotated[int, typer.Option(min=512, help="MiB that the job may use.")] = 2048,
) -> None:
    """Run one job of the workflow."""
    from pipeline.blocks import without_dask

    without_dask()  # before xarray looks for it
    from pipeline.plan.run_job import run_job, title_of
    from pipeline.plan.territory_file import load_config

    options = {
        "channel": None if channel is None else channel_option(channel),
        "tile": tile,
        "device": device,
    }
    wildcards = {key: value for key, value in options.items() if value is not None}
    memory_gib = memory_mb / 1024
    run_job(name, load_config(config), build, threads=threads, key=key, memory_gib=memory_gib, **wildcards)
    print(f"done: {title_of(name, **wildcards)}")


@app.command(epilog="Example: channelmaps rules za > my_territory.yaml")
def rules(
    country: Annotated[str | None, typer.Argument(help="Code of a country; a list if absent.")] = None,
) -> None:
    """Rules of a country as settings for a territory file, with sources and what was not found."""
    from pipeline.reference.rule_packs import rules_command

    rules_command(country)


@app.command(name="qgis-plugin", epilog="Example: channelmaps qgis-plugin")
def qgis_plugin(
    plugins: Annotated[
        Path | None,
        typer.Option(help="Folder of a profile's plugins; that of the default profile of QGIS 3 if absent."),
    ] = None,
) -> None:
    """Put the Processing provider into QGIS: run, what-if, query, explain and compare from its toolbox."""
    from pipeline.workflow.qgis_plugin import install_plugin

    folder = install_plugin(plugins)
    typer.echo(f"Plugin in {folder}")
    typer.echo("In QGIS: Plugins, Manage and Install Plugins, Installed, tick Channelmaps.")
