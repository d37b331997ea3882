"""F.1565-1 a second time: the tables typed again, the formulas as the text has them, random links."""

from __future__ import annotations

import csv
import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.coordination.f1565.budget_document import f1565_command

N = Fraction
MONTH_S = 2_592_000
# Table 1: b of ESR, SESR, BBER by bit rate in kbit/s (G.828).
B_G828 = {
    "1664": ("5e-5", "1e-5", "2.5e-7"),
    "2240": ("5e-5", "1e-5", "2.5e-7"),
    "6848": ("5e-5", "1e-5", "2.5e-7"),
    "48960": ("1e-4", "1e-5", "2.5e-7"),
    "150336": ("2e-4", "1e-5", "5e-7"),
}
# Table 3: the same by ranges in kbit/s, upper end included (G.826); the first from 1500 on.
B_G826 = [
    (5_000, ("2e-4", "1e-5", "1e-6")),
    (15_000, ("2.5e-4", "1e-5", "1e-6")),
    (55_000, ("3.75e-4", "1e-5", "1e-6")),
    (160_000, ("8e-4", "1e-5", "1e-6")),
    (3_500_000, (None, "1e-5", "1e-6")),
]
# Tables 5, 7, 9 and 6, 8, 10: what X is multiplied by.
X_G828 = {
    "1664": (".001", ".0002", "5e-6"),
    "2240": (".001", ".0002", "5e-6"),
    "6848": (".001", ".0002", "5e-6"),
    "48960": (".002", ".0002", "5e-6"),
    "150336": (".004", ".0002", "1e-5"),
}
X_G826 = [
    (5_000, (".004", ".0002", "2e-5")),
    (15_000, (".005", ".0002", "2e-5")),
    (55_000, (".0075", ".0002", "2e-5")),
    (160_000, (".016", ".0002", "2e-5")),
    (3_500_000, (None, ".0002", "1e-5")),
]
TABLES = {
    "intermediate": (1, 3),
    "terminating": (2, 4),
    "long_haul": (5, 6),
    "short_haul": (7, 8),
    "access": (9, 10),
}
LINES = {"155520": ("150336", "STM1_AS_VC4"), "51840": ("48960", "STM0_AS_VC3")}
COLUMNS = [
    *("id", "portion", "country", "standard", "bit_rate_kbps", "length_km", "br", "a1", "b", "c"),
    *("blocks_per_s", "built_before_1996", "allow_sum"),
]


def row_of(link: dict[str, str], sdh, pdh) -> tuple[str | None, ...]:
    if link["standard"] == "G.828":
        return sdh[LINES.get(link["bit_rate_kbps"], (link["bit_rate_kbps"],))[0]]
    return next(values for most, values in pdh if N(link["bit_rate_kbps"]) <= most)


def international(link: dict[str, str]) -> tuple[list[Fraction | None], int]:
    """EPO = B_j L / 2500 + C_j."""
    length, br = max(N(link["length_km"]), N(50)), N(link["br"])
    end = 1000 if link["country"] == "intermediate" else 500
    case = (1 if end == 1000 else 3) + (length > end)
    found = []
    for b in row_of(link, B_G828, B_G826):
        if b is None:
            found.append(None)
        elif length <= end:
            found.append(N(b) * (1 + br) * length / 2500)
        else:
            found.append(N(b) * length / 2500 + N(b) * end / 2500 * br)
    return found, case


def national(link: dict[str, str]) -> list[Fraction | None]:
    if link["portion"] == "long_haul":
        length, a1 = max(N(link["length_km"]), N(50)), N(link["a1"])
        factor = (a1 + N("0.002")) * length / 100 if length <= 100 else a1 + N("2e-5") * length
    else:
        factor = N(link["b" if link["portion"] == "short_haul" else "c"])
    return [None if x is None else N(x) * factor for x in row_of(link, X_G828, X_G826)]


def up(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def counts(ratios: list[Fraction | None], link: dict[str, str]) -> dict[str, int | None]:
    es, ses, bbe = ratios
    blocks = link["blocks_per_s"]
    return {
        "es": None if es is None else up(es * MONTH_S),
        "ses": up(ses * MONTH_S),
        "bbe": up(bbe * N(blocks) * MONTH_S) if blocks else None,
    }


def flags(link: dict[str, str], ratios: list[Fraction | None]) -> set[str]:
    found = set()
    if link["standard"] == "G.828" and link["bit_rate_kbps"] in LINES:
        found.add(LINES[link["bit_rate_kbps"]][1])
    if link["portion"] in ("international", "long_haul") and N(link["length_km"]) < 50:
        found.add("CLAMPED_LMIN")
    given = {name: N(link[name]) for name in ("a1", "b", "c") if link[name]}
    ranges = {"a1": ("0.01", "0.02"), "b": ("0.075", "0.085"), "c": ("0.075", "0.085")}
    if any(not N(ranges[name][0]) <= value <= N(ranges[name][1]) for name, value in given.items()):
        found.add("REDISTRIBUTED")
    if {"b", "c"} <= set(given) and not N("0.155") <= given["b"] + given["c"] <= N("0.165"):
        found.add("B_PLUS_C_OUT_OF_RANGE")
    if len(given) == 3 and sum(given.values()) > N("0.175"):
        found.add("SUM_ABOVE_17_5")
    if ratios[0] is None:
        found.add("ESR_UNDER_STUDY")
    if not link["blocks_per_s"]:
        found.add("NO_BLOCK_RATE")
    return found


def random_link(rng: random.Random, number: int) -> dict[str, str]:
    portion = rng.choice(["international", "international", "long_haul", "short_haul", "access"])
    standard = rng.choice(["G.826", "G.828"])
    edges = [1500, 2048, 5000, 5001, 15_000, 55_000, 55_001, 160_000, 160_001, 622_080, 3_500_000]
    rate = (
        rng.choice([*B_G828, *LINES])
        if standard == "G.828"
        else str(rng.choice([*edges, rng.uniform(1500, 200_000)]))
    )
    lengths = [
        0.5,
        49.999,
        50,
        99.99,
        100,
        100.01,
        499.9,
        500,
        500.1,
        1000,
        1000.001,
        27_500,
        rng.uniform(1, 3000),
    ]

    def maybe(text: str, needed: bool) -> str:
        return text if needed or rng.random() < 0.4 else ""

    share = {"a1": rng.uniform(0.005, 0.03), "b": rng.uniform(0.06, 0.1), "c": rng.uniform(0.06, 0.1)}
    needs = {"long_haul": "a1", "short_haul": "b", "access": "c"}.get(portion)
    return {
        "id": str(number),
        "portion": portion,
        "country": rng.choice(["intermediate", "terminating"]) if portion == "international" else "",
        "standard": standard,
        "bit_rate_kbps": rate,
        "length_km": f"{rng.choice(lengths)}" if portion in ("international", "long_haul") else "",
        "br": f"{rng.choice([1, 0.5, rng.uniform(0.01, 1)])}" if portion == "international" else "",
        **{name: maybe(f"{value:.4f}", name == needs) for name, value in share.items()},
        "blocks_per_s": rng.choice(["8000", "2000", ""]),
        "built_before_1996": rng.choice(["yes", "no", ""]),
        "allow_sum": "true",
    }


def test_random_links_have_the_budgets_of_a_second_calculation(tmp_path: Path) -> None:
    rng = random.Random(15651)
    links = [random_link(rng, number) for number in range(3000)]
    path, out = tmp_path / "links.csv", tmp_path / "budget.json"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(links)
    f1565_command(path, out)
    found = json.loads(out.read_text(encoding="utf-8"))["links"]
    assert len(found) == len(links)
    for link, budget in zip(links, found, strict=True):
        case = None
        if link["portion"] == "international":
            ratios, case = international(link)
            table = TABLES[link["country"]][link["standard"] == "G.826"]
        else:
            ratios, table = national(link), TABLES[link["portion"]][link["standard"] == "G.826"]
        early = link["built_before_1996"] == "yes" and link["standard"] == "G.826"
        if early and N(link["bit_rate_kbps"]) <= 5000:
            ratios[2] = ratios[2] * N(3, 2)
        others = [None if ratio is None else ratio / 10 for ratio in ratios]
        assert (budget["table"], budget["j"]) == (table, case), link
        for part, wanted in (("co_primary", ratios), ("other_sources", others)):
            texts = [budget[part][name] for name in ("esr", "sesr", "bber")]
            assert [None if text is None else N(text) for text in texts] == wanted, link
            assert budget[part]["counts_per_month"] == counts(wanted, link), link
        assert set(budget["flags"]) == flags(link, ratios), link
        assert len(budget["flags"]) == len(set(budget["flags"]))


@pytest.mark.parametrize(
    ("a1", "b", "c", "refused"), [("0.02", "0.08", "0.0751", True), ("0.01", "0.09", "0.075", False)]
)
def test_sum_of_17_5_per_cent_itself_is_allowed(
    tmp_path: Path, a1: str, b: str, c: str, refused: bool
) -> None:
    link = random_link(random.Random(1), 0) | {"portion": "access", "country": "", "a1": a1, "b": b, "c": c}
    path = tmp_path / "links.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerow(link | {"allow_sum": ""})
    if refused:
        with pytest.raises(ValueError, match=r"17\.5 %"):
            f1565_command(path, tmp_path / "out.json")
    else:
        f1565_command(path, tmp_path / "out.json")
        assert json.loads((tmp_path / "out.json").read_text())["links"][0]["c"] == c
