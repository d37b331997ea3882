"""Pages of the documentation that follow from the program: every setting, and each service with its method.

`docs/hooks.py` hands them to the builder of the site; they are no files of the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.services.table import SERVICES, ServiceRow

_Schema = Mapping[str, Any]
# Sections of docs/method.md that say how a service limits.
SECTIONS = {
    "dtt": (3, 4, 5, 6, 7, 9, 11),
    "foreign_dtt": (15,),
    "pmse": (17,),
    "radio_astronomy": (16, 18),
    "aeronautical": (16, 19),
    "mobile": (16, 20),
    "ppdr": (16, 20),
    "fixed": (16, 21, 26),
    "in_band": (16,),
    "custom": (16, 47),
    "reserved_channel": (22,),
    "exclusion_area": (22,),
    "relay_sites": (22,),
    "channel_caps": (12, 22),
    "manual_adjustment": (22,),
}
SETTINGS_PAGE = "settings"
_SETTINGS_HEAD = """# Settings

Every key of a territory file, from the schema of the program (`channelmaps schema`). A key that is not here
is refused. Files are looked for from the territory file's folder and from that of the program.
"""
_RANGES = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
_DEFAULT_CHARS = 60


# --- settings -----------------------------------------------------------------------------------------------


def settings_page(schema: _Schema) -> str:
    """A table for the territory file and for each of its sections, in the order in which they are met."""
    parts = [_SETTINGS_HEAD, *_table("Territory file", schema, schema["$defs"])]
    for name, section in _sections(schema).items():
        parts += _table(name, section, schema["$defs"])
    return "\n".join(parts) + "\n"


def _sections(schema: _Schema) -> dict[str, _Schema]:
    """Sections with keys of their own, each once, after those that name it."""
    known, found = schema["$defs"], {}
    waiting = list(_named(schema))
    while waiting:
        name = waiting.pop(0)
        if name not in found and "properties" in known[name]:
            found[name] = known[name]
            waiting += _named(known[name])
    return found


def _named(node: object) -> Iterator[str]:
    """Names of the sections that a part of the schema refers to."""
    if isinstance(node, Mapping):
        if isinstance(reference := node.get("$ref"), str):
            yield reference.rpartition("/")[2]
        for key, value in node.items():
            if key != "$defs":
                yield from _named(value)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value)


def _table(name: str, section: _Schema, sections: Mapping[str, _Schema]) -> list[str]:
    required = section.get("required", ())
    rows = []
    for key, entry in section["properties"].items():
        named = next(_named(entry), "")
        told = entry.get("description") or sections.get(named, {}).get("description", "")
        rows.append(f"| `{key}` | {_kind(entry)} | {_default(entry, key in required)} | {_cell(told)} |")
    told = _cell(section.get("description", ""))
    head = ["| key | what it is | default | meaning |", "| --- | --- | --- | --- |"]
    return [f"## {name}", "", told, "", *head, *rows, ""]


def _kind(entry: _Schema) -> str:
    """Type and range in short; a section by a link to its table."""
    if "$ref" in entry:
        name = str(entry["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for choice in ("anyOf", "oneOf"):
        if choice in entry:
            return " or ".join(dict.fromkeys(_kind(one) for one in entry[choice]))
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    kind = str(entry.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(entry.get('items', {}))}"
    if kind == "object":
        inner = entry.get("additionalProperties")
        return f"by name: {_kind(inner)}" if isinstance(inner, Mapping) else "by name"
    limits = [text.format(f"{entry[word]:g}") for word, text in _RANGES.items() if word in entry]
    text = "file" if entry.get("format") == "path" else "text"
    words = {"null": "none", "string": text, "boolean": "true, false"}
    return " ".join([words.get(kind, kind), *limits])


def _default(entry: _Schema, required: bool) -> str:
    if required:
        return "**required**"
    value = entry.get("default")
    if value is None:
        return "none" if "default" in entry else ""
    if isinstance(value, Mapping) and "$ref" in str(entry):
        return "its own"
    text = str(value).lower() if isinstance(value, bool) else str(value) or "empty"
    return _cell(f"`{text}`") if len(text) <= _DEFAULT_CHARS else "see the schema"


def _cell(text: str) -> str:
    """A text in one cell of a table."""
    return text.replace("\n", " ").replace("|", "\\|")


# --- services -----------------------------------------------------------------------------------------------


def service_pages(method: str) -> dict[str, str]:
    """A page for each service and decision that limits, by name; ``method``: the text of docs/method.md."""
    sections = method_sections(method)
    return {row.name: _service_page(row, sections) for row in SERVICES if row.module is not None}


def method_sections(method: str) -> dict[int, str]:
    """Sections of the method by number, with their heads."""
    parts = re.split(r"^(?=## \d+\. )", method, flags=re.MULTILINE)[1:]
    return {int(part[3 : part.index(".")]): part.strip() for part in parts}


def _service_page(row: ServiceRow, sections: Mapping[int, str]) -> str:
    facts = [f"Code `{row.code}` in the layers `limiting_service`"]
    facts += [f"bit {row.flag} in `eval_flags`"] if row.flag is not None else []
    said = f"`services.{row.name}` says whether it is evaluated"
    facts.append("evaluated in every territory" if row.always else said)
    facts += ["its receivers are protected stations"] if row.stations else []
    head = f"# {row.label[0].upper()}{row.label[1:]} (`{row.name}`)"
    return "\n\n".join([head, f"{'; '.join(facts)}.", *(sections[n] for n in SECTIONS[row.name])]) + "\n"
