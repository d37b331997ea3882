"""Commands of the database in service: serve, devices, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.application import app

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
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy in front has TLS and names who asks.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    loop: LoopOption = None,
    cors: Annotated[str | None, typer.Option(help="Origin whose pages may ask.")] = None,
    now: Annotated[str | None, typer.Option(help="UTC instant the clock starts at, for tests.")] = None,
) -> None:
    """Answer devices over PAWS (RFC 7545): POST /paws; GET /health tells whether it does."""
    from pipeline.loop.serve import listening, serve_command
    from pipeline.loop.server import ServerSettings
    from pipeline.query.query import instant_of

    settings = ServerSettings(
        results=results,
        db=db,
        loop=loop,
        begin=instant_of("--now", now),
        behind_proxy=behind_proxy,
        cors=cors,
    )
    raise typer.Exit(serve_command(settings, listening(listen, tls_cert, tls_key, workers)))
