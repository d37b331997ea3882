"""The text of a new territory file: every guess with a comment, nothing of another territory in it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.config.channels import PlanSegment
from pipeline.grid.country_codes import Country
from pipeline.init.rasters_and_grids import GridChoice
from pipeline.registers.boundary_files import BoundaryFile
from pipeline.rows.row_models import NumberCell, SourcedRow, read_rows
from pipeline.services.table import required_services
from pipeline.shipped import TABLES

_ANTENNAS = TABLES / "receiver_antennas.csv"
# Modes in wide use: of transmitters whose record names none.
_MODES = {
    "DVB-T": "64QAM 2/3", "DVB-T2": "256QAM 2/3", "ATSC": "8VSB", "ISDB-T": "64QAM 3/4", "DTMB": "64QAM 0.6",
    "ATSC3": "256QAM 9/15",
}  # fmt: skip
# Television below the mobile bands of the three regions: 470-694, 526-694 and 470-608 MHz.
_DEVICE_CHANNELS = {8.0: (21, 48), 7.0: (28, 51), 6.0: (14, 36)}
# P.1546 has warm seas in the tropics and around the Mediterranean.
_COLD_FROM_DEG = 45.0
# Formats whose records hold a HAAT of 0 that nobody computed, and no height above ground.
_HAAT_MAY_LACK = ("fcc_lms", "tvstudy", "fcc_post_auction")
_UNDECIDED = "not decided yet"


class _AntennaRow(SourcedRow):
    width_mhz: NumberCell
    from_mhz: NumberCell
    to_mhz: NumberCell
    gain_dbd: NumberCell
    feeder_db: NumberCell
    flat_deg: NumberCell
    end_deg: NumberCell
    discrimination_db: NumberCell


class NewTerritory(NamedTuple):
    """What a new territory file says, from files and answers.

    ``registers`` items of `registers.transmitters`: paths or contents of mappings, with notes by column;
    ``answers`` by key; ``accept`` ids of rows that look wrong and are right; ``neighbours`` with how many
    stations the register has of them; ``today`` the day of the registers, which counts
    where they say from when or until when entries hold (``has_days``).
    """

    country: Country
    folder: Path
    home: BoundaryFile
    land_layer: str | None
    world: Path | None
    grid: GridChoice
    resolution_m: float
    places: Path | None
    population: Path | None
    dem: Sequence[Path]
    registers: Sequence[tuple[str | dict[str, Any], Mapping[str, str]]]
    pmse: Sequence[Path]
    plan_name: str
    plan: Sequence[PlanSegment]
    system: str
    answers: Mapping[str, str]
    has_days: bool
    today: str
    neighbours: Mapping[str, int] | None = None
    accept: Sequence[str] = ()


def device_channels(plan: Sequence[PlanSegment]) -> tuple[int, int]:
    """First and last channel that devices may use, by the widths of a plan: a guess."""
    widest = max(segment.width_mhz for segment in plan)
    first, last = _DEVICE_CHANNELS.get(widest, (plan[0].first_channel, plan[-1].last_channel))
    known = [number for s in plan for number in range(s.first_channel, s.last_channel + 1)]
    inside = [number for number in known if first <= number <= last]
    return (inside[0], inside[-1]) if inside else (known[0], known[-1])


def territory_text(new: NewTerritory) -> str:
    """The territory file."""
    parts = (_head, _territory, _terrain, _registers, _channels, _coverage, _devices, _services)
    return "\n\n".join("\n".join(part(new)) for part in parts) + "\n"


def _quoted(text: object) -> str:
    """A text as YAML writes it on one line."""
    return yaml.safe_dump(str(text), allow_unicode=True, width=1000).removesuffix("\n").removesuffix("\n...")


def _flow(items: Iterable[object]) -> str:
    """A list as YAML writes it on one line; a comma in a text parts nothing."""
    texts = [str(item) for item in items]
    return yaml.safe_dump(texts, allow_unicode=True, width=math.inf, default_flow_style=True).removesuffix(
        "\n"
    )


def _head(new: NewTerritory) -> Iterator[str]:
    folder = " ".join(str(new.folder).split())
    yield f"# Territory file of {new.country.name}, from the files in {folder}. GUESS deserves a look."
    for key, answer in new.answers.items():
        yield f"# answered: {' '.join(key.split())} = {' '.join(answer.split())}"
    yield f"title: {_quoted(new.country.name + ', television white spaces')}"
    yield 'notice: ""  # what a reader must know, such as that registers are not complete'
    used = [new.home.path, *new.dem, *filter(None, (new.places, new.population, new.world))]
    yield 'licence: ""  # TO FILL IN: terms under which readers may use the maps, such as CC-BY-4.0'
    yield 'attribution: ""  # TO FILL IN: whom readers must see credited for'
    yield from textwrap.wrap(
        ", ".join(dict.fromkeys(path.name for path in used)), 100, initial_indent="# ", subsequent_indent="# "
    )


def _territory(new: NewTerritory) -> Iterator[str]:
    yield "territory:"
    yield f"  home: [{_quoted(new.country.iso2)}]"
    yield "  polygons:"
    yield f"    path: {_quoted(new.home.path)}"
    yield f"    countries_layer: {_quoted(new.home.layer)}"
    yield f"    country_field: {_quoted(new.home.code_field)}"
    if new.home.source.codes != "as_stated":
        yield f"    country_codes: {new.home.source.codes}"
    land = "~  # the union of the countries" if new.land_layer is None else _quoted(new.land_layer)
    yield f"    land_layer: {land}"
    if new.grid.bbox_deg is not None:
        yield f"  bbox_deg: {[*new.grid.bbox_deg]}  # GUESS: parts overseas are left out"
    if new.world is not None:
        yield f"  world: {_quoted(new.world)}  # land beyond that file"
    _, south, _, north = new.grid.bbox_deg or new.home.polygons_of(new.country.iso2).bounds
    sea = "cold" if abs(south + north) / 2.0 >= _COLD_FROM_DEG else "warm"
    yield f"  sea: {sea}  # GUESS by latitude: sea family of P.1546 of all seas around"
    yield ""
    yield "grid:"
    yield f"  crs: {new.grid.crs}  # {new.grid.note}"
    yield f"  resolution_m: {new.resolution_m}"


def _terrain(new: NewTerritory) -> Iterator[str]:
    if new.places is not None or new.population is not None:
        key, path = ("places", new.places) if new.places is not None else ("raster", new.population)
        yield "population:"
        yield f"  {key}: {_quoted(path)}"
        yield ""
    if not new.dem:
        yield "# No terrain model in the folder: heights above ground or HAAT stand for effective heights."
        yield "accept: [no_terrain]"
        return
    yield "terrain:"
    yield f"  dem: {_flow(new.dem)}"


def _registers(new: NewTerritory) -> Iterator[str]:
    yield "registers:"
    yield "  transmitters:"
    for item, notes in new.registers:
        if isinstance(item, str):
            yield f"    - {_quoted(item)}"
            continue
        text = yaml.safe_dump(item, allow_unicode=True, sort_keys=False, width=1000, default_flow_style=None)
        lines = text.splitlines()
        for i, line in enumerate(lines):
            name = line.strip().partition(":")[0]
            note = f"  # GUESS: {notes[name]}" if name in notes else ""
            yield f"    {'- ' if i == 0 else '  '}{line}{note}"
    if any(isinstance(item, dict) and item.get("format") in _HAAT_MAY_LACK for item, _ in new.registers):
        source = "GUESS: about the 5th percentile of records of the FCC that hold one"
        yield f'  missing_haat_m: {{value: 150.0, source: "{source}", verified: false}}'
    if new.has_days:
        yield f'  as_of: "{new.today}"  # GUESS: entries that begin later or have ended are left out'.replace(
            '"', ""
        )
    if new.accept:
        yield f"  accept: {_flow(new.accept)}"
    if new.pmse:
        yield ""
        yield "pmse:"
        yield f"  registers: {_flow(new.pmse)}"
        yield f'  at: "{new.today}"  # GUESS: the maps hold from this day on'


def _channels(new: NewTerritory) -> Iterator[str]:
    first, last = device_channels(new.plan)
    yield "channels:"
    yield f"  plan:  # raster {new.plan_name}"
    for segment in new.plan:
        values = ", ".join(f"{name}: {value}" for name, value in segment.model_dump().items())
        yield f"    - {{{values}}}"
    yield f'  wsd: ["{first}-{last}"]  # GUESS: channels of devices, below the mobile bands'


def _coverage(new: NewTerritory) -> Iterator[str]:
    widest_mhz = max(segment.width_mhz for segment in new.plan)
    rows = [row for row in read_rows(_ANTENNAS, _AntennaRow) if row.width_mhz == widest_mhz]
    numbers = ("from_mhz", "to_mhz", "gain_dbd", "feeder_db", "flat_deg", "end_deg", "discrimination_db")
    yield "coverage:"
    source = "ECC 185/186 and UK planning practice, quoted from memory"
    yield f'  q_min: {{value: 0.70, source: "{source}", verified: false}}'
    yield "  receiver_bands:  # rooftop antennas, configs/tables/receiver_antennas.csv"
    for row in rows:
        values = ", ".join(f"{name}: {float(getattr(row, name))}" for name in numbers)
        source = "" if row.verified else f"  # {row.source}"
        yield f"    - {{{values}}}{source}"
    mode = f"{{system: {new.system}, mode: {_MODES[new.system]}}}"
    yield f"  default_mode: {mode}  # GUESS: of transmitters without one"


def _devices(new: NewTerritory) -> Iterator[str]:
    width = f", bandwidth_mhz: {min(s.width_mhz for s in new.plan)}"
    yield "devices:  # configs/tables/device_profiles.yaml has more"
    for name, profile, number in (
        ("fixed30", "en301598_a_30m", 1),
        ("fixed10", "en301598_a_10m", 1),
        ("portable", "en301598_b_1.5m", 5),
    ):
        yield f"  - {{id: {name}, profile: {profile}, emission_class: {number}{width}}}"


def _services(new: NewTerritory) -> Iterator[str]:
    own = {code: count for code, count in (new.neighbours or {}).items() if count}
    none = sorted(code for code, count in (new.neighbours or {}).items() if not count)
    evaluated = {"dtt"} | ({"foreign_dtt"} if own else set()) | ({"pmse"} if new.pmse else set())
    yield "services:"
    for name in required_services():
        lacking = f"{_UNDECIDED}: the register holds no stations of {', '.join(none)}" if none else _UNDECIDED
        reason = lacking if name == "foreign_dtt" else _UNDECIDED
        left_out = f"{{status: out_of_scope, reason: {_quoted(reason)}}}"
        yield f"  {name}: {'{status: evaluate}' if name in evaluated else left_out}"
    if own:
        yield ""
        yield "neighbours:  # countries within 300 km of which the register holds stations"
        yield from (
            f"  {_quoted(code)}: {{coverage: true}}  # {count} stations"
            for code, count in sorted(own.items())
        )
        if none:
            yield f"# Not decided: {', '.join(none)}, within 300 km too, of which it holds none."
