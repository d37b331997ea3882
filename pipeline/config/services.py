"""Which services are protected, which do not exist, which are left out."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from pipeline.config.base import Section

SERVICE_NAMES = ("dtt", "foreign_dtt", "pmse", "radio_astronomy", "aeronautical", "mobile", "ppdr", "fixed")
ServiceName = Literal[
    "dtt", "foreign_dtt", "pmse", "radio_astronomy", "aeronautical", "mobile", "ppdr", "fixed"
]


class Service(Section):
    """Whether a service is protected, does not exist here, or is left out of this product."""

    status: Literal["evaluate", "out_of_scope"] = "evaluate"
    """`evaluate` without usable numbers gives "not evaluated", never "available"."""
    applicable: bool = True
    """False where the service does not exist in this territory: it then limits nothing."""
    reason: str = ""
    """Needed unless the service is evaluated."""

    @model_validator(mode="after")
    def _reason_given(self) -> Service:
        if (not self.applicable or self.status != "evaluate") and len(self.reason.strip()) < 3:
            raise ValueError("a service that is not evaluated needs a reason")
        return self

    @property
    def evaluated(self) -> bool:
        """Whether devices are limited by this service, or pixels marked where its numbers are missing."""
        return self.applicable and self.status == "evaluate"
