"""Grammar of the electronic notices of the GE06 Agreement: files to notices with keys, diagrams and points.

Free lines outside of `<HEAD>`, `<NOTICE>` and `<TAIL>` are comments; lines inside are ``key = value``, blanks
around the sign vary, keys may repeat, values may be empty [S]. A notice that is not closed and a number of
notices that is not that of the tail are faults of the whole file: it was cut off.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from pipeline.config.register_mapping import Encoding
from pipeline.rows.foreign_text import RegisterFault, decoded_as
from pipeline.rows.text_records import MOST_BYTES, content_of

_TAG = re.compile(r"<(/?)([A-Za-z0-9_]+)>")
_CHARACTER_SET = re.compile(rb"(?i)t_char_set\s*=\s*([A-Za-z0-9_-]+)")
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_OTHER_NAMES = {"utf8": "utf-8", "ascii": "utf-8", "us-ascii": "utf-8", "latin1": "iso-8859-1"} | {
    f"cp{page}": f"windows-{page}" for page in (1250, 1251, 1252, 1257)
}
_AZIMUTH = re.compile(r"(t_\w+)@azm(\d{1,3})")


@dataclass
class Notice:
    """One notice: its line, keys with all their values, blocks in their order."""

    file: Path
    row: int
    administration: str
    keys: dict[str, list[str]] = field(default_factory=dict)
    blocks: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)

    def get(self, key: str) -> str:
        """The first value of a key, empty if there is none."""
        return self.keys.get(key, [""])[0]

    def has_block(self, name: str) -> bool:
        """Whether there is a block with something in it."""
        return any(block == name and content for block, content in self.blocks)

    def by_azimuth(self, name: str) -> list[tuple[float, str]]:
        """Cells of a block by azimuth in degrees, in their order."""
        pairs = [pair for block, content in self.blocks if block == name for pair in content]
        found = ((_AZIMUTH.fullmatch(key), value) for key, value in pairs)
        return [(float(match[2]), value) for match, value in found if match is not None]

    def values_in(self, name: str, key: str) -> list[str]:
        """All values of a key in the blocks of a name."""
        return [value for block, content in self.blocks if block == name for k, value in content if k == key]


def read_notices(path: Path) -> list[Notice]:
    """All notices of a file; RegisterFault for one that is cut off."""
    reader = _Reader(path)
    for row, line in enumerate(_text(path).splitlines(), start=1):
        reader.take(row, line.strip())
    reader.finish()
    return reader.notices


def _text(path: Path) -> str:
    """The text in the character set of its mark, else that it names, else UTF-8, else ISO-8859-1.

    RegisterFault for letters of a character set that is not known.
    """
    content = content_of(path, MOST_BYTES)
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return decoded_as(path, content, encoding)
    named = _CHARACTER_SET.search(content)
    stated = named[1].decode().lower() if named else ""
    stated = _OTHER_NAMES.get(stated, stated)
    if stated in get_args(Encoding):
        return decoded_as(path, content, stated)
    if stated and not content.isascii():
        allowed = ", ".join(get_args(Encoding))
        raise RegisterFault(
            "not_utf8", "unknown character set", file=path, field="t_char_set", value=stated, allowed=allowed
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("iso-8859-1")


class _Reader:
    """Takes line by line; ``inside``: the tags that are open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notices: list[Notice] = []
        self.inside: list[str] = []
        self.opened_row = 0
        self.administration = ""
        self.declared: tuple[int, str] | None = None

    def take(self, row: int, line: str) -> None:
        """A line, with its number."""
        if tag := _TAG.fullmatch(line):
            self._tag(row, tag[2].upper(), closes=bool(tag[1]))
            return
        key, sign, value = (part.strip() for part in line.partition("="))
        key = key.lower()
        if not sign or not self.inside:
            return
        section = self.inside[0]
        if section == "HEAD" and key == "t_adm":
            self.administration = value
        elif section == "TAIL" and key == "t_num_notices":
            self.declared = (row, value)
        elif section == "NOTICE" and len(self.inside) == 1:
            self.notices[-1].keys.setdefault(key, []).append(value)
        elif section == "NOTICE":
            self.notices[-1].blocks[-1][1].append((key, value))

    def _tag(self, row: int, name: str, *, closes: bool) -> None:
        if closes:
            if name in self.inside:
                del self.inside[self.inside.index(name) :]
            return
        if name in ("NOTICE", "TAIL", "HEAD"):
            self._refuse_open()
            self.inside = [name]
            if name == "NOTICE":
                self.opened_row = row
                self.notices.append(Notice(self.path, row, self.administration))
        elif self.inside:
            if len(self.inside) > 1:  # a block that the next one ends
                self.inside.pop()
            self.inside.append(name)
            if self.inside[0] == "NOTICE":
                self.notices[-1].blocks.append((name, []))

    def _refuse_open(self) -> None:
        if "NOTICE" in self.inside:
            raise RegisterFault(
                "not_closed",
                "notice is not closed: the file was cut off",
                file=self.path,
                row=self.opened_row,
                field="NOTICE",
                value="",
                allowed="</NOTICE>",
            )

    def finish(self) -> None:
        """Check what only the end can tell."""
        self._refuse_open()
        if self.declared is None:
            raise RegisterFault(
                "count",
                "number of notices is not stated: the file was cut off",
                file=self.path,
                field="t_num_notices",
                value="",
                allowed=f"<TAIL> with t_num_notices = {len(self.notices)}, as there are",
            )
        if self.declared[1] != str(len(self.notices)):
            raise RegisterFault(
                "count",
                "number of notices is not that of the tail: some are lost",
                file=self.path,
                row=self.declared[0],
                field="t_num_notices",
                value=self.declared[1],
                allowed=f"{len(self.notices)}, as there are",
            )
