"""Commands that read a published run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import ChannelOption, app, channel_option


@app.command(
    epilog="Examples: channelmaps query --results results/slovenia/latest --lon 14.5 --lat 46.05\n\n"
    "channelmaps query --results results/slovenia/latest --lon 14.5 --lat 46.05 --height 25 --uncertainty 50"
)
def query(
    results: Annotated[Path, typer.Option(help="Folder of a published run.")],
    lon: Annotated[float | None, typer.Option(help="Longitude in degrees, WGS84.")] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude in degrees, WGS84.")] = None,
    area: Annotated[
        Path | None,
        typer.Option(help="Polygon in place of --lon and --lat: for a device that may be anywhere in it."),
    ] = None,
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
    at: Annotated[
        str | None,
        typer.Option(help="Instant of the answer, UTC, such as 2026-12-05T08:00:00Z; now if absent."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the message of RFC 7545, as into a pipe or a file.")
    ] = False,
) -> None:
    """Channels that a device may use at a place: a table, or an AVAIL_SPECTRUM_RESP of RFC 7545 as JSON."""
    from pipeline.query.query import Request, instant_of, place_of, query_command

    place, region = place_of(lon, lat, area, uncertainty)
    request = Request(*place, device, height, uncertainty, generic_slave, eirp, region=region)
    raise typer.Exit(
        query_command(
            results, request, as_json=as_json or not sys.stdout.isatty(), now=instant_of("--at", at)
        )
    )


@app.command(
    epilog="Examples: channelmaps explain --results results/slovenia/latest --lon 14.5 --lat 46.05 "
    "--channel 30 --device fixed30\n\n"
    "channelmaps explain --results results/slovenia/latest --lon 14.5 --lat 46.05 --channel 30 "
    "--device fixed30 --profile path.png"
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
    height: Annotated[
        float | None,
        typer.Option(help="Antenna above ground in m: the lowest of the layers that a query takes."),
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(help="PNG to draw: the terrain between the victim and the station it receives."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="PNG to draw: the terms of the budget, and the next limits.")
    ] = None,
) -> None:
    """Budget of the victim that decides the maximum e.i.r.p. at a place, and of the next three limits."""
    from pipeline.studies.explain import explain_command
    from pipeline.studies.explain_picture import ExplainPictures

    explain_command(
        results,
        lon,
        lat,
        channel_option(channel),
        device,
        build=build,
        as_json=as_json,
        height_m=height,
        pictures=ExplainPictures(profile, picture),
    )


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
    epilog="Example: channelmaps occupancy measured.csv --results results/slovenia/latest --out occupancy"
)
def occupancy(
    measurements: Annotated[
        Path, typer.Argument(help="CSV lon,lat,duty_pct, channel or f_mhz,bandwidth_mhz, and a level.")
    ],
    results: Annotated[Path, typer.Option(help="Folder of a published run, with internal/.")],
    out: Annotated[Path, typer.Option(help="Folder to write tables and a GeoPackage to.")],
    device: Annotated[str | None, typer.Option(help="Id of a device profile; the first if absent.")] = None,
) -> None:
    """Measured occupancy beside the maps: hints for a person, never a change of a map (SM.2405, 6.3)."""
    from pipeline.studies.occupancy import occupancy_command

    occupancy_command(measurements, results, out, device=device)


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
    from pipeline.publish.report.figures import picture_command

    picture_command(layer, out, title=title)
