"""Commands of the database in service: serve, devices, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import CommandFamily, app

ResultsOption = Annotated[Path, typer.Option("--results", help="results/<territory>, or its latest run.")]
DbOption = Annotated[str, typer.Option("--db", help="sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.")]
LoopOption = Annotated[
    Path | None, typer.Option("--loop", help="YAML in place of section loop of the territory file.")
]


@app.command(
    epilog="Examples: channelmaps serve --results results/slovenia --db sqlite:///loop.db\n\n"
    "channelmaps serve --results results/slovenia --db sqlite:///loop.db --listen 0.0.0.0:8443 "
    "--tls-cert server.pem --tls-key server.key"
)
def serve(
    results: ResultsOption,
    db: DbOption = "sqlite:///loop.db",
    listen: Annotated[str, typer.Option(help="HOST:PORT.")] = "127.0.0.1:8443",
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate of the server, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(help="Who signs the certificates that clients must have, PEM.")
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy in front has TLS and names who asks.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    loop: LoopOption = None,
    cors: Annotated[str | None, typer.Option(help="Origin whose pages may ask.")] = None,
    now: Annotated[str | None, typer.Option(help="UTC instant the clock starts at, for tests.")] = None,
    allow_unsynchronised: Annotated[
        bool, typer.Option("--allow-unsynchronised", help="Begin though the clock is known to be wrong.")
    ] = False,
) -> None:
    """Answer devices over PAWS (RFC 7545): POST /paws; GET /health tells whether it does."""
    from pipeline.loop.serve import listening, refuse_wrong_clock, serve_command
    from pipeline.loop.server import ServerSettings
    from pipeline.query.query import instant_of

    settings = ServerSettings(
        results=results,
        db=db,
        loop=loop,
        begin=instant_of("--now", now),
        behind_proxy=behind_proxy,
        cors=cors,
        workers=workers,
    )
    if not allow_unsynchronised and now is None:
        refuse_wrong_clock()
    raise typer.Exit(serve_command(settings, listening(listen, tls_cert, tls_key, workers, client_ca)))


devices = CommandFamily(
    help="Register of devices, orders to stop, and what is in use.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(devices, name="devices")
IdArgument = Annotated[str, typer.Argument(help="Id of the register, or key of devices list.")]
InstantOption = Annotated[str | None, typer.Option(help="UTC instant such as 2026-12-05T08:00:00Z.")]


@devices.command(
    name="import", epilog="Example: channelmaps devices import devices.csv --db sqlite:///loop.db"
)
def import_devices(
    file: Annotated[Path, typer.Argument(help="devices.csv, or GeoJSON or GeoPackage with its columns.")],
    db: DbOption = "sqlite:///loop.db",
    contacts: Annotated[Path | None, typer.Option(help="contacts.csv: owners and operators.")] = None,
) -> None:
    """Enter devices, all of the file or none; one that is known is updated, what it was is kept."""
    from pipeline.loop.device_tools import import_command

    import_command(file, db, contacts)


@devices.command(name="list", epilog="Example: channelmaps devices list --db sqlite:///loop.db")
def list_devices(db: DbOption = "sqlite:///loop.db") -> None:
    """A line a device: id, state, category, what it is, channels in use."""
    from pipeline.loop.device_tools import list_command

    list_command(db)


@devices.command(epilog="Example: channelmaps devices show KX-1 --db sqlite:///loop.db")
def show(device: IdArgument, db: DbOption = "sqlite:///loop.db") -> None:
    """All that is known of a device, as JSON."""
    from pipeline.loop.device_tools import show_command

    show_command(device, db)


@devices.command(name="export", epilog="Example: channelmaps devices export --out devices.csv")
def export_devices(
    out: Annotated[Path, typer.Option(help="CSV to write.")], db: DbOption = "sqlite:///loop.db"
) -> None:
    """Write the register as it is imported."""
    from pipeline.loop.device_tools import export_command

    export_command(out, db)


@devices.command(epilog="Example: channelmaps devices retire KX-1 --db sqlite:///loop.db")
def retire(device: IdArgument, db: DbOption = "sqlite:///loop.db") -> None:
    """A device that is no more: it is refused, its use ends."""
    from pipeline.loop.device_tools import retire_command

    retire_command(device, db)


@devices.command(epilog="Example: channelmaps devices forget dolina --db sqlite:///loop.db")
def forget(
    contact: Annotated[str, typer.Argument(help="Key of a contact.")], db: DbOption = "sqlite:///loop.db"
) -> None:
    """Erase a person's contact."""
    from pipeline.loop.device_tools import forget_command

    forget_command(contact, db)


@devices.command(
    epilog="Examples: channelmaps devices withdraw --device KX-1 --reason interference\n\n"
    "channelmaps devices withdraw --area town.geojson --lower-polling 60 --reason 'harmful interference'"
)
def withdraw(
    reason: Annotated[str, typer.Option(help="Why; devices are told.")],
    db: DbOption = "sqlite:///loop.db",
    device: Annotated[str | None, typer.Option(help="One device.")] = None,
    owner: Annotated[str | None, typer.Option(help="All devices of an owner.")] = None,
    channel: Annotated[str | None, typer.Option(help="A channel or bond, everywhere.")] = None,
    area: Annotated[Path | None, typer.Option(help="All channels in these polygons.")] = None,
    ruleset: Annotated[str | None, typer.Option(help="All devices under these rules.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All devices.")] = False,
    since: Annotated[str | None, typer.Option("--from", help="UTC instant; now if absent.")] = None,
    until: InstantOption = None,
    lower_polling: Annotated[
        int | None, typer.Option(min=60, help="Longest polling interval in s while the order stands.")
    ] = None,
    write_area: Annotated[
        Path | None, typer.Option(help="GeoJSON of --area to write, for `areas.exclusions` of the next run.")
    ] = None,
) -> None:
    """Order to stop, at once for all answers; prints when the last device will know."""
    from pipeline.loop.device_tools import Ordered, withdraw_command
    from pipeline.query.query import instant_of

    begin, end = instant_of("--from", since), instant_of("--until", until)
    withdraw_command(
        Ordered(device, owner, channel, area, ruleset, everything),
        db,
        reason=reason,
        from_s=None if begin is None else int(begin.timestamp()),
        until_s=None if end is None else int(end.timestamp()),
        polling_s=lower_polling,
        write_area=write_area,
    )


@devices.command(epilog="Example: channelmaps devices restore 1 --db sqlite:///loop.db")
def restore(
    number: Annotated[int, typer.Argument(help="Number of the order.")], db: DbOption = "sqlite:///loop.db"
) -> None:
    """End an order to stop."""
    from pipeline.loop.device_tools import restore_command

    restore_command(number, db)


@devices.command(name="stop-report", epilog="Example: channelmaps devices stop-report 1 --out silent.csv")
def stop_report(
    number: Annotated[int, typer.Argument(help="Number of the order.")],
    out: Annotated[Path, typer.Option(help="CSV to write.")],
    db: DbOption = "sqlite:///loop.db",
) -> None:
    """The uses that an order stops whose devices have had no contact since."""
    from pipeline.loop.silence import stop_report_command

    stop_report_command(number, out, db)


@devices.command(epilog="Example: channelmaps devices lost --out lost.csv")
def lost(
    out: Annotated[Path, typer.Option(help="CSV to write.")], db: DbOption = "sqlite:///loop.db"
) -> None:
    """The uses of devices that said nothing for their polling interval; they count until they end."""
    from pipeline.loop.silence import lost_command

    lost_command(out, db)


@devices.command(
    name="report",
    epilog="Examples: channelmaps devices report --from 2026-07-01T00:00:00Z --out report.csv "
    "--html report.html\n\n"
    "channelmaps devices report --zone zone.geojson --out zone.csv",
)
def report_devices(
    out: Annotated[Path, typer.Option(help="CSV to write.")],
    db: DbOption = "sqlite:///loop.db",
    since: Annotated[str | None, typer.Option("--from", help="UTC instant; the first if absent.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="UTC instant; until now if absent.")] = None,
    html: Annotated[Path | None, typer.Option(help="The same as a page to read.")] = None,
    zone: Annotated[
        str | None,
        typer.Option(help="Instead the uses in these polygons, or so many km from neighbours, by month."),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="results/<territory>: where neighbours are, for --zone KM.")
    ] = None,
    bookings: Annotated[
        Path | None, typer.Option(help="CSV with id, booked_at, start: which were obeyed late.")
    ] = None,
    run_s: Annotated[
        float | None, typer.Option(min=0.0, help="From a booking's entry to the run that holds it, s.")
    ] = None,
    aggregate: Annotated[
        Path | None, typer.Option(help="aggregate.csv of what `devices placed` wrote: its maxima.")
    ] = None,
) -> None:
    """Devices, uses and refusals by kind, channel-hours by channel and region."""
    from pipeline.errors import InputError
    from pipeline.loop.period import Period
    from pipeline.loop.use_reports import ReportInputs, report_command
    from pipeline.loop.zone_report import zone_report_command
    from pipeline.query.query import instant_of

    period = Period.between(instant_of("--from", since), instant_of("--to", until))
    if (bookings is None) != (run_s is None):
        raise InputError("is missing", field="--run-s" if bookings else "--bookings", allowed="both or none")
    if zone is None:
        report_command(out, db, period, ReportInputs(bookings, run_s, aggregate), html)
    elif html or bookings or aggregate:
        raise InputError(
            "is of uses alone", field="--zone", allowed="without --html, --bookings, --aggregate"
        )
    else:
        zone_report_command(out, db, period, zone, results)


@devices.command(epilog="Example: channelmaps devices shares --out share.csv")
def shares(
    out: Annotated[Path, typer.Option(help="CSV to write.")], db: DbOption = "sqlite:///loop.db"
) -> None:
    """MHz-hours, channels and devices by owner and tenth of a degree."""
    from pipeline.loop.fair_sharing import shares_command

    shares_command(out, db)


@devices.command(epilog="Example: channelmaps devices placed --out placed.csv")
def placed(
    out: Annotated[Path, typer.Option(help="CSV to write.")],
    db: DbOption = "sqlite:///loop.db",
    at: Annotated[str | None, typer.Option(help="UTC instant of the past; now if absent.")] = None,
) -> None:
    """The uses that count, as `channelmaps aggregate --devices` reads them."""
    from pipeline.loop.use_reports import placed_command
    from pipeline.query.query import instant_of

    instant = instant_of("--at", at)
    placed_command(out, db, None if instant is None else int(instant.timestamp()))


@app.command(
    epilog="Examples: channelmaps audit --results results/slovenia/latest --url https://tvws.example/paws "
    "--sample random:1000 --out audit\n\n"
    "channelmaps audit --results results/slovenia/latest --answers answers.jsonl --out audit"
)
def audit(
    results: Annotated[Path, typer.Option(help="Folder of a published run: the reference.")],
    out: Annotated[Path, typer.Option(help="Folder for audit.csv and audit.json.")],
    url: Annotated[str | None, typer.Option(help="Where the other database answers PAWS.")] = None,
    answers: Annotated[
        Path | None, typer.Option(help="Instead: JSON lines of request, response, receivedAt.")
    ] = None,
    sample: Annotated[str, typer.Option(help="random:N, grid:KM, or a CSV with lon,lat.")] = "random:1000",
    device: Annotated[str | None, typer.Option(help="Device of the maps; the first if absent.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random places.")] = 1,
    per_s: Annotated[float, typer.Option("--per-s", min=0.01, help="Requests in a second.")] = 2.0,
    tolerance_db: Annotated[
        float, typer.Option(min=0.0, help="Above the reference that is let pass.")
    ] = 0.01,
    now: Annotated[str | None, typer.Option(help="UTC instant of the other's clock, for tests.")] = None,
) -> None:
    """Check another database's answers against a run; exit code 1 where something is unsafe."""
    from pipeline.loop.audit import audit_command
    from pipeline.loop.audit_sample import AuditSample
    from pipeline.query.query import instant_of

    code = audit_command(
        results,
        out,
        url=url,
        answers=answers,
        sample=AuditSample(sample, device, seed),
        per_s=per_s,
        tolerance_db=tolerance_db,
        now=instant_of("--now", now),
    )
    raise typer.Exit(code)
