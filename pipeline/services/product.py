"""What the published maps are not: the services and the offsets that they leave out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.config.config import Config
from pipeline.radio.allocations import is_partial, partial_statement, services_of_partial

_CO_CHANNEL = "co-channel only; adjacent channels not studied (SM.2405 6.1)"


class Omission(NamedTuple):
    """One thing that the product leaves out.

    ``key``: of the report's sentence (`product_<key>`); ``services`` names of those without which it is
    made; ``study`` that it reproduces; ``english`` the words of tags, manifest and web map.
    """

    key: str
    english: str
    services: tuple[str, ...] = ()
    study: str = ""


def product_statement(config: Config) -> str:
    """One sentence on what the product is not; empty when everything that exists here is evaluated."""
    return "; ".join(omission.english for omission in omissions(config))


def omissions(config: Config) -> list[Omission]:
    """What the product leaves out; nothing when everything that exists here is evaluated."""
    return [*_services_left_out(config), *_offsets_left_out(config)]


def _services_left_out(config: Config) -> Iterator[Omission]:
    if is_partial(config):
        english = f"{partial_statement(config)}, not for licensing"
        key = "study" if config.study else "partial"
        yield Omission(key, english, tuple(services_of_partial(config)), config.study)
        return
    missing = tuple(
        name
        for name, service in config.services.items()
        if service.applicable and service.status == "out_of_scope"
    )
    evaluated = {name for name, service in config.services.items() if service.evaluated}
    if missing and evaluated <= {"dtt", "foreign_dtt"}:
        yield Omission("television", "DTT only, not for licensing")
    elif missing:
        yield Omission("without", f"without {', '.join(missing)}, not for licensing", missing)


def _offsets_left_out(config: Config) -> Iterator[Omission]:
    """What the threshold method does not look at."""
    if config.protection.method == "threshold" and config.protection.threshold.offsets == [0]:
        yield Omission("co_channel", _CO_CHANNEL)
