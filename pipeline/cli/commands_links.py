"""Commands on what white space is good for: links, rates, base stations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import app

_Results = Annotated[Path | None, typer.Option(help="Run whose permitted e.i.r.p. counts, with its terrain.")]
_Modes = Annotated[
    str, typer.Option(help="Table of modes of configs/tables/link_modes by its name, or a .csv.")
]
_Quantile = Annotated[float, typer.Option("--q-pct", help="Per cent of locations that a rate holds for.")]
_Interference = Annotated[str, typer.Option(help="Television at the receivers: dtt or none.")]


@app.command(
    epilog="Examples: channelmaps links links.csv --out plan\n\n"
    "channelmaps links links.csv --results results/slovenia/latest --channel auto --out plan\n\n"
    "channelmaps links --places places.csv --pairs 2:20 --template a5_high "
    "--results results/slovenia/latest --relay 4 --min-rate 10 --out plan"
)
def links(
    out: Annotated[Path, typer.Option(help="Folder for tables, GeoPackage, page and JSON.")],
    table: Annotated[Path | None, typer.Argument(help="CSV with one link per row.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Instead of --results: a territory, without limits.")
    ] = None,
    results: _Results = None,
    model: Annotated[
        str, typer.Option(help="p1812_or_p1546, p1812, p1546, extended_hata or free_space.")
    ] = "p1812_or_p1546",
    modes: Annotated[
        str | None,
        typer.Option(
            help="Table of modes of configs/tables/link_modes by its name, or a .csv; "
            "none: dvbt2_8mhz, of pairs that of the template."
        ),
    ] = None,
    q_pct: _Quantile = 70.0,
    interference: _Interference = "dtt",
    channel: Annotated[
        str, typer.Option(help="Channel of rows without one: a number, a bond such as 20-21, or auto.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict_a5_3: Annotated[
        bool, typer.Option("--strict-a5-3", help="Refuse what lies outside the range of Table A5-3.")
    ] = False,
    profiles: Annotated[
        bool, typer.Option("--profiles", help="Write the terrain profiles into the GeoPackage.")
    ] = False,
    pointing: Annotated[
        bool, typer.Option("--pointing", help="Credit ends for victims that their antennas do not point at.")
    ] = False,
    assign: Annotated[
        bool,
        typer.Option("--assign", help="Choose the channels of auto links, or of relay chains, together."),
    ] = False,
    places: Annotated[
        Path | None, typer.Option(help="Instead of links: CSV id,lon,lat of settlements, all pairs in range.")
    ] = None,
    pairs: Annotated[
        str | None, typer.Option(help="MIN:MAX km of pairs (2:20); alone: of the territory's own places.")
    ] = None,
    template: Annotated[str, typer.Option(help="Radios of pairs: a5_low, a5_high, or a .yaml.")] = "a5_high",
    min_population: Annotated[float, typer.Option(help="Least population of a place.")] = 0.0,
    max_pairs: Annotated[int, typer.Option(help="More pairs are refused.")] = 1_000_000,
    relay: Annotated[int | None, typer.Option(help="Most hops of relay chains from the sources.")] = None,
    min_rate: Annotated[float, typer.Option(help="Least rate in Mbit/s of a relay chain.")] = 1.0,
    role: Annotated[
        str | None, typer.Option(help="source,user: refuse places without roles; pairs then join the two.")
    ] = None,
    sources: Annotated[
        str | None, typer.Option(help="role=source: refuse relay chains from anywhere else.")
    ] = None,
    thresholds: Annotated[
        str, typer.Option(help="Rates of the groups of the histogram, Mbit/s with commas.")
    ] = "18,25,30,40",
) -> None:
    """Link budgets, rates and channels of white-space links (SM.2405, Annexes 5, 8, 9 and 10)."""
    from pipeline.errors import InputError
    from pipeline.links.link_files import LinkRequest, links_command
    from pipeline.links.settlement_files import PlacesRequest, settlements_command

    request = LinkRequest(
        out, config, results, model, modes or "dvbt2_8mhz", q_pct, interference, channel, as_json,
        strict_a5_3, profiles, assign, pointing,
    )  # fmt: skip
    between = places is not None or pairs is not None
    if between == (table is not None):
        raise InputError("is needed", field="LINKS.csv", allowed="a table of links, or --places or --pairs")
    if table is not None:
        links_command(table, request)
        return
    asked = PlacesRequest(
        places,
        pairs or "2:20",
        template,
        min_population,
        max_pairs,
        relay,
        min_rate,
        modes,
        role,
        sources,
        thresholds,
    )
    settlements_command(asked, request)


@app.command(
    epilog="Example: channelmaps reach --results results/slovenia/latest --device fixed30 --modes sm2405_a8 "
    '--mode "QPSK 1/2" --cpe a8_panel --out reach'
)
def reach(
    results: Annotated[Path, typer.Option(help="Folder of a published run.")],
    device: Annotated[str, typer.Option(help="Device of the run that stands for the base station.")],
    mode: Annotated[str, typer.Option(help="Mode that a client must still have.")],
    out: Annotated[Path, typer.Option(help="Folder for rasters and reach_statistics.csv.")],
    modes: _Modes = "dvbt2_8mhz",
    cpe: Annotated[str, typer.Option(help="Client radio of configs/tables/link_cpe.csv.")] = "a8_panel",
    cpe_table: Annotated[Path | None, typer.Option(help="CSV of further client radios.")] = None,
    q_pct: _Quantile = 70.0,
    km: Annotated[str, typer.Option(help="Distances of the numbers of channels, with commas.")] = "1,5,10",
) -> None:
    """How far a base station would reach from every pixel with what is permitted there."""
    from pipeline.links.reach_files import ReachRequest, distances_of, reach_command

    reach_command(ReachRequest(results, device, modes, mode, cpe, out, q_pct, distances_of(km), cpe_table))


@app.command(
    epilog="Example: channelmaps basestation configs/examples/stations_botswana.yaml "
    "--results results/botswana/latest --modes sm2405_a8 --out service"
)
def basestation(
    stations: Annotated[Path, typer.Argument(help="YAML of stations, or a CSV with a row for each radio.")],
    results: Annotated[Path, typer.Option(help="Run whose permitted e.i.r.p. counts, with its terrain.")],
    out: Annotated[Path, typer.Option(help="Folder for maps, tables, GeoPackage and JSON.")],
    modes: _Modes = "sm2405_a8",
    model: Annotated[str, typer.Option(help="p1812_or_p1546, p1812 or p1546.")] = "p1812_or_p1546",
    q_pct: _Quantile = 70.0,
    radius_km: Annotated[float, typer.Option(help="How far clients may be from a station.")] = 30.0,
    cpe: Annotated[str, typer.Option(help="Client radio of configs/tables/link_cpe.csv.")] = "a8_panel",
    cpe_table: Annotated[Path | None, typer.Option(help="CSV of further client radios.")] = None,
    sites: Annotated[Path | None, typer.Option(help="CSV id,lon,lat of places that get a row each.")] = None,
    interference: _Interference = "dtt",
    channels: Annotated[
        str, typer.Option(help="What radios without a channel choose from: auto (all), or 21-36,42.")
    ] = "auto",
    pointing: Annotated[
        bool,
        typer.Option("--pointing", help="Credit sectors for victims that their antennas do not point at."),
    ] = False,
    try_azimuths: Annotated[
        bool, typer.Option("--try-azimuths", help="With --pointing: the axis permitted most, for each radio.")
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Also OUT/public: the maps without what tells of stations.")
    ] = False,
) -> None:
    """Where base stations give service, on which channels, to how many people (SM.2405, Annexes 8 to 10)."""
    from pipeline.links.link_files import LinkRequest
    from pipeline.links.service_files import StationRequest, basestation_command

    request = LinkRequest(out, None, results, model, modes, q_pct, interference)
    asked = StationRequest(
        stations,
        radius_km,
        cpe,
        cpe_table,
        sites,
        results if pointing else None,
        try_azimuths,
        publish,
        channels,
    )
    basestation_command(asked, request)


@app.command(
    epilog="Example: channelmaps unserved --results results/slovenia/latest --device fixed30 --out answer"
)
def unserved(
    results: Annotated[Path, typer.Option(help="Folder of a published run, its population beside it.")],
    device: Annotated[str, typer.Option(help="Device of the run that stands for the base stations.")],
    out: Annotated[Path, typer.Option(help="Folder for the page, its numbers and the stations.")],
    modes: _Modes = "dvbt2_8mhz",
    rate: Annotated[float, typer.Option(help="Rate in Mbit/s that people are without.")] = 30.0,
    cpe: Annotated[str, typer.Option(help="Client radio of configs/tables/link_cpe.csv.")] = "a8_panel",
    share_pct: Annotated[
        float, typer.Option(help="Per cent of people in thinly settled places without it: illustrative.")
    ] = 20.0,
    rural_per_km2: Annotated[
        float, typer.Option(help="Thinly settled: up to so many people per km2.")
    ] = 100.0,
    cap_dbm: Annotated[float, typer.Option(help="Further cap of the e.i.r.p. in dBm; 99: none.")] = 99.0,
    least_people: Annotated[float, typer.Option(help="People that a station must add.")] = 20.0,
    most_stations: Annotated[int, typer.Option(help="At most so many stations.")] = 200,
    q_pct: _Quantile = 70.0,
) -> None:
    """One page: how many people without fast access white space could serve, on illustrative shares."""
    from pipeline.links.unserved_page import UnservedRequest, unserved_command

    unserved_command(
        UnservedRequest(
            results, device, out, modes, rate, cpe, share_pct, rural_per_km2, cap_dbm, least_people,
            most_stations, q_pct,
        )
    )  # fmt: skip
