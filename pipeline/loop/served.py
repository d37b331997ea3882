"""What a request is answered from: the open run, the devices on disk, the settings, the time.

``Served`` is made when the server begins, and its run is another one after each publication.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Engine

from pipeline.config.load import read_model
from pipeline.config.loop import Loop
from pipeline.errors import InputError
from pipeline.files import JsonObject
from pipeline.loop.counted import Counted, Others
from pipeline.loop.ground_heights import Files, terrain_files
from pipeline.loop.residual import Residual
from pipeline.loop.rulesets import Ruleset, served_rulesets
from pipeline.loop.storage import QuickReads
from pipeline.loop.victim_limits import VictimLimits, maps_of_run
from pipeline.publish.release import LATEST, MANIFEST
from pipeline.query.database import Database, close_database, open_database, with_blocks
from pipeline.query.paws import Segment, instant_s
from pipeline.query.query import Found, segments_of
from pipeline.query.results import read_public_run

_LOG = logging.getLogger("channelmaps.serve")
SHORTEST_POLLING_S = 60
_LONGEST_ANSWER_S = 86_400
# Name of a database of which a listing gives the address alone.
_NEIGHBOUR = "Neighbour listing"
# A wall clock that goes back by more is a fault: instants would be decided twice.
_BACK_S = 1.0
_MOST_PLACES, _MOST_OF_RUN = 20_000, 10_000
# Of the rasters in memory, of each worker.
_MOST_BYTES = 256 << 20


class Clock:
    """UTC in seconds; ``begin`` shifts it so that it starts at an instant, for tests."""

    def __init__(self, begin: datetime | None = None) -> None:
        self._shift_s = 0.0 if begin is None else begin.timestamp() - time.time()
        self._latest_s = -math.inf

    def now_s(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._shift_s

    def is_steady(self) -> bool:
        """Whether time has not gone back since the latest question."""
        now_s = self.now_s()
        self._latest_s = max(self._latest_s, now_s)
        return now_s >= self._latest_s - _BACK_S


class OpenRun(NamedTuple):
    """A run that answers: its rasters, its period in UTC seconds, which file told of it."""

    database: Database
    from_s: int
    until_s: int
    mark: tuple[int, int, int]


class Served:
    """The state of a server: a run that changes, a database, settings that stay."""

    def __init__(self, results: Path, engine: Engine, loop: Loop, clock: Clock) -> None:
        """Open the latest run; InputError where there is none."""
        self.results = results
        self.engine = engine
        self.loop = loop
        self.clock = clock
        self.run = open_run(results)
        self.rulesets = self._rulesets()
        self.terrain: Files = terrain_files(results)  # of the run, for heights above sea level
        self._residual: Residual | None = None
        self.quick = QuickReads(engine)
        self.counted = Counted(with_levels=loop.policy == "priority")
        self.neighbours = neighbours_of(loop)
        self.flush: Callable[[], None] = lambda: None  # writes answers that wait to be written
        self.ended_orders: set[int] = set()  # orders whose uses were ended
        self.reading = Lock()  # rasters are not for several threads
        self._places: OrderedDict[Hashable, Found] = OrderedDict()
        self._texts: dict[int, JsonObject] = {}
        self._of_run: dict[Hashable, Any] = {}
        self.has_shares = any(value is not None for value in loop.sharing.model_dump().values())

    @property
    def database(self) -> Database:
        """The rasters that answer now."""
        return self.run.database

    @property
    def facts(self) -> JsonObject:
        """Part ``query`` of the run's manifest."""
        return self.run.database.facts

    def _rulesets(self) -> tuple[Ruleset, ...]:
        """Rules that are answered under."""
        return served_rulesets(str(self.facts["ruleset"]["rulesetId"]), self.loop)

    def found_at(self, place: Hashable, find: Callable[[], Found]) -> Found:
        """What the rasters of the run hold for a request: a device asks again from where it is.

        With ``reading`` held.
        """
        found = self._places.pop(place, None) or find()
        self._places[place] = found
        self._texts.setdefault(id(found), {})
        if len(self._places) > _MOST_PLACES:
            _, oldest = self._places.popitem(last=False)
            del self._texts[id(oldest)]
        return found

    def kept(self, found: Found, name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - of many kinds
        """What was made of a place before, by name, else what is made now; kept as long as the place is."""
        texts = self._texts.get(id(found), {})
        if name not in texts:
            texts[name] = make()
        return texts[name]

    def of_run(self, key: Hashable, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - of many kinds
        """What is the same for all requests of a kind while the run answers, made once."""
        known = self._of_run
        if key not in known:
            if len(known) >= _MOST_OF_RUN:
                known.clear()
            known[key] = make()
        return known[key]

    def segments_of(self, found: Found) -> tuple[Segment, ...]:
        """The channels that are available; of a place that is kept the same object."""
        return self.kept(found, "segments", lambda: tuple(segments_of(found.entries, found.raw)))

    def residual(self) -> Residual:
        """What uses leave of the run that answers; made when there is a first use."""
        if self._residual is None:
            maps = maps_of_run(self.results, self.database)
            limits = None if maps is None else VictimLimits(maps, self.database)
            if limits is None:
                _LOG.warning(json.dumps({"event": "aggregate", "limits": "of the run alone"}))
            self._residual = Residual(self.database, limits, self.share)
        return self._residual

    @property
    def share(self) -> float:
        """Part of what devices together may cause that is left to this database."""
        return self.loop.share or 1.0 / self.loop.databases

    def is_lowered(self, others: Others) -> bool:
        """Whether devices get less than the run permits: for the uses of others, or of other databases."""
        if self.loop.aggregate != "enforce":
            return False
        return self.share < 1.0 or bool(others.table.uses and others.chosen.any())

    def refresh(self) -> bool:
        """Open the latest run if it is another one; whether it was. One that cannot be opened is left."""
        with suppress(OSError, InputError):
            if _mark_of(self.results) != self.run.mark:
                opened = open_run(self.results)
                terrain = terrain_files(self.results)
                with self.reading:
                    self.terrain = terrain
                    before, self.run, self._residual = self.run, opened, None
                    self._places.clear()
                    self._texts.clear()
                    self._of_run = {}
                    self.rulesets = self._rulesets()
                    close_database(before.database)
                return True
        return False


def open_run(results: Path) -> OpenRun:
    """The latest run of a territory's folder, or the run there."""
    mark = _mark_of(results)
    database = with_blocks(open_database(results), _MOST_BYTES)
    from_s, until_s = (instant_s(database.valid[name]) for name in ("startTime", "stopTime"))
    return OpenRun(database, from_s, until_s, mark)


def _mark_of(results: Path) -> tuple[int, int, int]:
    """What tells one published manifest from another."""
    folder = next((one for one in (results, results / LATEST) if (one / MANIFEST).is_file()), results)
    try:
        found = (folder / MANIFEST).stat()
    except OSError:
        raise InputError(
            "holds no published run", file=results, allowed="a folder such as results/x"
        ) from None
    return found.st_ino, found.st_mtime_ns, found.st_dev


def polling_s(served: Served, until_s: int, now_s: int, ordered_s: int | None = None) -> int:
    """``maxPollingSecs``: what is left of the validity, at least a minute, at most as set or ordered."""
    most_s = int(served.facts["ruleset"]["maxPollingSecs"])
    if ordered_s is not None:
        most_s = min(most_s, ordered_s)
    return max(min(until_s - now_s, most_s), SHORTEST_POLLING_S)


def end_s(served: Served, now_s: int, *others_s: int | None) -> int:
    """End of an answer: of the run, of whatever else ends, of a day."""
    ends_s = [served.run.until_s, now_s + _LONGEST_ANSWER_S, *(one for one in others_s if one is not None)]
    return min(ends_s)


# --- settings -----------------------------------------------------------------------------------------------


def loop_settings(results: Path, override: Path | None) -> Loop:
    """Section ``loop`` of the run's settings, or the file that replaces it; InputError for unknown keys."""
    if override is not None:
        return read_model(override, Loop)
    run = read_public_run(results)
    try:
        return Loop.model_validate(run.manifest["config"]["settings"].get("loop", {}))
    except ValidationError:
        raise InputError(
            "settings of the run do not fit this version of the program",
            file=run.folder / MANIFEST,
            field="config.settings.loop",
            allowed="a new run, or --loop",
        ) from None


def neighbours_of(loop: Loop) -> list[JsonObject]:
    """Databases of neighbours, as the listing of approved databases names them."""
    if loop.listing is None:
        return []
    try:
        listing = json.loads(loop.listing.read_text(encoding="utf-8"))
        found = listing.get("neighbours", [])
        return [{"name": one.get("name") or _NEIGHBOUR, "uri": one["uri"]} for one in found]
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise InputError(
            "is no listing of databases",
            file=loop.listing,
            field="loop.listing",
            allowed="see docs/server.md",
        ) from None
