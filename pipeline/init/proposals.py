"""From the headers and cells of a table to the mapping of a register, and the questions that are left.

A column is proposed only if its header and its cells agree; a wrong guess counts more than a question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.grid.country_codes import country_named
from pipeline.grid.grid import Box
from pipeline.init.column_values import (
    ColumnCells,
    are_channels,
    are_country_codes,
    are_different,
    are_names,
    are_numbers,
    are_polarisations,
    are_words,
    day_forms,
    frequency_unit,
    notation_of,
    nothings_of,
    systems_of,
)
from pipeline.init.column_words import Header
from pipeline.init.pattern_proposals import propose_pattern_cell, propose_pattern_columns
from pipeline.init.place_proposals import propose_places
from pipeline.init.questions import answers_of
from pipeline.init.table_layout import LaidOut
from pipeline.init.table_proposal import (
    MEANINGS,
    NO_ANSWER,
    POWER_UNITS,
    Content,
    TableDraft,
    TableProposal,
    as_content,
    at_key,
    headers_in,
)

_LONGEST_ID = 64
_ALL_POWER_UNITS = (*POWER_UNITS, "mW", "MW")
_POWERS = ("erp_kw", "eirp_kw", "power")
_PLACES = ("lat", "lon", "lat_lon", "ngr", "x", "y")
_POLARISATIONS = {
    "c": "M", "hv": "M", "h/v": "M", "x": "M", "s": "M", "e": "M", "horizontal": "H", "vertical": "V",
}  # fmt: skip
_HEIGHTS = {"above ground": "antenna_height_agl_m", "site above sea": "site_height_asl_m"}


def propose_table(path: Path, laid: LaidOut, box: Box | None) -> TableProposal | None:
    """The proposal for a table of transmitters; None for a table that is none: no channel, power, place."""
    draft = TableDraft(path, laid, box)
    propose_pattern_columns(draft)
    wanted = (("channel", "centre_mhz"), _POWERS, _PLACES)
    said = {column for meant in draft.meant.values() for column in meant}
    given = [
        bool({*group} & said)
        or (group is _POWERS and _by_azimuth(draft))
        or (group is _PLACES and draft.points)
        for group in wanted
    ]
    if not all(given):
        return None
    if draft.proposal.laid.layout.decimal is None:
        draft.ask("decimal", "decimal sign of the numbers", (".", ","), at_key("decimal"))
    _power(draft)
    propose_places(draft)
    for target, check in _CHECKS.items():
        draft.propose(target, check)
    _heights(draft)
    _days(draft)
    _status_and_system(draft)
    propose_pattern_cell(draft)
    _id(draft)
    _needed(draft)
    _finish(draft)
    return draft.proposal


def _power(draft: TableDraft) -> None:
    draft.propose("site", _CHECKS["site"])
    if _by_azimuth(draft):
        return
    for target in _POWERS:
        numbers = [h for h in draft.of(target) if are_numbers(draft.cells[h.text], -100.0, 1e9)]
        if not numbers:
            continue
        if len(numbers) == 1:
            _enter_power(draft, numbers[0], target)
            return
        _ask_power(draft, numbers)
        _reference(draft, target, "the e.r.p.")
        return


def _ask_power(draft: TableDraft, headers: Sequence[Header]) -> None:
    """Ask for the column, with the unit where its header does not say it."""
    choices: dict[str, Content] = {}
    for header in headers:
        stated = header.unit in _ALL_POWER_UNITS
        for unit in [header.unit] if stated else POWER_UNITS:
            name = header.text if stated else f"{header.text} in {unit}"
            choices[name] = {"from": header.text, "unit": unit}

    def apply(content: dict[str, Any], answer: str) -> None:
        content["columns"].setdefault("erp_kw", {}).update(choices[answer])

    draft.ask("erp_kw", "which column holds the e.r.p. that is licensed", [*choices], apply)


def _reference(draft: TableDraft, target: str, what: str) -> None:
    if target == "power":
        text = f"is {what} over a half-wave dipole (erp) or isotropic (eirp)"
        draft.ask("erp reference", text, ("erp", "eirp"), at_key("columns.erp_kw.reference"))
        return
    draft.proposal.columns.setdefault("erp_kw", {})["reference"] = "eirp" if target == "eirp_kw" else "erp"


def _enter_power(draft: TableDraft, header: Header, target: str) -> None:
    column: Content = {"from": header.text}
    draft.proposal.columns["erp_kw"] = column
    if header.unit in _ALL_POWER_UNITS:
        column["unit"] = header.unit
    else:
        shown = draft.examples(header.text)
        draft.ask(
            "erp unit", f"unit of {header.text}", POWER_UNITS, at_key("columns.erp_kw.unit"), shown=shown
        )
    _reference(draft, target, header.text)


def _heights(draft: TableDraft) -> None:
    for header in draft.of("height"):
        if set(draft.meant[header.text]) & {"antenna_height_agl_m", "site_height_asl_m", "haat_m"}:
            continue
        if not are_numbers(draft.cells[header.text], -500.0, 9000.0):
            continue
        unit = {"unit": "ft"} if header.unit == "ft" else {}

        def apply(
            content: dict[str, Any], answer: str, name: str = header.text, more: Content = unit
        ) -> None:
            target = _HEIGHTS.get(answer)
            if target is not None:
                content["columns"].setdefault(target, {"from": name, **more})

        choices = (*_HEIGHTS, NO_ANSWER)
        text = f"what is {header.text}: height of the antenna above ground, or of the site above sea"
        draft.ask(
            header.text,
            text,
            choices,
            apply,
            shown=draft.examples(header.text),
            about="above ground or above sea",
            column=header.text,
        )


def _days(draft: TableDraft) -> None:
    for target in ("valid_from", "valid_to"):
        for header in draft.of(target):
            forms = day_forms(draft.cells[header.text])
            if len(forms) == 1:
                more = {} if forms == ["%Y-%m-%d"] else {"format": forms[0]}
                draft.proposal.columns[target] = {"from": header.text, **more}
            elif forms:

                def apply(
                    content: dict[str, Any], answer: str, t: str = target, n: str = header.text
                ) -> None:
                    content["columns"][t] = {"from": n, "format": answer}

                shown = draft.examples(header.text)
                draft.ask(target, f"form of the days in {header.text}", forms, apply, shown=shown)
            break


def _status_and_system(draft: TableDraft) -> None:
    for header in draft.of("status")[:1]:
        cells = draft.cells[header.text]
        if are_words(cells):
            draft.proposal.columns["status"] = {"from": header.text}
            shown = [f"{text}: {count}" for text, count in cells.texts.most_common()]

            def apply(content: dict[str, Any], answer: str) -> None:
                if answer != "all":
                    content["keep_status"] = answers_of(answer)

            text = f"which words of {header.text} are kept"
            draft.ask("status", text, [*cells.texts], apply, shown=shown, several=True, column=header.text)
    for header in draft.of("system")[:1]:
        if (systems := systems_of(draft.cells[header.text])) is not None:
            changed = {text: system for text, system in systems.items() if text != system}
            more: Content = {"map": changed} if changed else {}
            draft.proposal.columns["system"] = {"from": header.text, **more}


def _id(draft: TableDraft) -> None:
    named = [h.text for h in draft.of("id") if are_different(draft.raw[h.text])]
    columns = draft.proposal.columns
    if named:
        columns["id"] = {"from": named[0]}
        return
    channel = "channel" if "channel" in columns else "centre_mhz"
    known = ("site", channel, "polarisation", "erp_kw", "lat", "lon", "antenna_height_agl_m")
    headers = [name for target in known for name in headers_in(columns.get(target, {}))]
    others = [header.text for header in draft.headers if header.text not in headers]
    rows = zip(*draft.raw.values(), strict=True)
    filled = [i for i, cells in enumerate(rows) if any(map(str.strip, cells))]
    chosen: list[str] = []
    texts = [""] * len(filled)
    for header in [*headers, *others]:
        longer = [f"{text}-{draft.raw[header][i].strip()}" for text, i in zip(texts, filled, strict=True)]
        if len({*longer}) > len({*texts}) or len(chosen) < 2:
            texts, chosen = longer, [*chosen, header]
    if len({*texts}) == len(filled) and max(map(len, texts), default=0) <= _LONGEST_ID:
        columns["id"] = {"template": "-".join(f"{{{name}}}" for name in chosen)}
        draft.proposal.notes["id"] = "no column of ids: what tells all rows apart"


def _needed(draft: TableDraft) -> None:
    """What a register cannot do without and no column was found for: a column of the table is asked."""
    columns, names = draft.proposal.columns, [header.text for header in draft.headers]
    asked = {question.key.partition(":")[2] for question in draft.proposal.questions}
    heights = {"antenna_height_agl_m", "haat_m"} & columns.keys()
    height_asked = any(name in asked for name in draft.raw)
    needs = {
        "id": "id" in columns,
        "channel": bool({"channel", "centre_mhz"} & columns.keys()),
        "erp_kw": "erp_kw" in columns or _by_azimuth(draft),
        "antenna_height_agl_m": bool(heights) or height_asked,
    }
    if not (draft.points or {"lat_lon", "ngr", "x"} & columns.keys()):
        needs |= {"lat": "lat" in columns, "lon": "lon" in columns}
    for target, given in needs.items():
        if given or target in asked:
            continue
        if target == "erp_kw":
            _ask_power(draft, [header for header in draft.headers if draft.cells[header.text].numbers()])
            _reference(draft, "power", "that power")
            continue
        used = {name for column in columns.values() for name in headers_in(column)} | draft.azimuths
        free = [name for name in names if name not in used]

        def apply(content: dict[str, Any], answer: str, t: str = target) -> None:
            angle = as_content(notation_of(draft.cells[answer], t, None)) if t in ("lat", "lon") else None
            content["columns"][t] = {"from": answer, **(angle or {})}

        draft.ask(target, f"which column holds {MEANINGS.get(target, target)}", free, apply)


def _by_azimuth(draft: TableDraft) -> bool:
    """Whether the pattern is of powers, of which the largest is the e.r.p."""
    return draft.proposal.pattern is not None and draft.proposal.pattern["kind"] == "erp"


def _finish(draft: TableDraft) -> None:
    columns = draft.proposal.columns
    used = [draft.raw[name] for column in columns.values() for name in headers_in(column)]
    draft.proposal.na = nothings_of(used)
    if words := draft.proposal.laid.layout.words:
        draft.proposal.notes["encoding"] = f"by the letters of the country: {', '.join(words)}"
    telling = [
        draft.raw[name]
        for target in ("channel", "centre_mhz", "erp_kw", *_PLACES)
        if target in columns
        for name in headers_in(columns[target])
    ]
    if telling:
        empty = (not any(cell.strip() for cell in cells) for cells in zip(*telling, strict=True))
        draft.proposal.total_rows = sum(empty)


def _heights_in(cells: ColumnCells, header: Header, least: float, most: float) -> Content | None:
    if not are_numbers(cells, least, most):
        return None
    return {"unit": "ft"} if header.unit == "ft" else {}


def _frequency(cells: ColumnCells, header: Header) -> Content | None:
    stated = header.unit if header.unit in ("MHz", "kHz", "Hz", "GHz") else None
    unit = frequency_unit(cells, stated)
    return None if unit is None else {} if unit == "MHz" else {"unit": unit}


def _polarisation(cells: ColumnCells, header: Header) -> Content | None:
    del header
    if not are_polarisations(cells):
        return None
    table = {text: _POLARISATIONS[text.lower()] for text in cells.texts if text.lower() in _POLARISATIONS}
    return {"map": table} if table else {}


_CHECKS: dict[str, Callable[[ColumnCells, Header], Content | None]] = {
    "site": lambda cells, _: {} if are_names(cells) else None,
    "channel": lambda cells, _: {} if are_channels(cells) else None,
    "centre_mhz": _frequency,
    "polarisation": _polarisation,
    "antenna_height_agl_m": lambda cells, header: _heights_in(cells, header, 0.0, 3000.0),
    "site_height_asl_m": lambda cells, header: _heights_in(cells, header, -450.0, 9000.0),
    "haat_m": lambda cells, header: _heights_in(cells, header, -2000.0, 5000.0),
    "country": lambda cells, _: {} if are_country_codes(cells, country_named) else None,
    "sfn": lambda cells, _: {} if are_names(cells) else None,
}
