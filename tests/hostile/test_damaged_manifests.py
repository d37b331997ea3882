"""A manifest with one value changed to what cannot be: no answer comes of it, and one line names the part."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.query.query import close_database, open_database
from tests.published import publish, with_devices

NO_TEXT: list[Any] = [None, 1, True, [], {}]
NO_NUMBER: list[Any] = [None, "8000000", True, [], {}, math.nan, math.inf, -math.inf]
CHANNEL, DEVICE, SLAVE = "query.channels.0", "query.devices.0", "query.generic_slave"
DAMAGE: list[tuple[str, Any]] = [
    *[("query", value) for value in (None, [], {}, 1, "query")],
    *[("query.channels", value) for value in (None, [], {}, [None], [[]], "22")],
    *[("query.devices", value) for value in (None, [], {}, [None], "a30")],
    *[("query.ruleset", value) for value in (None, [], {}, "ETSI")],
    *[(SLAVE, value) for value in (None, [], {}, 5)],
    *[("valid_utc", value) for value in (None, [], {}, "today")],
    *[(f"valid_utc.{end}", value) for end in ("startTime", "stopTime")
      for value in (*NO_TEXT, "", "2026-11-21", "2026-13-01T00:00:00Z", "2026-11-21T12:00:00")],
    *[("run_id", value) for value in (*NO_TEXT, "", "a\0b", "x" * 65)],
    *[(f"{CHANNEL}.{edge}", value) for edge in ("start_hz", "stop_hz")
      for value in (*NO_NUMBER, 0, -1, 1.5, 1e300)],
    *[(f"{CHANNEL}.channel", value) for value in (*NO_NUMBER, 0, -1, 22.5, 1000, 23)],
    (CHANNEL + ".stop_hz", 478e6),
    *[(f"{DEVICE}.id", value) for value in (*NO_TEXT, "", "../x", "a\0b", "x" * 41, "A30", "slave")],
    *[(f"{DEVICE}.file", value) for value in (*NO_TEXT, "", "/etc/passwd", "../query.tif", "none.tif")],
    *[(f"{DEVICE}.type", value) for value in (*NO_TEXT, "", "C", "a")],
    *[(f"{DEVICE}.emission_class", value) for value in (*NO_NUMBER, 0, 6, 1.5)],
    *[(f"{DEVICE}.height_m", value) for value in (*NO_NUMBER, 0, -30, 1e300)],
    *[(f"{DEVICE}.bandwidth_hz", value) for value in (*NO_NUMBER, 0, -8e6, 1e300)],
    *[(f"{DEVICE}.cap_dbm", value) for value in ("36", True, [], math.nan, math.inf, 1e300)],
    *[("query.ruleset.authority", value) for value in (*NO_TEXT, "", "s", "SVN")],
    *[("query.ruleset.rulesetId", value) for value in (*NO_TEXT, "", "a\0b", "x" * 65)],
    *[("query.ruleset.maxLocationChange", value) for value in (*NO_NUMBER, 0, -50, 1e300)],
    *[("query.ruleset.maxPollingSecs", value) for value in (*NO_NUMBER, 0, -900, 1e300)],
    *[(f"{SLAVE}.emission_class", value) for value in (*NO_NUMBER, 0, 6)],
    *[(f"{SLAVE}.sensitivity_dbm", value) for value in (*NO_NUMBER, 1, -151)],
    *[(f"{SLAVE}.antenna_gain_dbi", value) for value in (*NO_NUMBER, 41, -21)],
    *[(f"{SLAVE}.environment", value) for value in (*NO_TEXT, "", "Open")],
    *[("outputs", value) for value in (None, {}, [None], [{}])],
    *[("territory", value) for value in (*NO_TEXT, "", "../x", "a\0b")],
]  # fmt: skip


def test_no_answer_comes_of_a_damaged_manifest(tiny: Path) -> None:
    with_devices(tiny, ("a30", "A", 1, 30.0), ("slave", "A", 5, 30.0))
    tiny.write_text(tiny.read_text(encoding="utf-8").replace('wsd: ["21-30"]', "wsd: [22, 23, 25]"))
    run = publish(tiny)
    path = run / "manifest.json"
    good = json.loads(path.read_text(encoding="utf-8"))
    close_database(open_database(run))
    path.chmod(0o644)
    wrong = []
    for place, value in DAMAGE:
        content = copy.deepcopy(good)
        *sections, last = [int(part) if part.isdigit() else part for part in place.split(".")]
        node = content
        for section in sections:
            node = node[section]
        node[last] = value
        path.write_text(json.dumps(content), encoding="utf-8")
        try:
            close_database(open_database(run))
        except InputError as error:
            if not str(error).isprintable() or len(str(error)) > 900 or str(run) not in str(error):
                wrong.append((place, str(error)[:300]))
        else:
            wrong.append((place, repr(value)[:40]))
    assert len(DAMAGE) >= 60
    assert not wrong


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"[]",
        b"1",
        b"null",
        b'"x"',
        b"{",
        b"\xff\xfe{\0}\0",
        b"[" * 20_000,
        b"{}",
        b'{"a": 1e999}',
    ],
)
def test_what_is_no_manifest_is_refused(tiny: Path, content: bytes) -> None:
    folder = tiny.parent / "results/tiny/run"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(InputError, match=r"manifest\.json") as refusal:
        open_database(folder)
    assert str(refusal.value).isprintable()
