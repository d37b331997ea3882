"""What all sections of the configuration share: strict numbers, numbers with their origin."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
)
from pydantic_core import CoreSchema, core_schema

from pipeline.propagation.models import Role, model_names

Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys, no infinite numbers, every field documented."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


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
    """All numbers of a configuration whose source was not read: key, value, source."""
    found: list[dict[str, object]] = []
    for name in type(settings).model_fields:
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
