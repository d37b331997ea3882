"""Commands of the coordination with other services and administrations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import CommandFamily, app

radar = CommandFamily(help="Register of oceanographic radars.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(radar, name="radar")


satellites = CommandFamily(
    help="Satellite networks under RR No. 9.41: delta-T/T at points, or a special section as a whole.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
app.add_typer(satellites, name="rr941")


@satellites.callback(
    epilog="Example: channelmaps rr941 --networks networks.yaml --points points.csv --out result.csv"
)
def rr941(
    context: typer.Context,
    networks: Annotated[
        Path | None, typer.Option(help="YAML with the victim and the interferer network.")
    ] = None,
    points: Annotated[Path | None, typer.Option(help="CSV with the columns lon,lat.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV to write; nan where there is no value.")] = None,
) -> None:
    """Increase of noise temperature between two satellite networks at points (RR No. 9.41)."""
    if context.invoked_subcommand is not None:
        return
    if networks is None or points is None or out is None:
        given = {"--networks": networks, "--points": points, "--out": out}
        missing = ", ".join(name for name, value in given.items() if value is None)
        raise typer.BadParameter(f"missing {missing}, or the command `screen`")
    from pipeline.coordination.rr941.point_table import rr941_command

    rr941_command(networks, points, out)


@satellites.command(
    epilog="Example: channelmaps rr941 screen --own own.csv --published crc.csv --ific-date 2026-06-16 "
    "--today 2026-07-01 --out screening"
)
def screen(
    own: Annotated[
        Path,
        typer.Option(
            help="Networks that may suffer (of an exclusion: those named): CSV, or a folder of YAML files."
        ),
    ],
    published: Annotated[Path, typer.Option(help="Networks of the special section, in the same form.")],
    ific_date: Annotated[str, typer.Option(help="Date of the BR IFIC, YYYY-MM-DD.")],
    today: Annotated[str, typer.Option(help="Date of the comment, YYYY-MM-DD.")],
    out: Annotated[Path, typer.Option(help="Folder for tables and drafts of comments.")],
    region: Annotated[int, typer.Option(help="ITU Region: 1, 2 or 3.")] = 1,
    edition: Annotated[str, typer.Option(help="Edition of the arcs: WRC12 or WRC15.")] = "WRC15",
    kind: Annotated[str, typer.Option(help="What comments ask for: inclusion or exclusion.")] = "inclusion",
    points: Annotated[
        Path | None, typer.Option(help="CSV lon,lat: places of earth stations, in place of a lattice.")
    ] = None,
    identified: Annotated[
        Path | None, typer.Option(help="CSV own,published: pairs that the request names already.")
    ] = None,
    sre: Annotated[
        Path | None, typer.Option(help="CSV own,published,outcome of the CR/E: compared with our list.")
    ] = None,
    claimed_crc_error: Annotated[
        bool,
        typer.Option(
            "--claimed-crc-error", help="An error of the CR/C is claimed: bands without an arc are reviewed."
        ),
    ] = False,
) -> None:
    """All own networks against all of a special section: decisions, groups, drafts of comments."""
    from pipeline.coordination.rr941.screen_files import ScreenRequest, screen_command

    lists = (points, identified, sre)
    screen_command(
        ScreenRequest(own, published, ific_date, today, out, region, edition, kind, *lists, claimed_crc_error)
    )


@app.command(epilog="Example: channelmaps f1565 --links links.csv --out budget.json")
def f1565(
    links: Annotated[Path, typer.Option(help="CSV with one fixed link per row.")],
    out: Annotated[Path, typer.Option(help="JSON to write: budgets of every link.")],
    hops: Annotated[
        Path | None, typer.Option(help="CSV link_id,hop,length_km,weight,operator: shares the budgets out.")
    ] = None,
    interference: Annotated[
        Path | None, typer.Option(help="CSV link_id,source,kind,esr,sesr,bber: what sources spend of them.")
    ] = None,
    measured: Annotated[
        Path | None,
        typer.Option(help="CSV link_id,month,available_s,es,ses,bbe,blocks_per_s: whether they are kept."),
    ] = None,
) -> None:
    """Error-performance budgets of fixed links (Rec. ITU-R F.1565-1)."""
    from pipeline.coordination.f1565.budget_document import f1565_command

    f1565_command(links, out, hops, interference, measured)


@radar.command(
    epilog="Example: channelmaps radar apply --register db.csv --submission new.csv --mode strict "
    "--out db2.csv --report report.json"
)
def apply(
    register: Annotated[Path, typer.Option(help="Register in the CR/372 format; an empty file is empty.")],
    submission: Annotated[Path, typer.Option(help="Records to apply, in the CR/372 format.")],
    mode: Annotated[
        str, typer.Option(help="strict (before sending), or lenient, also bureau: the rule of the Bureau.")
    ],
    out: Annotated[Path, typer.Option(help="New register to write.")],
    report: Annotated[Path, typer.Option(help="JSON with all findings, written in every case.")],
    date: Annotated[
        str | None, typer.Option(help="Date of update of the records added; today (UTC) if not given.")
    ] = None,
) -> None:
    """Apply a submission to the register of oceanographic radars (BR Circular Letter CR/372)."""
    from pipeline.coordination.radar.cr372_register import radar_apply_command

    radar_apply_command(register, submission, mode, out, report, date)


_RegisterOption = Annotated[Path, typer.Option(help="Register in the CR/372 format, text or workbook.")]
_JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@radar.command("list", epilog="Example: channelmaps radar list --register db.csv")
def list_radars(register: _RegisterOption, as_json: _JsonOption = False) -> None:
    """List the radars of a register."""
    from pipeline.coordination.radar.register_views import RadarFilter, radar_search_command

    radar_search_command(register, RadarFilter(), as_json=as_json)


@radar.command(epilog='Example: channelmaps radar show --register db.csv --adm AUS --ref "AUS - 013"')
def show(
    register: _RegisterOption,
    adm: Annotated[str, typer.Option(help="ITU code of the administration.")],
    ref: Annotated[str, typer.Option(help="Adm_ref_id of the radar, or the name of its site.")],
    as_json: _JsonOption = False,
) -> None:
    """Show all that a register holds of a radar."""
    from pipeline.coordination.radar.register_views import radar_show_command

    radar_show_command(register, adm, ref, as_json=as_json)


@radar.command(
    epilog="Example: channelmaps radar search --register db.csv --band 4.4-4.5 --near 115.3,-31.2,500"
)
def search(
    register: _RegisterOption,
    adm: Annotated[str | None, typer.Option(help="ITU code of the administration.")] = None,
    area: Annotated[str | None, typer.Option(help="Code of the geographical area.")] = None,
    band: Annotated[str | None, typer.Option(help="Centre frequency in MHz, F1-F2.")] = None,
    near: Annotated[str | None, typer.Option(help="LON,LAT,KM: within so many km of a place.")] = None,
    network: Annotated[str | None, typer.Option(help="Name of the network.")] = None,
    in_use_on: Annotated[str | None, typer.Option(help="In use on that day, YYYY-MM-DD.")] = None,
    as_json: _JsonOption = False,
) -> None:
    """Search a register; all conditions given must hold."""
    from pipeline.coordination.radar.register_views import filter_of, radar_search_command

    wanted = filter_of(adm, area, band, near, network, in_use_on)
    radar_search_command(register, wanted, as_json=as_json)


@radar.command(
    epilog="Example: channelmaps radar concerned --register db.csv --new new.csv --borders world.gpkg"
)
def concerned(
    register: _RegisterOption,
    new: Annotated[Path, typer.Option(help="New radars in the CR/372 format, every one an A.")],
    borders: Annotated[
        Path | None, typer.Option(help="Country polygons (lon/lat) of all that is within reach.")
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Registered radars and administrations that new radars concern, and those that concern them."""
    from pipeline.coordination.radar.concerned import radar_concerned_command

    radar_concerned_command(register, new, borders, as_json=as_json)


@radar.command(epilog="Example: channelmaps radar export --register db.csv --format xlsx --out radars.xlsx")
def export(
    register: _RegisterOption,
    kind: Annotated[str, typer.Option("--format", help="csv (CR/372), xlsx, json or gpkg.")],
    out: Annotated[
        Path, typer.Option(help="File to write; a notice beside it where it has no room for one.")
    ],
) -> None:
    """Write a register in another format."""
    from pipeline.coordination.radar.register_views import radar_export_command

    radar_export_command(register, kind, out)


@app.command(
    epilog="Examples: channelmaps dfs --f-mhz 5260 --bandwidth-mhz 20 --eirp-dbm 23\n\n"
    "channelmaps dfs --f-mhz 5600 --bandwidth-mhz 20 --eirp-dbm 20 --radars radars.csv "
    "--results results/slovenia/latest --out dfs_detect.tif"
)
def dfs(
    f_mhz: Annotated[float, typer.Option("--f-mhz", help="Centre of the channel in MHz.")],
    bandwidth_mhz: Annotated[float, typer.Option("--bandwidth-mhz", help="Its width in MHz.")],
    eirp_dbm: Annotated[float, typer.Option("--eirp-dbm", help="Largest e.i.r.p. in dBm, up to 30.")],
    as_json: _JsonOption = False,
    radars: Annotated[
        Path | None, typer.Option(help="CSV id,lon,lat,height_m,f_mhz,bandwidth_mhz,eirp_dbm.")
    ] = None,
    results: Annotated[Path | None, typer.Option(help="A published run, for the grid of the map.")] = None,
    out: Annotated[Path | None, typer.Option(help="GeoTIFF to write: where a radar is detected.")] = None,
    height_m: Annotated[float, typer.Option("--height-m", help="Antenna of the device, for the map.")] = 1.5,
) -> None:
    """Dynamic frequency selection in 5 GHz (SM.2405, Table A2-3): threshold and times, or a map."""
    if radars is None and results is None and out is None:
        from pipeline.coordination.sensing import dfs_command

        dfs_command(f_mhz, bandwidth_mhz, eirp_dbm, as_json=as_json)
        return
    if radars is None or results is None or out is None:
        raise typer.BadParameter("a map needs --radars, --results and --out")
    from pipeline.studies.sensing_maps import DfsMap, dfs_detect_command

    dfs_detect_command(DfsMap(f_mhz, bandwidth_mhz, eirp_dbm, height_m), radars, results, out)


@app.command(
    epilog="Examples: channelmaps sensing --config sensing.yaml\n\n"
    "channelmaps sensing --config sensing.yaml --results results/slovenia/latest --out sensing_gap.tif"
)
def sensing(
    config: Annotated[Path, typer.Option(help="YAML with detector, signal and what hides it.")],
    results: Annotated[Path | None, typer.Option(help="A published run, with internal/, for a map.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="GeoTIFF to write: by how much a hidden detector misses television.")
    ] = None,
) -> None:
    """What a detector needs and what a hidden one gets (SM.2405, Annex 2); never changes a map."""
    if results is None and out is None:
        from pipeline.coordination.sensing import sensing_command

        sensing_command(config)
        return
    if results is None or out is None:
        raise typer.BadParameter("a map needs --results and --out")
    from pipeline.studies.sensing_maps import sensing_gap_command

    sensing_gap_command(config, results, out)
