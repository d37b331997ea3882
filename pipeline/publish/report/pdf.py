"""The report as PDF, by WeasyPrint where it is installed, else by a Chromium that is on the machine."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.files import write_whole

# Packages of this name need Pango of the system: what they raise without it is OSError.
_PACKAGE = "weasyprint"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_LONGEST_S = 120


def write_pdf(page: Path) -> list[Path]:
    """``report.pdf`` beside ``report.html``; without a way to make one no file, and a line that says so."""
    path = page.with_suffix(".pdf")
    content = by_package(page) or by_browser(page)
    if content is None:
        path.unlink(missing_ok=True)
        why = f"neither {_PACKAGE} (pip install 'channelmaps[pdf]') nor a Chromium could make one"
        print(f"channelmaps: no {path.name}: {why}", file=sys.stderr)
        return []
    write_whole(path, content)
    return [path]


def by_package(page: Path) -> bytes | None:
    """The page as WeasyPrint sets it; None without it, or where it fails: no run waits for a PDF."""
    try:
        module = importlib.import_module(_PACKAGE)
    except (ImportError, OSError):
        return None
    try:
        made: bytes = module.HTML(filename=str(page)).write_pdf()
    except Exception as error:  # whatever fonts, Pango and style sheets raise
        print(f"channelmaps: {_PACKAGE} fails on {page.name}: {type(error).__name__}", file=sys.stderr)
        return None
    return made


def by_browser(page: Path) -> bytes | None:
    """The page as a Chromium prints it; None without one, or where it fails."""
    program = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.pdf"
        command = [
            program,
            "--headless",
            "--disable-gpu",
            "--no-pdf-header-footer",
            f"--print-to-pdf={target}",
        ]
        command += [f"--user-data-dir={folder}/profile", "--disable-background-networking"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # it refuses to sandbox for the superuser
            command.append("--no-sandbox")
        try:
            subprocess.run(
                [*command, page.resolve().as_uri()], capture_output=True, timeout=_LONGEST_S, check=True
            )
            return target.read_bytes()
        except (OSError, subprocess.SubprocessError):
            return None
