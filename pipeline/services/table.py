"""THE table of services: what can limit a device, with its code, its bit, its label and its module.

Data only. A row names its module as text; the module has three functions, each given the row it is asked for:

    prepare(service, context, device, channel) -> BlockLimit | None
    explain(service, context, device, channel, row, col) -> Budget | None
    check(service, config, ground) -> Iterator[str]

(types in ``services.base``). A new service is one such module and one row here.
"""

from __future__ import annotations

from typing import NamedTuple


class ServiceRow(NamedTuple):
    """What is known of a service, of a decision, or of a mere label.

    ``name`` key under ``services`` of the territory file, and the word for the code in layers and answers;
    ``code`` value in ``limiting_service``, never used again for something else; where rows share a code, the
    first names it; ``flag`` bit in ``eval_flags``, None: without a bit; ``label`` for legends and reports;
    ``module`` None: a label only; ``always`` a limit by decision: evaluated in every territory, after the
    services; ``implies`` services that are evaluated with it; ``stations`` its receivers are protected
    stations at places of their own, which ``publish`` may group and coarsen.
    """

    name: str
    code: int
    flag: int | None
    label: str
    module: str | None = None
    always: bool = False
    implies: tuple[str, ...] = ()
    stations: bool = False
    own_band: bool = False
    """Concerns the bands alone that ``channels.allocated`` gives it, all channels where none is; a territory
    file need not name it."""
    booked: bool = False
    """Its stations are protected for a time each: ``ServiceContext.span`` chooses among them."""


_ROOM = "pipeline.services"

# In the order of the territory file; then decisions, then labels.
SERVICES: tuple[ServiceRow, ...] = (
    ServiceRow("dtt", 1, 1, "DTT reception", f"{_ROOM}.dtt"),
    # The maps of foreign reception are made with those of the territory's own.
    ServiceRow("foreign_dtt", 8, 8, "foreign DTT reception", f"{_ROOM}.border", implies=("dtt",)),
    ServiceRow("pmse", 2, 2, "PMSE", f"{_ROOM}.pmse.pmse", stations=True, booked=True),
    ServiceRow("radio_astronomy", 3, 3, "radio astronomy", f"{_ROOM}.radio_astronomy", stations=True),
    ServiceRow("aeronautical", 4, 4, "aeronautical radionavigation", f"{_ROOM}.aeronautical", stations=True),
    ServiceRow("mobile", 5, 5, "mobile", f"{_ROOM}.receivers", stations=True),
    ServiceRow("ppdr", 6, 6, "PPDR", f"{_ROOM}.receivers", stations=True),
    ServiceRow("fixed", 7, 7, "fixed links", f"{_ROOM}.receivers", stations=True),
    # The users of the band that devices share, e.g. the data systems of SM.2405, Annex 6.
    ServiceRow("in_band", 16, 0, "systems of the band", f"{_ROOM}.receivers", stations=True, own_band=True),
    # What a territory file defines itself (``incumbents.custom``).
    ServiceRow("custom", 18, 16, "other service", f"{_ROOM}.custom", stations=True, own_band=True),
    ServiceRow("device_cap", 9, 9, "cap of the device"),
    ServiceRow("reserved_channel", 10, 10, "reserved channel", f"{_ROOM}.reserved_channels", always=True),
    ServiceRow("exclusion_area", 11, 11, "exclusion area", f"{_ROOM}.exclusion_areas", always=True),
    ServiceRow("relay_sites", 11, 11, "exclusion area", f"{_ROOM}.relay_sites", always=True),
    ServiceRow("channel_caps", 9, 9, "cap of the device", f"{_ROOM}.channel_caps", always=True),
    ServiceRow("manual_adjustment", 15, 15, "manual adjustment", f"{_ROOM}.adjustments", always=True),
    ServiceRow("none", 0, None, "no limit"),
    # Its bit is never set: the border counts under that of foreign_dtt.
    ServiceRow("border_field", 12, 12, "field at the border"),
    ServiceRow("receiver_overload", 13, 13, "receiver overload"),
    # Whichever of the services with stations it is, where a territory does not tell.
    ServiceRow("protected_station", 17, None, "protected station"),
    ServiceRow("not_evaluated", 14, None, "not evaluated"),
    ServiceRow("outside", 255, None, "outside"),
)


def service_row(name: str) -> ServiceRow:
    """The row of a name; KeyError if there is none."""
    return {row.name: row for row in SERVICES}[name]


def service_code(name: str) -> int:
    """Value in ``limiting_service`` of a name."""
    return service_row(name).code


def service_names() -> tuple[str, ...]:
    """Services for which a territory file says whether they are evaluated, in its order."""
    return tuple(row.name for row in SERVICES if row.module is not None and not row.always)


def required_services() -> tuple[str, ...]:
    """Services that every territory file has to name."""
    return tuple(name for name in service_names() if not service_row(name).own_band)


def settings_context() -> dict[str, tuple[str, ...]]:
    """What the configuration has to know of the services: which there are, and which a file must name."""
    return {"services": service_names(), "required": required_services()}


def code_names(*, grouped: bool = False) -> dict[int, str]:
    """Words by code, ascending, as layers and answers carry them.

    ``grouped``: one code stands for those of all services with stations.
    """
    left_out = {row.code for row in SERVICES if row.stations}
    if not grouped:
        left_out = {service_code("protected_station")}
    return {code: row.name for code, row in _first_rows().items() if code not in left_out}


def code_labels() -> dict[int, str]:
    """Labels by code, ascending, for legends and reports."""
    return {code: row.label for code, row in _first_rows().items()}


def service_bits() -> dict[str, int]:
    """Bit in ``eval_flags`` by name, ascending; of rows that share one the first."""
    rows = sorted(_first_rows().values(), key=lambda row: -1 if row.flag is None else row.flag)
    return {row.name: row.flag for row in rows if row.flag is not None}


def _first_rows() -> dict[int, ServiceRow]:
    first = {row.code: row for row in reversed(SERVICES)}
    return dict(sorted(first.items()))
