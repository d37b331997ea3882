"""The report of a run, to be read and signed: answers, maps by level, what changed, what it rests on.

One page without anything from elsewhere, for the screen and for paper, in the language of `report.texts`; all
else is in its annex. Only its times differ between runs of the same content beside the same earlier run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.config.bonds import channels_in
from pipeline.config.config import Config
from pipeline.files import write_whole
from pipeline.grid.layer_files import layer_file
from pipeline.plan.margin import modes_of
from pipeline.plan.plan import Plan, channels_of, levels_of
from pipeline.plan.run_files import written_by
from pipeline.publish.release import ANNEX, WITHHELD
from pipeline.publish.report import figures
from pipeline.publish.report import page as pages
from pipeline.publish.report.annex import DrawnDevice, annex, draw_devices
from pipeline.publish.report.answers import answers, chosen_levels, minute, signatures
from pipeline.publish.report.basis import Facts
from pipeline.publish.report.basis_in_short import inputs_in_short, method, open_numbers_weighed
from pipeline.publish.report.changes import changes_of, changes_section
from pipeline.publish.report.left_out import left_out_parts, unsure
from pipeline.publish.report.page import PagePart
from pipeline.publish.report.pdf import write_pdf
from pipeline.publish.report.texts import Texts, read_texts
from pipeline.publish.report.used_numbers import used_numbers
from pipeline.publish.styles import read_schemes
from pipeline.radio.allocations import is_partial
from pipeline.rows.text_records import own_rows
from pipeline.services.product import Omission, omissions
from pipeline.territory.places import Settlement, read_places

_AT_LEAST = (1, 5, 10)
_SHARES = ("area_pct", "population_pct")
_HALF_PCT = 50.0
# Regions in the table; more would not be read on paper.
_REGIONS = 30
_Row = Mapping[str, str]


def write_reports(reports: Mapping[Path, Facts], plan: Plan, benchmarks: Path) -> list[Path]:
    """Write the reports of a finished build with their annexes, each from facts of its own manifest.

    Maps are drawn once. Returned are all files that were written.
    """
    drawn = draw_devices(plan, plan.build)
    wide = wide_maps(plan, plan.build)
    written = []
    for path, facts in reports.items():
        beside = path.with_name(ANNEX)
        write_whole(path, report(plan, facts, plan.build, drawn, wide))
        write_whole(beside, annex(plan, facts, plan.build, benchmarks, drawn))
        written += [path, beside, *(write_pdf(path) if plan.config.report.pdf else [])]
    return written


def report(
    plan: Plan,
    facts: Facts,
    build: Path,
    drawn: Sequence[DrawnDevice] | None = None,
    wide: Sequence[PagePart] | None = None,
) -> str:
    """The whole page, from the layers in ``build`` and the run that lies in ``plan.results`` by now.

    ``facts`` decide what it may tell; ``drawn``, ``wide``: maps, if there are any by now.
    """
    texts = read_texts(plan.config.report.texts)
    title = facts["title"] or facts["territory"]
    rows = own_rows(build / layer_file("statistics", partial=is_partial(plan.config)))
    regions = [row for file in written_by(plan, "regions") for row in own_rows(build / file)]
    parts = [
        *_heading(title, facts, plan.config, texts),
        *answers(facts, rows, regions, _limits(plan, facts, build, drawn), unsure(facts, texts), texts),
        *_open(facts, texts),
        *summary(rows, texts),
        *(wide_maps(plan, build) if wide is None else wide),
        *_regions(regions, rows, texts),
        *_reach([row for file in written_by(plan, "reach") for row in _table_rows(build, file)], texts),
        *changes_section(changes_of(plan.results, facts), rows, texts),
        *method(facts, texts),
        *inputs_in_short(facts, texts),
        *open_numbers_weighed(plan.config, modes_of(plan.config, plan.register), facts, texts),
        *signatures(texts),
        pages.element("p", texts.say("annex"), class_="note"),
    ]
    return pages.page(texts.say("page_title", title=title), parts, texts.language)


def _limits(
    plan: Plan, facts: Facts, build: Path, drawn: Sequence[DrawnDevice] | None
) -> dict[str, dict[str, float]] | None:
    """Percent of the area by what limits there, by device; None where that is not public."""
    if WITHHELD in facts and plan.config.publish.limiting_service == "internal":
        return None
    devices = draw_devices(plan, build) if drawn is None else drawn
    return {device.id: device.limits_pct for device in devices}


def _heading(title: str, facts: Facts, config: Config, texts: Texts) -> list[PagePart]:
    """What, when, with which program; what nobody can miss about it."""
    told = texts.say(
        "run",
        run=facts["run_id"],
        when=minute(facts["computed_at"]),
        version=facts["software"]["packages"]["channelmaps"],
        valid_from=minute(facts["valid"]["from"]),
        valid_until=minute(facts["valid"]["until"]),
    )
    left_out = [_omission(omission, texts) for omission in omissions(config)]
    said = [config.notice, *left_out] if config.notice else left_out
    box = [pages.element("h2", texts.say("read_first"))]
    box += [pages.wrap("p", [pages.element("strong", text)]) for text in said]
    return [
        pages.element("h1", title),
        pages.element("p", told, class_="facts"),
        *([pages.wrap("section", box, class_="warning", role="note")] if said else []),
    ]


def _omission(omission: Omission, texts: Texts) -> str:
    """What the product leaves out, as a sentence."""
    services = texts.services(omission.services)
    return texts.say(f"product_{omission.key}", services=services, study=omission.study)


def _open(facts: Facts, texts: Texts) -> list[PagePart]:
    """The box of what is open."""
    numbers = pages.element("p", texts.say("numbers_open", count=len(used_numbers(facts))))
    parts = [*left_out_parts(facts, texts), numbers]
    return [pages.wrap("section", parts, class_="warning", role="note")]


def wide_maps(plan: Plan, build: Path) -> list[PagePart]:
    """The number of channels of the first device, a map across the page for each level."""
    texts, config, scheme = (
        read_texts(plan.config.report.texts),
        plan.config,
        read_schemes()["available_channels"],
    )
    device = config.devices[0].id
    places, bond = _places(plan), len(channels_in(channels_of(plan, device)[0]))
    pictures: list[PagePart] = []
    present: list[int] = []
    for level_dbm in levels_of(plan, device):
        name = {"device": device, "level": f"{level_dbm:g}"}
        path = build / layer_file("available_channels", **name, partial=is_partial(config))
        drawn = figures.draw_wide_map(path, scheme, places)
        present += drawn.present
        caption = texts.say("map" if bond == 1 else "map_bonds", **name, bond=bond)
        pictures.append(pages.picture(drawn.png, caption))
    legend = [
        (colour, lines, texts.label(text)) for colour, lines, text in figures.legend_entries(scheme, present)
    ]
    return [
        pages.wrap(
            "div",
            [
                pages.element("h2", texts.say("maps", device=device)),
                pages.element("p", texts.say("maps_note"), class_="note"),
                pages.legend(legend),
                *pictures,
            ],
            class_="wide-maps",
        )
    ]


def _places(plan: Plan) -> list[Settlement]:
    """Places with names; none without a list of places."""
    population = plan.config.population
    return [] if population is None or population.places is None else read_places(population.places)


def summary(rows: Sequence[_Row], texts: Texts) -> list[PagePart]:
    """The curves in a line for each device and level."""
    head = [texts.say("column_device"), texts.say("column_level")]
    head += [texts.say(name, count=n) for name in ("column_land", "column_people") for n in _AT_LEAST]
    head.append(texts.say("column_half"))
    lines = []
    for device, level in dict.fromkeys((row["device"], row["level_dbm"]) for row in rows):
        own = {
            int(row["channels_at_least"]): row
            for row in rows
            if (row["device"], row["level_dbm"]) == (device, level)
        }
        shares = [
            _rounded(own[n][column], texts) if n in own else "–" for column in _SHARES for n in _AT_LEAST
        ]
        lines.append([device, level, *shares, _median_channels(row["area_pct"] for row in own.values())])
    caption = texts.say("summary_caption")
    table = pages.table(head, lines, "tn" + "n" * 7, caption)
    return [pages.element("h2", texts.say("summary")), table] if lines else []


def _median_channels(shares_pct: Iterable[str]) -> int:
    """The largest number of channels that at least half has; ``shares_pct``[n - 1] as published."""
    return sum(1 for share in shares_pct if share and float(share) >= _HALF_PCT)


def _regions(regions: Sequence[_Row], rows: Sequence[_Row], texts: Texts) -> list[PagePart]:
    """The first device at its level of page one."""
    head = pages.element("h2", texts.say("regions"))
    if not regions:
        return [head, pages.element("p", texts.say("regions_none"))]
    device, level = next(chosen_levels(rows))[0]
    own = [row for row in regions if (row["device"], row["level_dbm"]) == (device, level)]
    names = ("region", "area", "population", "mean", "median", "any_land", "any_people")
    lines = [
        [
            row["region"],
            texts.number(float(row["area_km2"])),
            texts.number(float(row["population"])) if row["population"] else "–",
            _rounded(row["channels_mean"], texts),
            row["channels_median"],
            _rounded(row["area_at_least_1_pct"], texts),
            _rounded(row["population_at_least_1_pct"], texts),
        ]
        for row in own[:_REGIONS]
    ]
    titles = [texts.say(f"column_{name}") for name in names]
    caption = texts.say("regions_caption", device=device, level=level)
    left = len(own) - _REGIONS
    rest = texts.say("regions_more", count=left) if left > 0 else texts.say("regions_rest")
    table = pages.table(titles, lines, "t" + "n" * 6, caption)
    return [head, table, pages.element("p", rest, class_="note")]


def _table_rows(build: Path, file: str) -> list[_Row]:
    """Rows of a table among the files of a job."""
    return list(own_rows(build / file)) if file.endswith(".csv") else []


def _reach(rows: Sequence[_Row], texts: Texts) -> list[PagePart]:
    """How far permitted base stations would reach; nothing where no layer of it was asked for."""
    if not rows:
        return []
    lines = [
        [
            row["device"],
            row["mode"],
            row["cpe"],
            texts.short(float(row["km"])),
            *(_rounded(row[column], texts) for column in _SHARES),
        ]
        for row in rows
    ]
    names = ("device", "mode", "client", "reach", "reach_land", "reach_people")
    titles = [texts.say(f"column_{name}") for name in names]
    table = pages.table(titles, lines, "tttnnn", texts.say("reach_caption"))
    note = pages.element("p", texts.say("reach_note"), class_="note")
    return [pages.element("h2", texts.say("reach")), table, note]


def _rounded(text: str, texts: Texts) -> str:
    """A published number to one decimal, a dash for none."""
    return texts.number(float(text), 1) if text else "–"
