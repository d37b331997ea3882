"""The one way to read a territory file, and the JSON schema of such files.

Stands above the services: which of them there are is theirs to say, and the configuration is checked for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pipeline.config.config import Config
from pipeline.config.load import read_config
from pipeline.hashing import input_files
from pipeline.plan.band_screening import refuse_prohibited
from pipeline.plan.published_names import refuse_collisions
from pipeline.services.table import service_names, settings_context
from pipeline.shipped import REPOSITORY, repository_path


def load_config(path: str | Path) -> Config:
    """Read and check one territory file; InputError names the key, the value and what is allowed."""
    config = read_config(Path(path), settings_context())
    refuse_collisions(config)
    refuse_prohibited(config)
    return config


def files_read(config: Config) -> Iterator[Path]:
    """The territory file and everything it names."""
    if config.file is not None:
        yield config.file
    yield from (path for _, path in input_files(config))


def export_schema() -> str:
    """The JSON schema of a territory file, as text, for editors and for checks outside Python."""
    schema = Config.model_json_schema()
    schema["properties"]["services"]["propertyNames"] = {"enum": list(service_names())}
    _strip_machine_paths(schema)
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def _without_machine(entry: object) -> object:
    """An entry of a default; a path under the repository relative to it."""
    path = Path(entry) if isinstance(entry, str) else Path()
    found = repository_path(path) if path.is_absolute() else None
    return entry if found is None else found.as_posix()


def _strip_machine_paths(node: object) -> None:
    """Defaults under the repository are written relative to it: a schema must not name a machine."""
    if isinstance(node, dict):
        default = node.get("default")
        if isinstance(default, str):
            node["default"] = _without_machine(default)
        elif isinstance(default, list):
            node["default"] = [_without_machine(entry) for entry in default]
        elif isinstance(default, dict):
            node.pop("default") if str(REPOSITORY) in json.dumps(default) else None
        for child in node.values():
            _strip_machine_paths(child)
    elif isinstance(node, list):
        for child in node:
            _strip_machine_paths(child)
