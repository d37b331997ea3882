"""Rules of countries as far as they could be read: settings of a territory file, and where numbers are from.

A pack is a part of a territory file with the source of its numbers, what the rules say beside that, and what
was looked for and not found. Nothing takes it as law: `channelmaps rules` prints it for a territory file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, model_validator

from pipeline.config.base import Section
from pipeline.config.load import read_model
from pipeline.errors import InputError
from pipeline.shipped import TABLES

_PACKS = TABLES / "rule_packs"
_Text = Annotated[str, Field(min_length=3, pattern=r"^[^\x00-\x1f\x7f]*$")]


class RuleNumber(Section):
    """A number of the settings, or in words what a list of them stands for."""

    key: _Text
    """Place in the settings, with points between: devices.0.cap_dbm."""
    value: float | str
    """The number as it stands there."""
    source: _Text
    """Where it comes from."""
    verified: bool
    """True only if it was read there."""


class RuleStatement(Section):
    """What the rules say beside the settings."""

    what: _Text
    """The rule in words."""
    source: _Text
    """Where it stands."""
    verified: bool
    """True only if it was read there."""


class RulePack(Section):
    """The rules of a country."""

    country: _Text
    """Its name."""
    rules: _Text
    """Name and edition of the rules."""
    settings: dict[str, Any]
    """Keys of a territory file."""
    numbers: Annotated[list[RuleNumber], Field(min_length=1)]
    """Sources of the numbers in the settings."""
    stated: list[RuleStatement]
    """What no setting holds."""
    not_found: Annotated[list[_Text], Field(min_length=1)]
    """What was looked for in vain."""

    @model_validator(mode="after")
    def _numbers_stand_in_the_settings(self) -> RulePack:
        for number in self.numbers:
            found = value_at(self.settings, number.key)
            if found is None or (isinstance(number.value, float) and found != number.value):
                raise ValueError(f"numbers: {number.key} is {found} in the settings, not {number.value}")
        return self


def value_at(settings: Any, key: str) -> Any:  # noqa: ANN401 - any value of a setting
    """What stands at a place of the settings, None if nothing does."""
    for part in key.split("."):
        if isinstance(settings, list):
            settings = settings[int(part)] if part.isdigit() and int(part) < len(settings) else None
        else:
            settings = settings.get(part) if isinstance(settings, dict) else None
    return settings


def pack_names() -> list[str]:
    """Codes of the countries that have a pack, in alphabetical order."""
    return sorted(path.stem for path in _PACKS.glob("*.yaml"))


def read_pack(code: str) -> RulePack:
    """The pack of a country; InputError for one that has none."""
    if code.lower() not in pack_names():
        raise InputError(
            "no rules of this country", row="COUNTRY", value=code, allowed=", ".join(pack_names())
        )
    return read_model(Path(_PACKS / f"{code.lower()}.yaml"), RulePack)


def pack_lines(pack: RulePack) -> Iterator[str]:
    """A pack as part of a territory file: settings, and as comments all that they rest on."""
    yield f"# {pack.country}: {pack.rules}"
    yield "# As far as it could be read: neither the law nor complete. Check it with the administration."
    yield ""
    yield from yaml.safe_dump(pack.settings, sort_keys=False, width=120).rstrip().splitlines()
    yield ""
    yield "# Numbers"
    yield from (f"#   {n.key}: {n.value} ({n.source}){_open(n.verified)}" for n in pack.numbers)
    yield "# Beside the settings"
    yield from (f"#   {s.what} ({s.source}){_open(s.verified)}" for s in pack.stated)
    yield "# Looked for and not found"
    yield from (f"#   {text}" for text in pack.not_found)


def _open(verified: bool) -> str:
    return "" if verified else " - not verified"


def rules_command(code: str | None) -> None:
    """Print the pack of a country, or which there are."""
    if code is None:
        for name in pack_names():
            pack = read_pack(name)
            known = [*(entry.verified for entry in pack.numbers), *(entry.verified for entry in pack.stated)]
            open_numbers = known.count(False)
            print(f"{name}  {pack.country}: {open_numbers} not verified, {len(pack.not_found)} not found")
        return
    print("\n".join(pack_lines(read_pack(code))))
