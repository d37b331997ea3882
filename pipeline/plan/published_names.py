"""Names that a territory publishes; where two things would have one name nothing is computed.

All names are asked of the table of layers, so that a new row is checked as well. Upper and lower case are the
same: there are disks to which they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.availability.classes import level_name
from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.plan.published_layers import (
    COLLECTION,
    LayerFile,
    published_layers,
    stac_item_file,
    stac_item_of,
    style_file,
)

# Ending of the results of `channelmaps what-if`.
WHAT_IF = "-what-if"


class _Use(NamedTuple):
    """A name, what has it (equal for the parts of one thing), and the words for that."""

    name: str
    owner: object
    words: str


def refuse_collisions(config: Config) -> None:
    """InputError for a territory, levels, devices or comparisons that would share a name."""
    _check_territory(config)
    for i, level_dbm in enumerate(config.levels_dbm):
        if float(level_name(level_dbm)) != level_dbm:
            raise InputError(
                "level does not stand in full in the names of its files",
                file=config.file,
                row=f"levels_dbm.{i}",
                value=level_dbm,
                allowed=f"up to six digits, such as {level_name(level_dbm)}",
            )
    _check_endings(config)
    known: dict[str, _Use] = {}
    for use in _uses(config):
        first = known.setdefault(use.name.casefold(), use)
        if first.owner != use.owner:
            raise InputError(
                f"{use.name} would be {first.words} and {use.words}",
                file=config.file,
                row="devices" if "device" in f"{first.words} {use.words}" else "coordination.rr941",
                allowed="other ids",
            )


def _check_territory(config: Config) -> None:
    """The results of `what-if` lie beside those of territories, in a folder with a name of their own."""
    if config.name.endswith(WHAT_IF):
        problem = "is the name of the results of `channelmaps what-if`"
        raise InputError(
            problem, file=config.file, row="name", value=config.name, allowed=f"no ending {WHAT_IF}"
        )
    if config.results not in (None, config.name, f"{config.name}{WHAT_IF}"):
        raise InputError(
            "would publish in place of another territory",
            file=config.file,
            row="results",
            value=config.results,
            allowed=f"{config.name} or {config.name}{WHAT_IF}",
        )


def _check_endings(config: Config) -> None:
    """Files are looked for as ``*_<device>_*``, whatever their kind: that must not find another device's."""
    ids = [device.id for device in config.devices]
    for i, name in enumerate(ids):
        for other in ids:
            if name.endswith(f"_{other}"):
                raise InputError(
                    f"the files of {name} have names as those of {other}",
                    file=config.file,
                    row=f"devices.{i}.id",
                    value=name,
                    allowed=f"an id that does not end in _{other}",
                )


def _uses(config: Config) -> Iterator[_Use]:
    """All names that hold an id, and those beside them."""
    yield _Use(COLLECTION, COLLECTION, "the collection")
    for number, found in enumerate(published_layers(config)):
        words = _words(found.layer.family, found.fields)
        yield _Use(found.file, number, words)
        if found.layer.raster is not None:
            yield _Use(style_file(found.file), number, f"the style of {words}")
            yield _Use(f"the layer {Path(found.file).stem}", number, words)
            yield from _in_catalogue(found, number, words)
    for device in config.devices:
        for part, words in (("", "the intermediate"), ("_label", "the labels")):  # see protection_files
            name = f"chNN_{device.id}{part}"
            yield _Use(name, (device.id, part), f"{words} of device {device.id}")


def _in_catalogue(found: LayerFile, number: int, words: str) -> Iterator[_Use]:
    item = stac_item_of(found)
    owner = found.fields.get("device", found.layer.job), found.fields.get("channel")
    yield _Use(stac_item_file(item), owner, f"the item of {words}")
    yield _Use(f"the asset {Path(found.file).stem} of {item}", number, words)


def _words(family: str, fields: Mapping[str, object]) -> str:
    return " ".join([family, *(f"{name} {value}" for name, value in fields.items())])
