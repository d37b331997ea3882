"""Commands of the regulator: checks of running uses and of polling, the listing of approved databases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import CommandFamily, app
from pipeline.cli.commands_loop import DbOption, LoopOption, ResultsOption, devices

OutCsv = Annotated[Path, typer.Option("--out", help="CSV to write.")]


@devices.command(
    epilog="Example: channelmaps devices recheck --results results/slovenia --out recheck.csv --db sqlite:///loop.db"
)
def recheck(
    results: ResultsOption, out: OutCsv, db: DbOption = "sqlite:///loop.db", loop: LoopOption = None
) -> None:
    """Hold running uses against the latest run; exit code 1 where some have to go."""
    from pipeline.loop.recheck import recheck_command

    raise typer.Exit(1 if recheck_command(results, out, db, loop) else 0)


@devices.command(
    name="poll-check",
    epilog="Example: channelmaps devices poll-check bookings.csv --run-s 1800 --devices 2000 --out late.csv",
)
def poll_check(
    bookings: Annotated[Path, typer.Argument(help="CSV of past bookings: id,booked_at,start (UTC).")],
    out: OutCsv,
    run_s: Annotated[float, typer.Option(min=0.0, help="From the entry of a booking to the run with it.")],
    answer_s: Annotated[float, typer.Option(min=0.0, help="Time of an answer.")] = 1.0,
    count: Annotated[int, typer.Option("--devices", min=0, help="Devices that ask.")] = 1,
    joule_per_request: Annotated[
        float | None, typer.Option(min=0.0, help="Energy of a request, for the cost of batteries.")
    ] = None,
) -> None:
    """Whether polling is fast enough: how late devices would have obeyed bookings."""
    from pipeline.loop.poll_check import Delays, poll_check_command

    delays = Delays(run_s, answer_s)
    poll_check_command(bookings, out, delays, devices=count, joule_per_request=joule_per_request)


@devices.command(
    name="request",
    epilog="Example: channelmaps devices request requests.csv --results results/slovenia --out answers.csv",
)
def request_use(
    file: Annotated[Path, typer.Argument(help="CSV: device,channel,eirp_dbm,start,stop,purpose.")],
    results: ResultsOption,
    out: OutCsv,
    db: DbOption = "sqlite:///loop.db",
    loop: LoopOption = None,
) -> None:
    """Enter requests for assigned use, and tell what can be given."""
    from pipeline.loop.grants import request_command

    request_command(file, results, out, db, loop)


@devices.command(
    epilog="Example: channelmaps devices decide 3 --grant --by 'A. Novak' --results results/slovenia"
)
def decide(
    number: Annotated[int, typer.Argument(help="Number of the request.")],
    results: ResultsOption,
    by: Annotated[str, typer.Option(help="Who decides.")],
    grant: Annotated[bool, typer.Option("--grant/--refuse", help="Grant it, or refuse it.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    db: DbOption = "sqlite:///loop.db",
    loop: LoopOption = None,
) -> None:
    """Grant a request, which reserves its power, or refuse it."""
    from pipeline.loop.grants import decide_command

    decide_command(number, results, db, grant=grant, by=by, reason=reason, loop=loop)


@devices.command(epilog="Example: channelmaps devices digest --since 2026-12-01T00:00:00Z --out digest.csv")
def digest(
    out: OutCsv,
    db: DbOption = "sqlite:///loop.db",
    since: Annotated[str | None, typer.Option(help="UTC instant; all open requests if absent.")] = None,
) -> None:
    """All requests in one file for the regulator."""
    from pipeline.loop.grants import digest_command
    from pipeline.query.query import instant_of

    begin = instant_of("--since", since)
    digest_command(out, db, None if begin is None else int(begin.timestamp()))


listing = CommandFamily(help="The list of approved databases.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(listing, name="listing")
ListingArgument = Annotated[Path, typer.Argument(help="listing.json.")]


@listing.command(
    epilog="Example: channelmaps listing build approved.csv --authority si --neighbours neighbours.csv "
    "--out listing.json"
)
def build(
    approved: Annotated[Path, typer.Argument(help="CSV: name,uri,ruleset_ids,approved_from,approved_until.")],
    out: Annotated[Path, typer.Option("--out", help="listing.json to write.")],
    authority: Annotated[str, typer.Option(help="Country of the regulator, two letters.")],
    neighbours: Annotated[Path | None, typer.Option(help="CSV: authority,uri,name.")] = None,
    key: Annotated[Path | None, typer.Option(help="Public key (PEM) that the list will name.")] = None,
    valid_days: Annotated[float, typer.Option(min=0.01, max=400.0, help="How long the list holds.")] = 7.0,
) -> None:
    """Write the list from a table of approvals; what has ended stays for 30 days."""
    from pipeline.loop.listing import build_command

    build_command(approved, out, authority=authority, neighbours=neighbours, key=key, valid_days=valid_days)


@listing.command(
    epilog="Example: channelmaps listing sign listing.json --key private.pem --out listing.json.sig"
)
def sign(
    file: ListingArgument,
    key: Annotated[Path, typer.Option(help="Private key (Ed25519, PEM).")],
    out: Annotated[Path, typer.Option("--out", help="Signature to write.")],
) -> None:
    """Sign the list."""
    from pipeline.loop.listing import sign_command

    sign_command(file, key, out)


@listing.command(
    epilog="Example: channelmaps listing check listing.json --key public.pem --uri https://a.example"
)
def check(
    file: ListingArgument,
    key: Annotated[Path | None, typer.Option(help="Public key (PEM) that it has to be signed with.")] = None,
    signature: Annotated[Path | None, typer.Option(help="Its signature; listing.json.sig if absent.")] = None,
    uri: Annotated[str | None, typer.Option(help="A database that has to be approved.")] = None,
) -> None:
    """Check dates, content and signature; exit code 1 where something is wrong."""
    from pipeline.loop.listing import check_command

    raise typer.Exit(check_command(file, key=key, signature=signature, uri=uri))
