"""`channelmaps qgis-plugin`: the Processing provider for QGIS is put where QGIS finds its plugins."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.files import OutputKind, check_output_folder, write_whole
from pipeline.shipped import shipped

PLUGIN = "plugins/qgis/channelmaps"
_COMMAND_FILE = "command.json"
_FILE = OutputKind("a file of this plugin", lambda head: b"channelmaps" in head.lower() or head[:2] == b'["')


def install_plugin(plugins: Path | None) -> Path:
    """Copy the plugin into a folder of plugins, with the command that it calls: this one; where it lies.

    ``plugins`` None: that of the user's default profile of QGIS 3. InputError where another thing lies there.
    """
    folder = (profile_folder(sys.platform, os.environ) if plugins is None else plugins) / "channelmaps"
    contents = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(shipped(PLUGIN).iterdir())
        if path.suffix in {".py", ".txt"}
    }
    contents[_COMMAND_FILE] = json.dumps([sys.executable, "-m", "pipeline"]) + "\n"
    check_output_folder("--plugins", folder, dict.fromkeys(contents, _FILE), [])
    for name, content in contents.items():
        write_whole(folder / name, content)
    return folder


def profile_folder(platform: str, environment: Mapping[str, str]) -> Path:
    """Plugins of the user's default profile of QGIS 3 on a platform (``sys.platform``)."""
    home = Path(environment.get("HOME") or Path.home())
    if platform == "win32":
        data = Path(environment.get("APPDATA") or home / "AppData/Roaming")
    elif platform == "darwin":
        data = home / "Library/Application Support"
    else:
        data = Path(environment.get("XDG_DATA_HOME") or home / ".local/share")
    return data / "QGIS/QGIS3/profiles/default/python/plugins"
