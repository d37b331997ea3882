"""The table of fixed links: one record per direction, checked, numbers exact."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from pipeline.coordination.f1565.objectives import CountryRole, Exact, F1565Tables, Standard, exact
from pipeline.rows.row_models import IdCell, StrippedRow, read_rows, refuse_second, row_problem, rules_of

_Portion = Literal["international", "long_haul", "short_haul", "access"]

_YES_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


def _optional(text: object) -> object:
    return None if isinstance(text, str) and not text.strip() else exact(text)


def _required(text: object) -> object:
    if isinstance(text, str) and not text.strip():
        raise ValueError("value is missing")
    return exact(text)


def _yes_no(text: object) -> object:
    value = _YES_NO.get(text.strip().lower()) if isinstance(text, str) else text
    if not isinstance(value, bool):
        raise ValueError("neither yes nor no")
    return value


def _empty_is_none(text: object) -> object:
    return None if text == "" else text


_OptionalExact = Annotated[Fraction | None, BeforeValidator(_optional)]


class FixedLink(StrippedRow):
    """One direction of a link; the description of a field is what an error message gives as allowed.

    Which of ``country``, ``length_km``, ``br``, ``a1``, ``b``, ``c`` must be given depends on the portion.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    id: IdCell
    portion: Annotated[_Portion, Field(description="international, long_haul, short_haul or access")]
    country: Annotated[
        CountryRole | None,
        BeforeValidator(_empty_is_none),
        Field(description="intermediate or terminating, for portion international"),
    ]
    standard: Annotated[Standard, Field(description="G.826 or G.828")]
    bit_rate_kbps: Annotated[
        Exact, BeforeValidator(_required), Field(gt=0, description="a bit rate of the standard, kbit/s")
    ]
    length_km: Annotated[
        _OptionalExact,
        Field(description="more than 0, up to 27500 km; may be empty for short_haul and access"),
    ]
    br: Annotated[
        _OptionalExact,
        Field(description="block allowance ratio, more than 0, up to 1, for portion international"),
    ]
    a1: Annotated[_OptionalExact, Field(description="0.01 to 0.02, for portion long_haul")]
    b: Annotated[_OptionalExact, Field(description="0.075 to 0.085, for portion short_haul")]
    c: Annotated[_OptionalExact, Field(description="0.075 to 0.085, for portion access")]
    blocks_per_s: Annotated[_OptionalExact, Field(description="more than 0, up to 1000000, or empty")]
    built_before_1996: Annotated[
        bool, BeforeValidator(_yes_no), Field(description="true, false, 1, 0, yes, no or empty")
    ]

    @model_validator(mode="after")
    def _by_tables(self, info: ValidationInfo) -> FixedLink:
        for name in NEEDED[self.portion]:
            if getattr(self, name) is None:
                raise _refused(name, f"value is missing for portion {self.portion}")
        for name, low, high, open_below in _bounds(rules_of(info, F1565Tables)):
            value = getattr(self, name)
            if value is not None and not (low < value <= high if open_below else low <= value <= high):
                raise _refused(name, "is out of range")
        return self


NEEDED: dict[str, tuple[str, ...]] = {
    "international": ("country", "length_km", "br"),
    "long_haul": ("length_km", "a1"),
    "short_haul": ("b",),
    "access": ("c",),
}
# The whole hypothetical reference path of G.826: longer can only be a slip.
_MAX_LENGTH_KM = Fraction(27_500)
_MAX_BLOCKS_PER_S = Fraction(1_000_000)


def read_links(path: Path, tables: F1565Tables) -> list[FixedLink]:
    """All links; the first fault is raised as InputError."""
    links = read_rows(path, FixedLink, context=tables)
    refuse_second(path, links, ("id",))
    return links


def _bounds(tables: F1565Tables) -> list[tuple[str, Fraction, Fraction, bool]]:
    """Field, lower bound, upper bound, whether the lower bound itself is out."""
    ranges = tables.ranges
    return [
        ("length_km", Fraction(0), _MAX_LENGTH_KM, True),
        ("br", Fraction(0), Fraction(1), True),
        ("a1", *ranges.a1, False),
        ("b", *ranges.b, False),
        ("c", *ranges.c, False),
        ("blocks_per_s", Fraction(0), _MAX_BLOCKS_PER_S, True),
    ]


def _refused(name: str, text: str) -> PydanticCustomError:
    return row_problem(name, text, str(FixedLink.model_fields[name].description))
