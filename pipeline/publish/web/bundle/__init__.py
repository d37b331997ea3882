"""The built page: `make web` writes it from `../page`. Committed, so that nobody needs Node to publish."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = ("index.html", "app.js", "app.css", "LICENSES.txt")


def page_files() -> dict[str, bytes]:
    """Content of the page's own files by name."""
    return {name: (FOLDER / name).read_bytes() for name in NAMES}
