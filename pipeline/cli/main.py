"""The command line: arguments, thread limits and exit codes; everything else is imported when it is needed.

Exit codes: 0 done, 1 failed while computing, 2 refused input (one line on stderr, nothing half-written).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.stages import ChannelOption, ConfigOption, ThreadsOption, stages
from pipeline.errors import InputError
from pipeline.propagation.models import model_names, regime_words

app = typer.Typer(
    name="channelmaps",
    help="Channel-availability and maximum-e.i.r.p. maps of a national territory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# Stages are commands of their own, which only the workflow calls.
app.add_typer(stages)

ConfigFile = Annotated[Path, typer.Argument(help="Territory file, e.g. configs/slovenia.yaml.")]


@app.command(epilog="Example: channelmaps validate configs/slovenia.yaml")
def validate(
    config: ConfigFile,
    lenient: Annotated[bool, typer.Option("--lenient", help="Skip and list bad register rows.")] = False,
) -> None:
    """Check a territory file and everything it names; compute nothing."""
    from pipeline.workflow.validate import validate_command

    validate_command(config, lenient=lenient)


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
            help="Dask scheduler whose workers compute the blocks (docs/dask.md).",
        ),
    ] = None,
) -> None:
    """Check a territory file, compute what changed, publish it under results/."""
    from pipeline.workflow.run import RunOptions, run_command

    options = RunOptions(
        cores, lenient, dry_run, if_changed, wait, accept_shrink, keep_runs, summary, dask_address
    )
    raise typer.Exit(run_command(config, options))


@app.command(
    epilog="Example: channelmaps picture "
    "results/slovenia/latest/public/available_channels_fixed30_20dbm.tif free_channels.png"
)
def picture(
    layer: Annotated[Path, typer.Argument(help="Published layer of one band, with its name as published.")],
    out: Annotated[Path, typer.Argument(help="PNG to write.")],
    title: Annotated[str, typer.Option(help="Line above the map.")] = "",
) -> None:
    """Draw a published layer with its legend."""
    from pipeline.publish.layer_picture import picture_command

    picture_command(layer, out, title=title)


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


@app.command(
    epilog=f"Words of branch: {', '.join(regime_words())}.\n\n"
    "Example: channelmaps predict --model p1546 --links links.csv --out fields.csv"
)
def predict(
    model: Annotated[str, typer.Option(help=", ".join(model_names("link")))],
    links: Annotated[Path, typer.Option(help="CSV with one link per row.")],
    out: Annotated[Path, typer.Option(help="CSV to write: the links with field, loss, branch, valid.")],
) -> None:
    """Field strength and basic transmission loss of links in a table."""
    from pipeline.studies.predict import predict_command

    predict_command(model, links, out)


@app.command(
    epilog="Example: channelmaps rr941 --networks networks.yaml --points points.csv --out result.csv"
)
def rr941(
    networks: Annotated[Path, typer.Option(help="YAML with the victim and the interferer network.")],
    points: Annotated[Path, typer.Option(help="CSV with the columns lon,lat.")],
    out: Annotated[Path, typer.Option(help="CSV to write; nan where nothing could be computed.")],
) -> None:
    """Increase of noise temperature between two satellite networks at points (RR No. 9.41)."""
    from pipeline.coordination.rr941.point_table import rr941_command

    rr941_command(networks, points, out)


@app.command(epilog="Example: channelmaps f1565 --links links.csv --out budget.json")
def f1565(
    links: Annotated[Path, typer.Option(help="CSV with one fixed link per row.")],
    out: Annotated[Path, typer.Option(help="JSON to write: budgets of every link.")],
) -> None:
    """Error-performance budgets of fixed links (Rec. ITU-R F.1565-1)."""
    from pipeline.coordination.f1565.command import f1565_command

    f1565_command(links, out)


@app.command(
    epilog="Examples: channelmaps aggregate configs/slovenia.yaml --devices placed.csv --out check\n\n"
    "channelmaps aggregate configs/slovenia.yaml --density-per-km2 0.05 --device fixed30 --out check"
)
def aggregate(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Folder for aggregate.csv and aggregate_chNN.tif.")],
    devices: Annotated[
        Path | None, typer.Option(help="Table lon,lat,channel,eirp_dbm,device; no e.i.r.p. = the permitted.")
    ] = None,
    density_per_km2: Annotated[
        float | None, typer.Option(help="Instead: a lattice of devices on every channel, each as permitted.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Device of the lattice; the first if absent.")] = None,
    build: Annotated[Path | None, typer.Option(help="Intermediates; build/<territory> if absent.")] = None,
    threads: ThreadsOption = 1,
) -> None:
    """What devices together do to DTT reception, and the margin that cures it; needs a finished run."""
    from pipeline.studies.aggregate import aggregate_command

    aggregate_command(
        config,
        out,
        devices=devices,
        density_per_km2=density_per_km2,
        device_id=device,
        build=build,
        threads=threads,
    )


@app.command(epilog="Example: channelmaps priority configs/slovenia.yaml --out priority")
def priority(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Folder for priority.csv and the maps of each level.")],
    build: Annotated[Path | None, typer.Option(help="Intermediates; build/<territory> if absent.")] = None,
) -> None:
    """Which channels each level of priority may be given, and where; needs a finished run."""
    from pipeline.studies.priority_maps import priority_command

    priority_command(config, out, build=build)


radar = typer.Typer(help="Register of oceanographic radars.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(radar, name="radar")


@radar.command(
    epilog="Example: channelmaps radar apply --register db.csv --submission new.csv --mode strict "
    "--out db2.csv --report report.json"
)
def apply(
    register: Annotated[Path, typer.Option(help="Register in the CR/372 format; an empty file is empty.")],
    submission: Annotated[Path, typer.Option(help="Records to apply, in the CR/372 format.")],
    mode: Annotated[str, typer.Option(help="strict or lenient.")],
    out: Annotated[Path, typer.Option(help="New register to write.")],
    report: Annotated[Path, typer.Option(help="JSON with all findings, written in every case.")],
) -> None:
    """Apply a submission to the register of oceanographic radars (BR Circular Letter CR/372)."""
    from pipeline.coordination.radar.apply_command import radar_apply_command

    radar_apply_command(register, submission, mode, out, report)


@radar.callback()
def _radar() -> None:
    """Keep `apply` a sub-command of its own."""


@app.command(
    epilog="Example: channelmaps explain --results results/slovenia/latest --lon 14.5 --lat 46.05 "
    "--channel 30 --device fixed30"
)
def explain(
    results: Annotated[Path, typer.Option(help="Folder of a published run.")],
    lon: Annotated[float, typer.Option(help="Longitude in degrees, WGS84.")],
    lat: Annotated[float, typer.Option(help="Latitude in degrees, WGS84.")],
    channel: ChannelOption,
    device: Annotated[str, typer.Option(help="Id of a device profile of the run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    build: Annotated[
        Path | None,
        typer.Option(help="Intermediates of the run; build/<territory> beside results/ if absent."),
    ] = None,
) -> None:
    """Budget of the victim that decides the maximum e.i.r.p. at a place: terms that add up to it."""
    from pipeline.studies.explain import explain_command

    explain_command(results, lon, lat, channel, device, build=build, as_json=as_json)


@app.command(
    epilog="Examples: channelmaps query --results results/slovenia/latest --lon 14.5 --lat 46.05\n\n"
    "channelmaps query --results results/slovenia/latest --lon 14.5 --lat 46.05 --height 25 --uncertainty 50"
)
def query(
    results: Annotated[Path, typer.Option(help="Folder of a published run.")],
    lon: Annotated[float, typer.Option(help="Longitude in degrees, WGS84.")],
    lat: Annotated[float, typer.Option(help="Latitude in degrees, WGS84.")],
    device: Annotated[str | None, typer.Option(help="Id of a device profile; the first if absent.")] = None,
    height: Annotated[
        float | None, typer.Option(help="Antenna above ground in m; chooses the layer.")
    ] = None,
    uncertainty: Annotated[float, typer.Option(help="Radius in m within which the device is.")] = 0.0,
    generic_slave: Annotated[
        bool, typer.Option("--generic-slave", help="For the slaves of the device, wherever they hear it.")
    ] = False,
    eirp: Annotated[
        float | None,
        typer.Option(help="E.i.r.p. in dBm that the slaves' master uses; what it may if absent."),
    ] = None,
) -> None:
    """Spectrum that a device may use at a place: an AVAIL_SPECTRUM_RESP or an error of RFC 7545 as JSON."""
    from pipeline.query.query import Request, query_command

    request = Request(lon, lat, device, height, uncertainty, generic_slave, eirp)
    raise typer.Exit(query_command(results, request))


@app.command(
    epilog="Example: channelmaps compare results/slovenia/0123456789abcdef results/slovenia/latest "
    "--out changes"
)
def compare(
    run_a: Annotated[Path, typer.Argument(help="Folder of the earlier run.")],
    run_b: Annotated[Path, typer.Argument(help="Folder of the later run.")],
    out: Annotated[Path, typer.Option(help="Folder to write maps, tables and pictures to.")],
) -> None:
    """What changed between two runs: maps, channels gained and lost, changed inputs."""
    from pipeline.studies.compare import compare_command

    compare_command(run_a, run_b, out)


@app.command(
    name="validate-field",
    epilog="Columns: lon, lat, field_dbuvm; transmitter (an id of the register) or channel (its strongest "
    "transmitter there); h2_m (the receiving height of the territory if empty).\n\n"
    "Example: channelmaps validate-field measurements.csv --config configs/slovenia.yaml --out validation",
)
def validate_field(
    measurements: Annotated[Path, typer.Argument(help="CSV, GeoPackage or GeoJSON of measured fields.")],
    config: ConfigOption,
    out: Annotated[Path | None, typer.Option(help="Folder for rows, statistics and a picture.")] = None,
) -> None:
    """Bias and standard deviation of the coverage model against measured field strengths."""
    from pipeline.studies.validate_field import validate_field_command

    validate_field_command(measurements, config, out)


@app.command(
    epilog="Example: channelmaps sensitivity configs/slovenia.yaml --channel 30 --device fixed30 --out spread"
)
def sensitivity(
    config: ConfigFile,
    channel: ChannelOption,
    device: Annotated[str, typer.Option(help="Id of a device profile.")],
    out: Annotated[Path, typer.Option(help="Folder for the raster of the spread and the statistics.")],
    threads: ThreadsOption = 1,
) -> None:
    """Spread of the maximum e.i.r.p. between propagation models, location variation and dq."""
    from pipeline.studies.sensitivity import sensitivity_command

    sensitivity_command(config, channel, device, out, threads=threads)


@app.command(epilog="Example: channelmaps schema > configs/schema.json")
def schema() -> None:
    """Print the JSON schema of a territory file."""
    from pipeline.config.load import export_schema

    sys.stdout.write(export_schema())


def main() -> None:
    """Entry point: turns refused input into one line and exit code 2."""
    _one_thread_each()
    try:
        app()
    except InputError as error:
        print(f"channelmaps: {error}", file=sys.stderr)
        sys.exit(2)


def _one_thread_each() -> None:
    """Libraries must not start threads of their own: the workflow and the blocks share out the cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "GDAL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
