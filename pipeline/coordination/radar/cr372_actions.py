"""A and S records applied to a copy of the register, one after another (CR/372, Annex 1, nos. 2 to 4).

An S record names the radar that it removes by administration and reference: the one whose data equal all
that the S record gives. Without a reference all data must be equal. A change is S with the old data and A
with the new ones, in one file; the two are a pair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.coordination.radar.cr372_records import (
    Comparable,
    Line,
    Radar,
    data_of,
    differences,
    key,
    left_out,
    pair_name,
    text_of,
)
from pipeline.coordination.radar.findings import Finding, Strictness, finding


class Pairs(NamedTuple):
    """The other half of each pair, by the number of its line."""

    added_by: dict[int, Line]
    removed_by: dict[int, Line]


class WorkingCopy:
    """The records of the register while a submission is applied, in their order.

    ``applied`` counts the records that changed something; ``removed`` what the file has taken out, by the
    line of its S record.
    """

    def __init__(self, radars: Iterable[Radar], mode: Strictness, pairs: Pairs, day: str) -> None:
        """``day`` the date of update of what is added, DD.MM.YYYY."""
        self.mode, self.pairs, self.day = mode, pairs, day
        self.applied = 0
        self.removed: dict[int, Radar] = {}
        self._radars: dict[int, Radar] = {}
        self._next = 0
        self._by_reference: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self._by_key: defaultdict[Comparable, set[int]] = defaultdict(set)
        self._taken: set[int] = set()
        self._gone: defaultdict[Comparable, list[Radar]] = defaultdict(list)
        for radar in radars:
            self._put(radar)
        self._known = {radar.adm for radar in self._radars.values()}

    def radars(self) -> list[Radar]:
        """The records as they stand."""
        return list(self._radars.values())

    def act(self, line: Line) -> list[Finding]:
        """Apply one record; what is found on the way."""
        if line.number in self._taken:
            return []
        return self._suppress(line) if line.radar.action == "S" else self._add(line)

    def _put(self, radar: Radar) -> None:
        self._radars[self._next] = radar
        self._by_reference[radar.adm, radar.adm_ref_id].add(self._next)
        self._by_key[key(radar)].add(self._next)
        self._next += 1

    def _take(self, index: int) -> Radar:
        radar = self._radars.pop(index)
        self._by_reference[radar.adm, radar.adm_ref_id].discard(index)
        self._by_key[key(radar)].discard(index)
        return radar

    def _candidates(self, wanted: Radar) -> list[int]:
        """Records that an S record may mean: equal ones, else those that equal all that it gives."""
        if not wanted.adm_ref_id:
            near = self._by_key[key(wanted)]
            return sorted(index for index in near if data_of(self._radars[index]) == data_of(wanted))
        near = self._by_reference[wanted.adm, wanted.adm_ref_id]
        fitting = [index for index in sorted(near) if _fits(wanted, self._radars[index])]
        equal = [index for index in fitting if not left_out(wanted, self._radars[index])]
        return equal[:1] or fitting

    def _suppress(self, line: Line) -> list[Finding]:
        found: list[Finding] = []
        if line.radar.adm not in self._known:
            found += self._on(line, "FIRST_NOT_A", "the first records of an administration are all A", "Int")
        candidates = self._candidates(line.radar)
        if len(candidates) > 1:
            problem = f"{len(candidates)} records of the register agree with all that it gives"
            return found + self._on(line, "S_AMBIGUOUS", problem, "Adm_ref_id")
        if not candidates:
            return found + self._without_match(line)
        missing = left_out(line.radar, self._radars[candidates[0]])
        if missing:
            problem = f"all data of the removed radar should be given: {', '.join(missing)} missing"
            found += self._on(line, "S_PARTIAL", problem, missing[0])
        radar = self._take(candidates[0])
        self.removed[line.number] = radar
        self._gone[pair_name(radar)].append(radar)
        self.applied += 1
        return found

    def _without_match(self, line: Line) -> list[Finding]:
        if any(_fits(line.radar, radar) for radar in self._gone[pair_name(line.radar)]):
            return self._on(line, "S_DUPLICATE", "the record is already suppressed by this file")
        near = self._by_reference[line.radar.adm, line.radar.adm_ref_id] if line.radar.adm_ref_id else set()
        near = near or self._by_key[key(line.radar)]
        unlike = sorted((differences(line.radar, self._radars[index]) for index in near), key=len)
        reason = f"differs in {', '.join(unlike[0])}" if unlike else "no such radar"
        return self._on(line, "S_NO_MATCH", f"no record of the register is equal: {reason}", "Int")

    def _add(self, line: Line) -> list[Finding]:
        removing = self.pairs.removed_by.get(line.number)
        found: list[Finding] = []
        if removing is not None and removing.number > line.number:
            found += self._on(line, "ORDER", f"its S record comes later, in line {removing.number}", "Int")
            if self._candidates(removing.radar):
                if self.mode is Strictness.STRICT:
                    return found
                found += self._suppress(removing)
                self._taken.add(removing.number)
        before = None if removing is None else self.removed.get(removing.number)
        present = [self._radars[index] for index in sorted(self._by_key[key(line.radar)])]
        found += self._call_sign_lost(line, before or (present[0] if present else None))
        if any(not differences(radar, line.radar) for radar in present):
            return found + self._on(
                line, "A_EXISTS", "the radar is already in the register, unchanged", "Int"
            )
        if present:
            differing = ", ".join(differences(present[0], line.radar))
            problem = f"the radar is already in the register, with other {differing}: suppress it first"
            found += self._on(line, "KEY_EXISTS", problem, "Int")
            if self.mode is Strictness.STRICT:
                return found
        self._put(line.radar._replace(d_update=self.day))
        self.applied += 1
        if before is not None:
            changed = ", ".join(differences(before, line.radar)) or "nothing"
            found += self._on(line, "MODIFY", f"modification of {changed}", "site_name")
        return found

    def _call_sign_lost(self, line: Line, before: Radar | None) -> list[Finding]:
        if before is None or not before.call_sign or line.radar.call_sign:
            return []
        problem = f"the register has {before.call_sign[:20]!r}, the new record has none"
        return self._on(line, "CALLSIGN_LOST", problem, "call_sign")

    def _on(self, line: Line, code: str, message: str, name: str = "") -> list[Finding]:
        value = text_of(line.radar, name) if name else ""
        return finding(self.mode, line.number, code, message, name, value)


def _fits(wanted: Radar, radar: Radar) -> bool:
    """Whether a record equals another in all that this one gives."""
    return all(not text_of(wanted, name) for name in differences(wanted, radar))


def pairs_of(lines: Sequence[Line]) -> Pairs:
    """Each A record with the S record of the same radar that it follows, else with one that comes later."""
    waiting: defaultdict[Comparable, list[Line]] = defaultdict(list)
    lonely: list[Line] = []
    pairs = Pairs({}, {})
    for line in lines:
        name = pair_name(line.radar)
        if line.radar.action == "S":
            waiting[name].append(line)
        elif waiting[name]:
            _join(pairs, waiting[name].pop(), line)
        else:
            lonely.append(line)
    for line in lonely:
        if waiting[pair_name(line.radar)]:
            _join(pairs, waiting[pair_name(line.radar)].pop(0), line)
    return pairs


def _join(pairs: Pairs, removing: Line, adding: Line) -> None:
    pairs.added_by[removing.number] = adding
    pairs.removed_by[adding.number] = removing
