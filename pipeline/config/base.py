"""What all sections of the configuration share: strict numbers, numbers with their origin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    field_validator,
)
from pydantic_core import CoreSchema, core_schema

from pipeline.propagation.models import Role, model_names

Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
# Forms of text, and how a message says them.
_IDENTIFIER = r"^[a-z0-9][a-z0-9_-]{0,39}$"
_EPSG = r"^EPSG:\d{4,6}$"
_AUTHORITY = r"^[A-Za-z]{2}$"
_ADMINISTRATION = r"^[A-Z]{1,3}$"
_TILES = r"""^https?://[A-Za-z0-9.-]+(:\d+)?/[^\s"'<>;,]*\{z\}[^\s"'<>;,]*\{[xy]\}[^\s"'<>;,]*\{[xy]\}[^\s"'<>;,]*$"""
_TABLE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
_BOND = r"^\d{1,2}-\d{1,2}$"
_RULESET = r"^[A-Za-z0-9_.-]{1,64}$"
_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"
FORMS = {
    _IDENTIFIER: "1 to 40 of a-z, 0-9, _ and -, of which the first is a letter or a digit",
    _TABLE_NAME: "1 to 40 of letters, digits, _ and -, of which the first is a letter or a digit",
    _EPSG: "EPSG: and a number of 4 to 6 digits",
    _AUTHORITY: "two letters of ISO 3166",
    _ADMINISTRATION: "one to three capital letters",
    _TILES: "http(s)://, a server, a path with {z}, {x} and {y}; no blanks, quotes, commas, semicolons",
    _RULESET: "1 to 64 of letters, digits, _, . and -",
    _INSTANT: "UTC, such as 2026-12-05T08:00:00Z",
    _BOND: "first and last channel of a bond, such as 20-21",
}
TileAddress = Annotated[str, Field(pattern=_TILES)]
RulesetId = Annotated[str, Field(pattern=_RULESET)]
UtcInstant = Annotated[str, Field(pattern=_INSTANT)]
BondName = Annotated[str, Field(pattern=_BOND)]
Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
TableName = Annotated[str, Field(pattern=_TABLE_NAME)]
EpsgCode = Annotated[str, Field(pattern=_EPSG)]
AuthorityCode = Annotated[str, Field(pattern=_AUTHORITY)]
AdministrationLetters = Annotated[str, Field(pattern=_ADMINISTRATION)]
_MOST_BYTES_OF_NAME, _MOST_BYTES_OF_PATH = 255, 4095


def _can_exist(path: Path) -> bool:
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    return longest <= _MOST_BYTES_OF_NAME and len(os.fsencode(path)) <= _MOST_BYTES_OF_PATH


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys, no infinite numbers, every field documented."""

    # Sections are built once, within the whole territory file, and not each by itself as well.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, defer_build=True
    )

    @field_validator("*")
    @classmethod
    def _nameable(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the field holds
        """Refuse paths that no file can have, and those that would break a line of a report."""
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path) and not str(path).isprintable():
                raise ValueError("path with a character that cannot be printed")
            if isinstance(path, Path) and not _can_exist(path):
                raise ValueError("path or name in it is longer than any of a file")
        return value


class Sourced(Section):
    """A number with its origin, used where no readable source fixes it for good."""

    value: Number
    """The number, in the unit of the key it stands under."""
    source: Annotated[str, Field(min_length=3)]
    """Where the number comes from."""
    verified: bool
    """True only if it was read in the source named."""


def plain_number(value: object) -> object:
    """A bare number of a territory file as one whose origin nobody stated."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"value": float(value), "source": "stated in the territory file", "verified": False}
    return value


def on_or_off(value: object) -> object:
    """YAML 1.1 reads the bare words on and off as true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def within(low: float, high: float) -> AfterValidator:
    """Check that a sourced number lies in a range, its ends included."""

    def check(number: Sourced) -> Sourced:
        if not low <= number.value <= high:
            raise ValueError(f"value {number.value} is outside {low} to {high}")
        return number

    return AfterValidator(check)


class ModelFor:
    """Annotation of a name of a propagation model with a role, looked up in the table when it is read."""

    def __init__(self, role: Role) -> None:
        """Remember the role; the table is asked later, also for the schema."""
        self.role: Role = role

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Text, then the table."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The names of the table as an enumeration."""
        return {**handler(schema), "enum": list(model_names(self.role))}

    def _check(self, name: str) -> str:
        names = model_names(self.role)
        if name not in names:
            raise ValueError(f"is not one of {', '.join(names)}")
        return name


def unverified(settings: BaseModel, prefix: str = "") -> list[dict[str, object]]:
    """All numbers of a configuration that count and whose source was not read: key, value, source.

    A section may name in ``unread`` its settings that have no effect beside the others.
    """
    found: list[dict[str, object]] = []
    for name in type(settings).model_fields:
        if name not in getattr(settings, "unread", ()):
            found.extend(_unverified_in(getattr(settings, name), f"{prefix}{name}"))
    return found


def _unverified_in(value: object, key: str) -> list[dict[str, object]]:
    if isinstance(value, Sourced):
        return [] if value.verified else [{"key": key, "value": value.value, "source": value.source}]
    if isinstance(value, BaseModel):
        return unverified(value, key + ".")
    if isinstance(value, dict):
        return [entry for name, item in value.items() for entry in _unverified_in(item, f"{key}.{name}")]
    if isinstance(value, list):
        return [entry for i, item in enumerate(value) for entry in _unverified_in(item, f"{key}.{i}")]
    return []
