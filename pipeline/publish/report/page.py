"""The parts of the report as plain data, and the page that `report.html.jinja` makes of them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

# A table of so many rows of numbers, or of text, is not divided between pages.
_WHOLE_ROWS, _WHOLE_TEXT_ROWS = 40, 8
_TEMPLATE = Path(__file__).with_name("report.html.jinja")
PagePart = dict[str, object]


def page(title: str, parts: Iterable[PagePart], language: str = "en") -> str:
    """A whole document."""
    return _template().render(title=title, parts=list(parts), language=language)


def element(name: str, text: object, **attributes: str) -> PagePart:
    """An element around a text; ``class_`` stands for the attribute ``class``."""
    return {"kind": "text", "name": name, "text": text, "attributes": _plain(attributes)}


def wrap(name: str, parts: Iterable[PagePart], **attributes: str) -> PagePart:
    """An element around other parts."""
    return {"kind": "parts", "name": name, "parts": list(parts), "attributes": _plain(attributes)}


def bullets(texts: Iterable[object]) -> PagePart:
    """A list of texts; a word instead of an empty one."""
    items = list(texts)
    return {"kind": "bullets", "texts": items} if items else element("p", "None.")


def table(head: Sequence[str], rows: Iterable[Sequence[object]], kinds: str, caption: str = "") -> PagePart:
    """A table; ``kinds`` has a letter per column: t text, n number, c code, p path, s sum."""
    classes = [{"t": "", "n": "n", "c": "code", "p": "path", "s": "sum"}[kind] for kind in kinds]
    body = [list(zip(row, classes, strict=True)) for row in rows]
    numbers = kinds.count("n") >= len(kinds) - 1
    return {
        "kind": "table",
        "head": [(name, kind if kind == "n" else "") for name, kind in zip(head, classes, strict=True)],
        "rows": body,
        "caption": caption,
        "whole": len(body) <= (_WHOLE_ROWS if numbers else _WHOLE_TEXT_ROWS),
    }


def picture(png: bytes, caption: str) -> PagePart:
    """A picture with its caption, which also stands for it where it cannot be seen."""
    return {"kind": "picture", "base64": base64.b64encode(png).decode("ascii"), "caption": caption}


def legend(entries: Iterable[tuple[str, str | None, str]]) -> PagePart:
    """Colours ``#rrggbb``, the colour of the lines on them or None, and what they mean."""
    return {"kind": "legend", "entries": [(_lined(colour, lines), label) for colour, lines, label in entries]}


def _lined(colour: str, lines: str | None) -> str:
    stripes = f"repeating-linear-gradient(-45deg, {colour} 0 4px, {lines} 4px 5.5px)"
    return colour if lines is None else stripes


def _plain(attributes: dict[str, str]) -> dict[str, str]:
    return {name.rstrip("_"): value for name, value in attributes.items()}


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
