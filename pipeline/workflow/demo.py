"""`channelmaps demo`: from nothing to an opened web map, with the territory file that the program ships."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pipeline.config.load import read_yaml
from pipeline.files import copy_whole
from pipeline.plan.plan import results_of
from pipeline.plan.territory_file import load_config
from pipeline.publish.release import LATEST
from pipeline.shipped import shipped
from pipeline.workflow.run import RunOptions, run_command

DEMO = Path("configs/demo.yaml")


def demo_command(*, cores: int | None, show: bool) -> int:
    """Put the files of the demonstration into the working folder, compute its maps, show them; the exit code.

    Files that are there already stay as they are. ``show``: serve the web map to this machine alone, and open
    it, until Ctrl-C.
    """
    copy_example(DEMO)
    code = run_command(DEMO, RunOptions(cores=cores))
    if code == 0 and show and sys.stdout.isatty():
        _serve(results_of(load_config(DEMO)) / LATEST / "public" / "web")
    return code


def copy_example(territory: Path) -> None:
    """Put a shipped territory file and what it names where they are looked for; nothing is overwritten."""
    for name in _example_files(territory):
        if not name.exists():
            copy_whole(shipped(name.as_posix()), name)


def _example_files(territory: Path) -> list[Path]:
    """A shipped territory file and the shipped files that it names, by their paths in the repository."""
    named = {Path(text) for text in _texts(read_yaml(shipped(territory.as_posix())))}
    found = [path for path in named if path.parts[:1] == ("data",) and shipped(path.as_posix()).is_file()]
    return [territory, *sorted(found)]


def _texts(value: object) -> Iterator[str]:
    """All texts among settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Requests are no news."""


def _serve(folder: Path) -> None:
    """Show a folder in the browser until Ctrl-C."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder))) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        print(f"The web map is at {address} until Ctrl-C", flush=True)
        webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
