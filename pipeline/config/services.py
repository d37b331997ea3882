"""Which services are protected, which do not exist, which are left out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo, model_validator

from pipeline.config.base import Section


def names_of_services(info: ValidationInfo) -> tuple[str, ...] | None:
    """The services that there are, as the reader of a file gives them (``services`` of the context).

    None where it gives none: the settings of a published run name the services of their time.
    """
    return None if info.context is None else info.context.get("services")


def _known(name: str, info: ValidationInfo) -> str:
    names = names_of_services(info)
    if names is not None and name not in names:
        listed = [repr(known) for known in names]
        raise ValueError(f"Input should be {', '.join(listed[:-1])} or {listed[-1]}")
    return name


ServiceName = Annotated[str, AfterValidator(_known)]


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
