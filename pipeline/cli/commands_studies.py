"""Commands that study models, devices and territories beside the published maps."""

from __future__ import annotations

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
from pipeline.propagation.models import model_names, regime_words


@app.command(
    epilog=f"Words of branch: {', '.join(regime_words())}.\n\n"
    "Examples: channelmaps predict --model p1546 --links links.csv --out fields.csv\n\n"
    "channelmaps predict --model p1812 --links links.csv --profiles profiles.csv --out fields.csv\n\n"
    "channelmaps predict --model p1812 --links links.csv --dem elevations.tif --out fields.csv"
)
def predict(
    model: Annotated[str, typer.Option(help=", ".join((*model_names("link"), *model_names("path"))))],
    links: Annotated[Path, typer.Option(help="CSV with one link per row.")],
    out: Annotated[Path, typer.Option(help="CSV to write: the links with field, loss, branch, valid.")],
    profiles: Annotated[
        Path | None,
        typer.Option(help="CSV with the path profiles that the links name (p1812): a row per sample."),
    ] = None,
    dem: Annotated[
        list[Path] | None,
        typer.Option(help="Instead: elevations to take the profiles from (p1812); once for each file."),
    ] = None,
    land: Annotated[
        Path | None, typer.Option(help="Land mask in degrees beside the elevations, 0 = sea (p1812).")
    ] = None,
    clutter: Annotated[
        list[Path] | None, typer.Option(help="Land cover beside the elevations (p1812); once for each file.")
    ] = None,
    clutter_table: Annotated[
        Path | None, typer.Option(help="Heights of its classes, such as configs/tables/clutter_corine.csv.")
    ] = None,
    intermediates: Annotated[
        bool, typer.Option("--intermediates", help="Write all intermediate results too (p1812).")
    ] = False,
) -> None:
    """Field strength and basic transmission loss of links in a table."""
    from pipeline.studies.predict_profiles import ProfileSources, predict_links_command

    sources = ProfileSources(profiles, tuple(dem or ()), land, tuple(clutter or ()), clutter_table)
    predict_links_command(model, links, out, sources=sources, intermediates=intermediates)


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
    """What devices together do to DTT reception, and the required margin; needs a finished run."""
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


@app.command(epilog="Example: channelmaps zone configs/slovenia.yaml --rules zone.yaml --out zone")
def zone(
    config: Annotated[Path, typer.Argument(help="Territory file.")],
    rules: Annotated[Path, typer.Option(help="YAML: zone_km, conditions, preferential, zone_cap_dbm.")],
    out: Annotated[Path, typer.Option(help="Folder for the map of the zone and the masks.")],
    build: Annotated[
        Path | None, typer.Option(help="Intermediates of the territory, if not build/<name>.")
    ] = None,
) -> None:
    """Zone along the borders with its conditions, and masks for channels preferred abroad."""
    from pipeline.studies.coordination_zone import zone_command

    zone_command(config, rules, out, build=build)


@app.command(epilog="Example: channelmaps priority configs/slovenia.yaml --out priority")
def priority(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="Folder for priority.csv and the maps of each level.")],
    build: Annotated[Path | None, typer.Option(help="Intermediates; build/<territory> if absent.")] = None,
) -> None:
    """Which channels each level of priority may be given, and where; needs a finished run."""
    from pipeline.studies.priority_maps import priority_command

    priority_command(config, out, build=build)


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

    sensitivity_command(config, channel_option(channel), device, out, threads=threads)


@app.command(epilog="Example: channelmaps validation docs/validation.md")
def validation(
    page: Annotated[Path, typer.Argument(help="Page with the marks of its tables.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of reference data that are not part of the project: p1546, p1812, fcc_pairs. "
            "../shared/data if absent; tables of data that are not there stay."
        ),
    ] = None,
) -> None:
    """Write the tables of docs/validation.md anew: models against reference results and measurements.

    The picture images/validation_benin.png beside the page is overwritten.
    """
    from pipeline.shipped import shipped
    from pipeline.studies.validation_page import validation_command

    validation_command(page, data, shipped("data"))


@app.command(
    name="validate-field",
    epilog="Columns: lon, lat, field_dbuvm; transmitter (an id of the register) or channel (its strongest "
    "transmitter there); h2_m (the receiving height of the territory if empty).\n\n"
    "Examples: channelmaps validate-field measured.csv --config configs/slovenia.yaml --out validation\n\n"
    "channelmaps validate-field measured.csv --config configs/slovenia.yaml --models p1546,p1812 "
    "--fit-offset",
)
def validate_field(
    measurements: Annotated[Path, typer.Argument(help="CSV, GeoPackage or GeoJSON of measured fields.")],
    config: ConfigOption,
    out: Annotated[Path | None, typer.Option(help="Folder for rows, statistics and a picture.")] = None,
    models: Annotated[
        str | None,
        typer.Option(
            help="Models side by side, with commas between; that of the territory if absent. "
            f"{', '.join(model_names('coverage'))}."
        ),
    ] = None,
    fit_offset: Annotated[
        bool, typer.Option("--fit-offset", help="Also with the bias of each transmitter removed.")
    ] = False,
) -> None:
    """Bias and standard deviation of models of coverage against measured field strengths."""
    from pipeline.studies.validate_field import validate_field_command

    validate_field_command(measurements, config, out, models=models, fit_offset=fit_offset)
