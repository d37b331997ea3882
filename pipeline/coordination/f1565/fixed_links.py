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


def exact_or_none(text: object) -> object:
    """A decimal text as an exact fraction; None for an empty cell."""
    return None if isinstance(text, str) and not text.strip() else exact(text)


def _required(text: object) -> object:
    if isinstance(text, str) and not text.strip():
        raise ValueError("value is missing")
    return exact(text)


def _rate(text: object, info: ValidationInfo) -> object:
    """A bit rate, also by the name of the container that has it."""
    containers = rules_of(info, F1565Tables).containers
    return containers.get(text.strip().upper()) or _required(text) if isinstance(text, str) else text


def _yes_no(text: object) -> object:
    value = _YES_NO.get(text.strip().lower()) if isinstance(text, str) else text
    if not isinstance(value, bool):
        raise ValueError("neither yes nor no")
    return value


def _empty_is_none(text: object) -> object:
    return None if text == "" else text


OptionalExact = Annotated[Fraction | None, BeforeValidator(exact_or_none)]
RequiredExact = Annotated[Exact, BeforeValidator(_required)]


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
        Fraction,
        BeforeValidator(_rate),
        Field(gt=0, description="a bit rate of the standard, kbit/s, or a container such as VC-4"),
    ]
    length_km: Annotated[
        OptionalExact,
        Field(description="more than 0, up to 27500 km; may be empty for short_haul and access"),
    ]
    br: Annotated[
        OptionalExact,
        Field(description="block allowance ratio, more than 0, up to 1, for portion international"),
    ]
    a1: Annotated[OptionalExact, Field(description="a share of more than 0, for portion long_haul")]
    b: Annotated[OptionalExact, Field(description="a share of more than 0, for portion short_haul")]
    c: Annotated[OptionalExact, Field(description="a share of more than 0, for portion access")]
    blocks_per_s: Annotated[OptionalExact, Field(description="more than 0, up to 1000000, or empty")]
    built_before_1996: Annotated[
        bool, BeforeValidator(_yes_no), Field(description="true, false, 1, 0, yes, no or empty")
    ]
    allow_sum: Annotated[
        bool, BeforeValidator(_yes_no), Field(description="true, false, 1, 0, yes, no or empty")
    ] = False

    @model_validator(mode="after")
    def _by_tables(self, info: ValidationInfo) -> FixedLink:
        for name in NEEDED[self.portion]:
            if getattr(self, name) is None:
                raise _refused(name, f"value is missing for portion {self.portion}")
        for name, high in _UP_TO.items():
            value = getattr(self, name)
            if value is not None and not 0 < value <= high:
                raise _refused(name, "is out of range")
        if self.shares_too_large(rules_of(info, F1565Tables)) and not self.allow_sum:
            text = "A1 + B + C is more than 17.5 % (note 7)"
            raise row_problem("a1", text, "a sum of up to 0.175, or allow_sum true")
        return self

    def shares_too_large(self, tables: F1565Tables) -> bool:
        """Whether A1, B and C are all given and are more than note 7 allows together."""
        shares = (self.a1, self.b, self.c)
        given = [share for share in shares if share is not None]
        return len(given) == len(shares) and sum(given) > tables.ranges.a1_plus_b_plus_c[1]


NEEDED: dict[str, tuple[str, ...]] = {
    "international": ("country", "length_km", "br"),
    "long_haul": ("length_km", "a1"),
    "short_haul": ("b",),
    "access": ("c",),
}
# All are more than 0. 27500 km is the whole hypothetical reference path of G.826: longer can only be a slip.
_UP_TO = {
    "length_km": Fraction(27_500),
    "br": Fraction(1),
    "a1": Fraction(1),
    "b": Fraction(1),
    "c": Fraction(1),
    "blocks_per_s": Fraction(1_000_000),
}


def read_links(path: Path, tables: F1565Tables) -> list[FixedLink]:
    """All links; the first fault is raised as InputError."""
    links = read_rows(path, FixedLink, context=tables)
    refuse_second(path, links, ("id",))
    return links


def _refused(name: str, text: str) -> PydanticCustomError:
    return row_problem(name, text, str(FixedLink.model_fields[name].description))
