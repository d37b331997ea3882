"""`channelmaps what-if`: the maps after a change of settings, beside the published ones.

The changed settings run in the territory's own build folder, so only what depends on them is computed again;
the results appear under ``results/<territory>-what-if``, intermediates under ``build/<territory>-what-if``
(``variants.py``). An ordinary run afterwards computes nothing.
The pixel grid stays as it is unless the change widens the maximum interference range.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.config.config import Config
from pipeline.config.load import parse_yaml, read_yaml
from pipeline.errors import InputError
from pipeline.plan.hill_reach import limiting_losses_db, reach_facts, required_reach
from pipeline.plan.margin import modes_of, required_margins_km
from pipeline.plan.published_names import WHAT_IF
from pipeline.plan.territory_file import load_config
from pipeline.registers.transmitters import read_register
from pipeline.terrain.height_files import knows_terrain
from pipeline.territory.rasters import boundaries_of, padded_masks
from pipeline.workflow.run import RunOptions, changed_copy, run_command

# Settings that say where the results lie.
_OWN = ("name", "results")


def what_if_command(config_path: Path, changes: Sequence[str], *, cores: int | None = None) -> int:
    """Run a territory with ``KEY=VALUE`` changes and return the exit code of the run.

    Keys are dotted, list items by number or by their ``id``: ``devices.fixed30.dq_pct=2``. Values are YAML.
    """
    if not changes:
        raise InputError("nothing is changed", row="--set", allowed="one or more KEY=VALUE")
    published = load_config(config_path)
    name = published.name
    content = read_yaml(config_path)
    assert isinstance(content, dict)
    if published.grid.margin_km is None:
        content["grid"]["least_margins_km"] = margins_km(published)
        if knows_terrain(published):
            content["grid"]["least_limiting_losses_db"] = limiting_losses_db(
                published, modes_of(published, read_register(published)[0])
            )
    for change in changes:
        key, value = split_change(change)
        if key.partition(".")[0] in _OWN:
            allowed = "other keys; what-if writes to results/<territory>-what-if"
            raise InputError("is set by what-if itself", row=f"--set {key}", value=value, allowed=allowed)
        set_value(content, key, value)
    content |= {"name": name, "results": f"{name}{WHAT_IF}", "title": _title_of(published, changes)}
    _keep_box(published, content)
    options = RunOptions(cores=cores, accept_shrink=True)
    with changed_copy(content, "what-if") as copy:
        return run_command(copy, options)


def _title_of(published: Config, changes: Sequence[str]) -> str:
    """A title that keeps the maps of a what-if apart from the published ones, wherever they are shown."""
    return f"{published.title or published.name}: what if {', '.join(changes)}"


def _keep_box(published: Config, content: dict[str, Any]) -> None:
    """Set the box of the published grid where the change moves what devices on hills reach."""
    if published.grid.margin_km is not None or not knows_terrain(published):
        return
    with changed_copy(content, "what-if") as copy:
        changed = load_config(copy)
        before, after = (reach_facts(config, read_register(config)[0]) for config in (published, changed))
        if before != after:
            content["grid"]["least_box_m"] = box_m(published)


def margins_km(config: Config) -> list[float]:
    """Margins that the settings need, without and with sea in reach."""
    return list(required_margins_km(config))


def box_m(config: Config) -> list[float]:
    """The padded grid of the settings, which holds what devices on hills reach."""
    required = required_reach(config, threads=os.cpu_count() or 1)
    masks = padded_masks(config, boundaries_of(config.territory), required)
    return list(masks.attrs["grid"].bounds_m)


def split_change(change: str) -> tuple[str, Any]:
    """``key=value`` -> key and the value as YAML reads it."""
    key, equals, text = change.partition("=")
    if not (key and equals):
        raise InputError("is not a change of a setting", row="--set", value=change, allowed="KEY=VALUE")
    try:
        return key, parse_yaml(text)
    except InputError as error:
        raise InputError(f"the value is not YAML: {error.problem}", row=f"--set {key}", value=text) from None


def set_value(content: Any, key: str, value: Any) -> None:  # noqa: ANN401 - any YAML
    """Set a dotted key in place; sections on the way are made, items of lists must be there."""
    *sections, last = key.split(".")
    for section in sections:
        if isinstance(content, list):
            content = content[_position(content, section, key)]
        else:
            content = content.setdefault(section, {})
        if not isinstance(content, (dict, list)):
            raise InputError("has no settings below it", row=f"--set {key}", field=section, value=content)
    if isinstance(content, list):
        content[_position(content, last, key)] = value
    elif isinstance(content.get(last), dict) and "value" in content[last] and not isinstance(value, dict):
        # A number with its origin: the number changes, its origin is this command.
        content[last] = {"value": value, "source": "changed by what-if", "verified": False}
    else:
        content[last] = value


def _position(items: list[Any], name: str, key: str) -> int:
    """Index of a list item named by number or by its ``id``."""
    names = [str(item.get("id")) if isinstance(item, dict) else "" for item in items]
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(items):
        return int(name)
    allowed = ", ".join([*filter(None, names), f"0 to {len(items) - 1}"])
    raise InputError("is not in the list", row=f"--set {key}", value=name, allowed=allowed)
