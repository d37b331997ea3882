"""``channelmaps links --places``: links between settlements, their histogram, relay chains, as files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely

from pipeline.config.config import Config
from pipeline.errors import InputError
from pipeline.files import (
    OutputKind,
    check_output_folder,
    csv_text,
    json_bytes,
    kind_of_table,
    write_together,
)
from pipeline.grid.geopackage import geopackage_bytes
from pipeline.links.link_files import (
    GPKG_FILE,
    HTML_FILE,
    JSON_FILE,
    LinkRequest,
    facts_of,
    frame_of_rows,
    inputs_of,
    run_of_intermediates,
    settings_of,
    television_gaps,
    world_of,
)
from pipeline.links.link_table import beside_columns, fixed
from pipeline.links.link_terrain import LinkEnds, profile_of_link
from pipeline.links.link_world import Candidate, LinkSettings, LinkWorld, candidates_of_territory
from pipeline.links.mutual_interference import Disturbed
from pipeline.links.planned_links import chains_together
from pipeline.links.profile_page import PictureOf, page
from pipeline.links.rate_histogram import THRESHOLDS_MBPS, histogram_picture, rate_histogram, thresholds_of
from pipeline.links.relay import Reached, RelayHop, end_to_end_mbps, relay_tree
from pipeline.links.settlement_table import pair_rows
from pipeline.links.settlements import (
    PairsFound,
    PairTerms,
    PlacePairs,
    PlaceRow,
    pair_range,
    pair_rules,
    pair_ways,
    pairs_in_range,
    plan_pairs,
    read_link_places,
    read_template,
    template_settings,
)
from pipeline.territory.places import read_places

_HISTOGRAM = ("group", "threshold_mbps", "links", "share_pct", "links_exclusive", "share_exclusive_pct")
_PRODUCTS: dict[str, OutputKind] = {
    "links.csv": kind_of_table("id", "bearing_ab_deg", "rate_mbps", "reason"),
    "histogram.csv": kind_of_table(*_HISTOGRAM),
    "relay.csv": kind_of_table("place", "parent", "hops", "reached"),
    "links.gpkg": GPKG_FILE,
    "links.html": HTML_FILE,
    "links.json": JSON_FILE,
}
_RELAY_COLUMNS = (
    "place",
    "parent",
    "hops",
    "channel",
    "rate_mbps",
    "end_to_end_mbps",
    "reached",
    "i_links_dbm",
    "cni_all_db",
    "mode_all",
    "rate_all_mbps",
    "end_to_end_all_mbps",
)
_ROLE, _SOURCES = "source,user", "role=source"
# Pictures of profiles: of relay chains, or else of the first links with service.
_PICTURES = 40


class PlacesRequest(NamedTuple):
    """The options of links between settlements besides those of all links."""

    places: Path | None = None
    pairs: str = "2:20"
    template: str = "a5_high"
    min_population: float = 0.0
    max_pairs: int = 1_000_000
    relay: int | None = None
    min_rate: float = 1.0
    modes: str | None = None
    """Table of modes in place of the template's."""
    role: str | None = None
    sources: str | None = None
    """Roles that have to be there: ``_ROLE``, ``_SOURCES``."""
    thresholds: str = THRESHOLDS_MBPS
    """Rates of the groups of the histogram in Mbit/s."""


def settlements_command(asked: PlacesRequest, request: LinkRequest) -> None:
    """Plan links between all settlements in range; everything is written at the end, together."""
    template = read_template(asked.template)
    tables = [asked.places] if asked.places is not None else []
    check_output_folder("--out", request.out, _PRODUCTS, inputs_of(request, *tables))
    settings = settings_of(request if asked.modes is None else request._replace(modes=asked.modes))
    settings = settings if asked.modes is not None else template_settings(template, settings)
    range_km, thresholds_mbps = pair_range(asked.pairs), thresholds_of(asked.thresholds)
    places, world = _places_in_world(asked, request)
    pairs = pairs_in_range(places, range_km, template, asked.max_pairs)
    if not len(pairs.places):
        raise InputError("no two places are so far apart", field="--pairs", value=asked.pairs)
    candidates = _candidates(settings, world)
    rules = pair_rules(places, template, candidates, settings, world)
    found = plan_pairs(pairs, rules, threads=os.cpu_count() or 1)
    histogram = rate_histogram(found.rate_mbps, pairs.ends.d_km, thresholds_mbps)
    tree = [] if asked.relay is None else _relay(asked, places, pairs, candidates, found)
    chains = _chains(tree, pairs, found, rules, assign=request.assign)
    rows = list(pair_rows(places, pairs, found, rules, chains.beside))
    gaps = [places[i].id for i, known in enumerate(rules.at.television_known()) if not known]
    notes = [*settings.modes.notes, *television_gaps(gaps, "places")]
    facts = facts_of(request._replace(modes=settings.modes.name), settings.modes, world, notes)
    facts |= {"template": asked.template, "pairs_km": list(range_km), "places": len(places)}
    facts["histogram"] = histogram
    contents: dict[str, bytes | str] = {
        "links.csv": csv_text(list(rows[0]), rows),
        "histogram.csv": csv_text(list(histogram[0]), histogram),
    }
    layers = _layers(pairs, rows)
    if asked.relay is not None:
        reached = _relay_rows(places, tree, chains)
        contents["relay.csv"] = csv_text(_RELAY_COLUMNS, reached)
        layers |= _tree_layer(places, tree, reached)
        facts["relay"] = _relay_facts(places, tree, reached)
    contents["links.gpkg"] = geopackage_bytes(layers, dict.fromkeys(layers, "LineString"))
    contents["links.html"] = page(
        "Links between settlements", _said(facts), histogram, list(histogram[0]),
        _pictures(places, pairs, candidates, found, world), histogram_picture(histogram),
    )  # fmt: skip
    contents["links.json"] = json_bytes(facts)
    write_together({request.out / name: content for name, content in contents.items()})
    print("\n".join(_text(histogram, facts)))


def _check_roles(asked: PlacesRequest, places: Sequence[PlaceRow]) -> None:
    """Refuse roles that are asked for by an option and that no place has."""
    needed = {"--role": (asked.role, _ROLE), "--sources": (asked.sources, _SOURCES)}
    for option, (value, known) in needed.items():
        if value not in (None, known):
            raise InputError("is not allowed", field=option, value=value, allowed=known)
        if value is not None and all(place.role != "source" for place in places):
            raise InputError(
                "no place has the role", field=option, value=value, allowed="a place with role source"
            )


def _places_in_world(asked: PlacesRequest, request: LinkRequest) -> tuple[list[PlaceRow], LinkWorld]:
    """The places of the table, or of the territory's population, and the territory around them."""
    if asked.places is not None:
        places = read_link_places(asked.places, asked.min_population)
        world = world_of(request, _corners(places))
    else:
        world = world_of(request, np.empty((0, 4)))
        people = None if world.config is None else world.config.population
        if world.config is None or people is None or people.places is None:
            raise InputError(
                "value is missing", field="--places", allowed="a CSV, or a territory with population.places"
            )
        places = [one for one in _places_of(world.config) if one.population >= asked.min_population]
        world = world_of(request, _corners(places))
    if len(places) < 2:
        raise InputError("leaves fewer than two places", field="--min-population", value=asked.min_population)
    _check_roles(asked, places)
    run = run_of_intermediates(request) if request.pointing else None
    return places, world._replace(pointing=run)


def _corners(places: Sequence[PlaceRow]) -> np.ndarray[Any, Any]:
    """South-west and north-east corner of the places as one path, [1, 4] in degrees."""
    lon, lat = [place.lon for place in places], [place.lat for place in places]
    return np.array([[min(lon), min(lat), max(lon), max(lat)]])


def _places_of(config: Config) -> list[PlaceRow]:
    """The settlements of a territory that are its own or of no stated country."""
    people = config.population
    found = read_places(people.places if people is not None and people.places is not None else "")
    return [
        PlaceRow(id=f"place{i}", lon=one.lon_deg, lat=one.lat_deg, population=one.persons)
        for i, one in enumerate(found, start=1)
        if one.country in ("", *config.territory.home)
    ]


def _candidates(settings: LinkSettings, world: LinkWorld) -> list[Candidate]:
    """The channels that every pair may use."""
    if world.config is None:
        raise InputError("value is missing", field="--results", allowed="a run, or --config")
    return candidates_of_territory(world.config, settings.channel)


def _layers(pairs: PlacePairs, rows: Sequence[dict[str, object]]) -> dict[str, Any]:
    """The layer ``links`` of the GeoPackage."""
    ends = np.stack([pairs.ends.lon_deg, pairs.ends.lat_deg], axis=-1)
    return {"links": frame_of_rows(rows, shapely.linestrings(ends))}


# --- relay chains -------------------------------------------------------------------------------------------


def _relay(
    asked: PlacesRequest,
    places: Sequence[PlaceRow],
    pairs: PlacePairs,
    candidates: Sequence[Candidate],
    found: PairsFound,
) -> list[Reached]:
    """The tree from the sources; without roles from the place with most people."""
    if not 1 <= (asked.relay or 0) <= 20:
        raise InputError("is not allowed", field="--relay", value=asked.relay, allowed="1 to 20 hops")
    hops = [
        RelayHop(i, k, str(candidates[c].channel), rate)
        for (i, k), c, rate in zip(
            pairs.places.tolist(), found.channel.tolist(), found.rate_mbps.tolist(), strict=True
        )
        if rate > 0.0
    ]
    sources = [i for i, place in enumerate(places) if place.role == "source"]
    sources = sources or [int(np.argmax([place.population for place in places]))]
    return relay_tree(len(places), hops, sources, asked.relay or 1, asked.min_rate)


class _Chains(NamedTuple):
    """What the hops of a tree are beside each other, by the place that they lead to, and rates to it.

    ``beside``: the same by the number of the pair.
    """

    hops: dict[int, RelayHop]
    columns: dict[int, dict[str, object]]
    end_to_end_mbps: dict[int, float]
    beside: dict[int, Disturbed]


def _chains(
    tree: Sequence[Reached], pairs: PlacePairs, found: PairsFound, rules: PairTerms, *, assign: bool
) -> _Chains:
    """All hops of a tree at work at once; with ``assign`` on channels that are chosen together."""
    number = {(i, k): n for n, (i, k) in enumerate(pairs.places.tolist())}
    led = [one for one in tree if one.parent is not None]
    rows = np.array(
        [number.get((one.parent, one.place), number.get((one.place, one.parent), -1)) for one in led],
        np.int64,
    )
    if not led:
        return _Chains({}, {}, {}, {})
    own = PlacePairs(pairs.places[rows], LinkEnds(*(values[rows] for values in pairs.ends)))
    ways = pair_ways(own, rules, os.cpu_count() or 1)
    beside = chains_together(own, ways, rules, found.channel[rows], assign=assign).found
    hops, columns = {}, {}
    for n, one in enumerate(led):
        if n in beside:
            names = rules.modes[beside[n].chosen].name
            alone_mbps = float(ways.both.rate_mbps[n, beside[n].chosen])
            channel = str(rules.candidates[beside[n].chosen].channel)
            hops[one.place] = RelayHop(one.parent or 0, one.place, channel, beside[n].rate_mbps)
            columns[one.place] = beside_columns(beside[n], names) | {
                "channel": channel,
                "rate_mbps": fixed(alone_mbps, 3),
            }
    by_pair = {int(rows[n]): one for n, one in beside.items()}
    return _Chains(hops, columns, end_to_end_mbps(tree, hops) if hops else {}, by_pair)


def _relay_rows(
    places: Sequence[PlaceRow], tree: Sequence[Reached], chains: _Chains
) -> list[dict[str, object]]:
    """A row for each place: how it is reached by hops alone, and with all hops at work."""
    rows = []
    for one in tree:
        reached = one.end_to_end_mbps > 0.0
        row: dict[str, object] = {
            "place": places[one.place].id,
            "parent": "" if one.parent is None else places[one.parent].id,
            "hops": one.hops,
            "channel": one.channel,
            "rate_mbps": fixed(one.rate_mbps if one.parent is not None else math.nan, 3),
            "end_to_end_mbps": fixed(one.end_to_end_mbps, 3),
            "reached": "yes" if reached else "no",
        }
        all_mbps = chains.end_to_end_mbps.get(one.place, 0.0 if chains.hops else math.nan)
        row |= beside_columns(None, ()) | chains.columns.get(one.place, {})
        row["end_to_end_all_mbps"] = fixed(all_mbps, 3) if reached else ""
        rows.append(row)
    return rows


def _tree_layer(
    places: Sequence[PlaceRow], tree: Sequence[Reached], rows: Sequence[dict[str, object]]
) -> dict[str, Any]:
    """The layer ``relay_tree`` of the GeoPackage."""
    used = [(one, row) for one, row in zip(tree, rows, strict=True) if one.parent is not None]
    lines = [
        shapely.LineString([(places[k].lon, places[k].lat) for k in (one.parent or 0, one.place)])
        for one, _ in used
    ]
    return {"relay_tree": frame_of_rows([row for _, row in used], lines)} if used else {}


def _relay_facts(
    places: Sequence[PlaceRow], tree: Sequence[Reached], rows: Sequence[dict[str, object]]
) -> dict[str, Any]:
    reached = [one for one in tree if one.end_to_end_mbps > 0.0]
    harmed = [
        row
        for row in rows
        if row["rate_all_mbps"] and float(str(row["rate_all_mbps"])) < float(str(row["rate_mbps"]))
    ]
    return {
        "places_reached": len(reached),
        "people_reached": round(sum(places[one.place].population for one in reached)),
        "people": round(sum(place.population for place in places)),
        "most_hops": max((one.hops for one in reached), default=0),
        "hops_harmed_by_others": len(harmed),
    }


# --- page and text ------------------------------------------------------------------------------------------


def _pictures(
    places: Sequence[PlaceRow],
    pairs: PlacePairs,
    candidates: Sequence[Candidate],
    found: PairsFound,
    world: LinkWorld,
) -> list[PictureOf]:
    """Profiles of the links of highest rate, the longer first."""
    if world.ground is None:
        return []
    served = np.flatnonzero(found.known & (found.rate_mbps > 0.0))
    order = served[np.lexsort((-pairs.ends.d_km[served], -found.rate_mbps[served]))][:_PICTURES]
    drawn = []
    for n in order.tolist():
        i, k = pairs.places[n].tolist()
        profile = profile_of_link(world.ground, pairs.ends, n)
        if profile is not None:
            said = f"{pairs.ends.d_km[n]:.2f} km, {found.rate_mbps[n]:.1f} Mbit/s"
            caption = f"{places[i].id}-{places[k].id}: {said}"
            antennas = (float(pairs.ends.antennas_m[n, 0]), float(pairs.ends.antennas_m[n, 1]))
            drawn.append(PictureOf(caption, profile, antennas, candidates[int(found.channel[n])].f_mhz))
    return drawn


def _said(facts: dict[str, Any]) -> list[str]:
    low_km, high_km = facts["pairs_km"]
    return [
        f"{facts['places']} settlements, all pairs {low_km:g} to {high_km:g} km apart, template "
        f"{facts['template']}, modes {facts['modes']}. Shares are of all pairs, those without service too; "
        "a group counts what exceeds its threshold, an exclusive class what does not exceed the next.",
        "What these links together do to protected receivers: channelmaps aggregate.",
        *facts["notes"],
    ]


def _text(histogram: Sequence[dict[str, object]], facts: dict[str, Any]) -> Iterator[str]:
    for row in histogram:
        share, median = row["share_pct"], row["median_d_km"] or "-"
        yield f"{row['group']:<12} {row['links']:>8} links {share:>7} %, median {median} km"
    if "relay" in facts:
        relay = facts["relay"]
        people = f"{relay['people_reached']} of {relay['people']} people"
        yield f"relay: {relay['places_reached']} places, {people}"
        if relay["hops_harmed_by_others"]:
            harmed = relay["hops_harmed_by_others"]
            yield f"relay: {harmed} hops lose rate to others at work at the same time; try --assign"
    yield "check protected receivers: channelmaps aggregate TERRITORY.yaml --devices placed.csv --out check"
