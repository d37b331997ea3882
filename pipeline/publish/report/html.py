"""HTML of the report from plain values; every text that comes from outside is escaped here."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from string import Template

# A table of so many rows of numbers, or of text, is not divided between pages.
WHOLE_ROWS, WHOLE_TEXT_ROWS = 40, 8
# The policy makes a browser refuse whatever is not in the file itself, should a text ever slip through.
PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
* { print-color-adjust: exact; -webkit-print-color-adjust: exact; box-sizing: border-box; }
body { font: 16px/1.45 system-ui, "Noto Sans", Arial, sans-serif; color: #1c2126; margin: 0 auto; max-width: 68rem; padding: 1.5rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .6rem; border-bottom: 2px solid #1c2126; break-after: avoid; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; break-after: avoid; }
p { max-width: 48rem; margin: .4rem 0; }
p, li { overflow-wrap: anywhere; }
.facts, caption, figcaption, .note { color: #4a545c; font-size: .9rem; }
.warning { border: .4rem solid #b3261e; background: #fff4f2; padding: 1rem 1.3rem; margin: 1.3rem 0; break-inside: auto; }
.warning h2 { border: 0; margin: 0 0 .4rem; color: #8c1d18; font-size: 1.35rem; }
.warning h3 { margin-top: .8rem; }
.warning ul { margin: .2rem 0; padding-left: 1.2rem; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: .8rem; }
figure { margin: 0 0 .8rem; break-inside: avoid; }
img { width: 100%; height: auto; display: block; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: .5rem 0 1rem; padding: 0; list-style: none; font-size: .9rem; break-inside: avoid; break-after: avoid; }
p.note { break-after: avoid; }
th { white-space: pre-line; }
.legend i { display: inline-block; width: 1.1em; height: 1.1em; border: 1px solid #6b757d; margin-right: .4em; vertical-align: -.2em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; margin: .5rem 0 1rem; }
caption { text-align: left; padding-bottom: .3rem; break-after: avoid; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { border-bottom: 1px solid #cfd6db; padding: .18rem .7rem .18rem 0; text-align: left; vertical-align: top; overflow-wrap: break-word; }
th { border-bottom: 1.5px solid #1c2126; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.path { overflow-wrap: anywhere; }
td.code { font-family: ui-monospace, "Liberation Mono", monospace; font-size: .78rem; width: 36ch; max-width: 36ch; word-break: break-all; }
.whole { break-inside: avoid; }
@page { size: A4; margin: 15mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; } }
@media print { body { font-size: 10pt; max-width: none; padding: 0; } p { max-width: none; } .wide { overflow: visible; }
  .maps { display: block; } .maps figure { display: inline-block; width: 32.5%; } .facts, caption, figcaption, .note { font-size: 8.5pt; }
  table { font-size: 8pt; } th, td { padding-right: .5rem; } td.code { font-size: 7pt; } h2 { margin-top: 1.4rem; } }
</style>
</head>
<body>
$body
</body>
</html>
""")  # noqa: E501


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document; ``parts`` are HTML, the title is text."""
    return PAGE.substitute(title=escape(title), body="\n".join(parts))


def element(name: str, text: object, **attributes: str) -> str:
    """An element around a text."""
    return wrap(name, [escape(str(text))], **attributes)


def wrap(name: str, parts: Iterable[str], **attributes: str) -> str:
    """An element around HTML; ``class_`` stands for the attribute ``class``."""
    inside = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{inside}>{''.join(parts)}</{name}>"


def bullets(texts: Iterable[object]) -> str:
    """A list of texts; a word instead of an empty one."""
    items = [element("li", text) for text in texts]
    return wrap("ul", items) if items else element("p", "None.")


def table(head: Sequence[str], rows: Iterable[Sequence[object]], kinds: str, caption: str = "") -> str:
    """A table; ``kinds`` has a letter per column: t text, n number, c code, p path."""
    classes = [{"t": "", "n": "n", "c": "code", "p": "path"}[kind] for kind in kinds]
    titles = [
        _cell("th", name, kind if kind == "n" else "") for name, kind in zip(head, classes, strict=True)
    ]
    body = [
        wrap("tr", [_cell("td", value, kind) for value, kind in zip(row, classes, strict=True)])
        for row in rows
    ]
    parts = [element("caption", caption)] if caption else []
    parts += [wrap("thead", [wrap("tr", titles)]), wrap("tbody", body)]
    whole = len(body) <= (WHOLE_ROWS if kinds.count("n") >= len(kinds) - 1 else WHOLE_TEXT_ROWS)
    return wrap("div", [wrap("table", parts)], class_="wide whole" if whole else "wide")


def picture(png: bytes, caption: str) -> str:
    """A picture with its caption, which also stands for it where it cannot be seen."""
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    image = f'<img src="{source}" alt="{escape(caption)}">'
    return wrap("figure", [image, element("figcaption", caption)])


def legend(entries: Iterable[tuple[str, str | None, str]]) -> str:
    """Colours ``#rrggbb``, the colour of the lines on them or None, and what they mean."""
    items = [
        wrap("li", [f'<i style="background:{escape(_lined(colour, lines))}"></i>', escape(label)])
        for colour, lines, label in entries
    ]
    return wrap("ul", items, class_="legend")


def _lined(colour: str, lines: str | None) -> str:
    stripes = f"repeating-linear-gradient(-45deg, {colour} 0 4px, {lines} 4px 5.5px)"
    return colour if lines is None else stripes


def _cell(name: str, value: object, kind: str) -> str:
    return element(name, value, class_=kind) if kind else element(name, value)
