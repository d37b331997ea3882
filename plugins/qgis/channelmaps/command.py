# Part of the plugin channelmaps for QGIS.
"""Calls of the installed command ``channelmaps``; nothing of QGIS, so that it can be tested without."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

# Where `channelmaps qgis-plugin` writes by which command it was called.
INSTALLED = Path(__file__).with_name("command.json")
VARIABLE = "CHANNELMAPS_COMMAND"
# What QGIS sets for its own Python, and another one must not see.
_FOREIGN = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "GDAL_DATA", "PROJ_LIB")
_PERCENT = re.compile(r"\b(\d{1,3}) ?%")
_MOST_LINES = 20


class CommandError(Exception):
    """The command is not there, failed or was cancelled; its message is for the user."""


def command_line():
    """Program and first arguments: of the variable, of the installation, or of the search path."""
    named = os.environ.get(VARIABLE)
    if named:
        return json.loads(named) if named.startswith("[") else [named]
    if INSTALLED.is_file():
        return json.loads(INSTALLED.read_text(encoding="utf-8"))
    found = shutil.which("channelmaps")
    if found is None:
        raise CommandError(
            "The command channelmaps is not found. Install it (pipx install channelmaps), "
            "then run: channelmaps qgis-plugin"
        )
    return [found]


def environment():
    """Variables for the command: those of QGIS without what is meant for its own Python."""
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN}


def call(arguments, folder=None, *, told=print, progress=lambda percent: None, cancelled=lambda: False):
    """Run the command in a folder; its standard output as text.

    ``told`` is given every line of messages, ``progress`` the last percentage in one, ``cancelled`` is asked
    twice a second. Raises CommandError with the last messages where the command fails.
    """
    line = [*command_line(), *map(str, arguments)]
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) if sys.platform == "win32" else 0
    try:
        process = subprocess.Popen(
            line,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            creationflags=flags,
        )
    except OSError as error:
        raise CommandError(f"{line[0]} cannot be run: {error}") from error
    messages, output = [], []
    readers = [
        threading.Thread(target=messages.extend, args=(process.stderr,), daemon=True),
        threading.Thread(target=output.extend, args=(process.stdout,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    _follow(process, messages, output, told, progress, cancelled)
    for reader in readers:
        reader.join()
    process.stdout.close()
    process.stderr.close()
    if process.returncode != 0:
        raise CommandError("".join(messages[-_MOST_LINES:]).strip() or f"exit code {process.returncode}")
    return "".join(output)


def _follow(process, messages, output, told, progress, cancelled):
    """Pass messages on until the command ends, or end it."""
    seen = 0
    while True:
        ended = _ended(process)
        for text in list(messages[seen:]):
            seen += 1
            told(text.rstrip())
            found = _PERCENT.findall(text)
            if found:
                progress(min(int(found[-1]), 100))
        if ended:
            return
        if cancelled():
            process.terminate()
            process.wait()
            raise CommandError("cancelled")


def _ended(process):
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return False
    return True
