"""The sentences of the report in one language, from the file of `report.texts`, and how it writes numbers.

A further language is one more file like `configs/tables/report_en.yaml`, with its keys and the fields that
stand in braces there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple

from pipeline.config.bonds import runs_of
from pipeline.config.config import Config
from pipeline.config.load import read_yaml
from pipeline.config.products import REPORT_TEXTS
from pipeline.errors import InputError
from pipeline.services.table import SERVICES
from pipeline.territory.rasters import CheckedTerritory

_SIGNS = ("language", "decimal", "thousands")
_MEMBERS = (*_SIGNS, "texts", "labels")


class Texts(NamedTuple):
    """``texts`` by key, ``labels`` by what they are in English; ``language`` its code of two letters."""

    language: str
    decimal: str
    thousands: str
    texts: Mapping[str, str]
    labels: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """A sentence with its fields filled in; numbers come as texts of ``number``."""
        return self.texts[key].format(**values)

    def number(self, value: float, digits: int = 0, *, signed: bool = False) -> str:
        """A number with the signs of the language, -0 as 0."""
        text = f"{round(value, digits) + 0.0:{'+' if signed else ''},.{digits}f}"
        return text.translate({ord(","): self.thousands, ord("."): self.decimal})

    def short(self, value: float) -> str:
        """A number with the digits that it has."""
        return f"{value:g}".replace(".", self.decimal)

    def percent(self, value: float) -> str:
        """A percentage for readers: no digits that say nothing, and no 0 or 100 that is not exactly that."""
        if 0.0 < value < 1.0:
            return self.say("percent_less", number="1")
        if 99.0 < value < 100.0:
            return self.say("percent_more", number="99")
        return self.say("percent", number=self.number(value))

    def label(self, english: str) -> str:
        """A name of a class or a service; what the language has no word for stays as it is."""
        return self.labels.get(english, english)

    def services(self, names: Iterable[str]) -> str:
        """Services by name as people call them, one after the other; "nothing" for none."""
        labels = {row.name: row.label for row in SERVICES}
        return ", ".join(self.label(labels.get(name, name)) for name in names) or self.say("nothing")

    def channels(self, channels: Iterable[int | str]) -> str:
        """Channels as ``in_words`` has them; bonds by their names."""
        runs, bonds = runs_of(channels)
        named = [self.say("span", first=a, last=b) if b > a else f"{a}" for a, b in runs]
        return ", ".join([*named, *bonds])


def check(config: Config, _territory: CheckedTerritory) -> Iterator[str]:
    """InputError where the catalogue of the territory file lacks anything; nothing to print."""
    read_texts(config.report.texts)
    yield from ()


@cache
def read_texts(path: Path = REPORT_TEXTS) -> Texts:
    """A catalogue; InputError for a file that is none, or lacks a sentence or a field that English has."""
    found: Any = read_yaml(path)
    _check_members(found, path)
    if path != REPORT_TEXTS:
        _check_keys(found["texts"], read_texts().texts, path)
    return Texts(*(found[name] for name in _MEMBERS))


def _check_members(found: Any, path: Path) -> None:  # noqa: ANN401 - whatever a YAML file holds
    for name in _MEMBERS:
        value = found.get(name) if isinstance(found, dict) else None
        flat = [*value, *value.values()] if isinstance(value, dict) else [value]
        if isinstance(value, dict) == (name in _SIGNS) or not all(isinstance(text, str) for text in flat):
            wanted = "a text" if name in _SIGNS else "texts by key"
            raise InputError("is no catalogue of sentences", file=path, field=name, allowed=wanted)


def _check_keys(texts: Mapping[str, str], english: Mapping[str, str], path: Path) -> None:
    for key in sorted(set(texts) ^ set(english)):
        what = "sentence is missing" if key in english else "no sentence of the report has this key"
        raise InputError(what, file=path, field=key, allowed=f"the keys of {REPORT_TEXTS.name}")
    for key, text in texts.items():
        wanted = fields_of_text(english[key])
        try:
            fields = fields_of_text(text)
        except ValueError:
            fields = None
        if fields != wanted:
            allowed = ", ".join(f"{{{name}}}" for name in sorted(wanted)) or "no braces"
            raise InputError("has other fields", file=path, field=key, value=text, allowed=allowed)


def fields_of_text(text: str) -> set[str]:
    """Names in braces; ValueError for braces that are not closed, and for a form in them (`{share:.1f}`)."""
    fields = set()
    for _, name, form, conversion in Formatter().parse(text):
        if form or conversion:
            raise ValueError(text)
        if name is not None:
            fields.add(name)
    return fields
