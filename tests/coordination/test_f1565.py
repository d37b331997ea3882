"""F.1565-1: worked examples, every table against the shared copy, continuity, flags, refused files."""

import csv
import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.coordination.f1565.budget_document import f1565_command
from pipeline.coordination.f1565.error_budget import decimal_text, international_case, long_haul_factor
from pipeline.coordination.f1565.objectives import read_tables
from pipeline.errors import InputError

TABLES = read_tables()
COLUMNS = (
    "id",
    "portion",
    "country",
    "standard",
    "bit_rate_kbps",
    "length_km",
    "br",
    "a1",
    "b",
    "c",
    "blocks_per_s",
    "built_before_1996",
)
ALL_COLUMNS = (*COLUMNS, "allow_sum")
BASE = {"blocks_per_s": "8000"}
INTERNATIONAL = {**BASE, "portion": "international", "country": "intermediate", "length_km": "105", "br": "1"}
SDH = {**INTERNATIONAL, "standard": "G.828", "bit_rate_kbps": "150336"}
PDH = {**INTERNATIONAL, "standard": "G.826", "bit_rate_kbps": "140000"}
ACCESS = {**BASE, "portion": "access", "standard": "G.826", "bit_rate_kbps": "2000", "c": "0.075"}
SHORT_HAUL = {**BASE, "portion": "short_haul", "standard": "G.826", "bit_rate_kbps": "34000", "b": "0.075"}
LONG_HAUL = {
    **BASE,
    "portion": "long_haul",
    "standard": "G.828",
    "bit_rate_kbps": "150336",
    "a1": "0.01",
    "length_km": "75",
}


def write_links(path, rows, columns=ALL_COLUMNS):
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, fieldnames=columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({"id": str(i), **row} for i, row in enumerate(rows))
    return path


def budgets(tmp_path, *rows):
    out = tmp_path / "budget.json"
    f1565_command(write_links(tmp_path / "links.csv", rows), out)
    return json.loads(out.read_text(encoding="utf-8"))["links"]


def numbers(share):
    counts = share["counts_per_month"]
    ratios = tuple(Decimal(share[name]) for name in ("esr", "sesr", "bber"))
    return ratios, (counts["es"], counts["ses"], counts["bbe"])


@pytest.mark.parametrize(
    ("link", "ratios", "counts"),
    [
        (SDH, ("1.68e-5", "8.4e-7", "4.2e-8"), (44, 3, 871)),
        (PDH, ("6.72e-5", "8.4e-7", "8.4e-8"), (175, 3, 1742)),
        (
            {**ACCESS, "length_km": "20", "blocks_per_s": "2000"},
            ("3e-4", "1.5e-5", "1.5e-6"),
            (778, 39, 7776),
        ),
        ({**SHORT_HAUL, "length_km": "80"}, ("5.625e-4", "1.5e-5", "1.5e-6"), (1458, 39, 31104)),
        (LONG_HAUL, ("3.6e-5", "1.8e-6", "9e-8"), (94, 5, 1867)),
        # The Recommendation prints 171 errored seconds, against its own rule of rounding up.
        ({**LONG_HAUL, "a1": "0.02"}, ("6.6e-5", "3.3e-6", "1.65e-7"), (172, 9, 3422)),
        # By G.826 (Table 6), which the example names but does not use.
        ({**LONG_HAUL, "standard": "G.826"}, ("1.44e-4", "1.8e-6", "1.8e-7"), (374, 5, 3733)),
        ({**LONG_HAUL, "standard": "G.826", "a1": "0.02"}, ("2.64e-4", "3.3e-6", "3.3e-7"), (685, 9, 6843)),
    ],
)
def test_worked_examples(tmp_path, link, ratios, counts):
    (budget,) = budgets(tmp_path, link)
    assert numbers(budget["co_primary"]) == (tuple(map(Decimal, ratios)), counts)
    others, _ = numbers(budget["other_sources"])
    assert others == tuple(Decimal(r) / 10 for r in ratios)
    assert budget["flags"] == []


def test_one_percent_share_rounds_its_own_counts(tmp_path):
    (budget,) = budgets(tmp_path, SDH)
    assert numbers(budget["other_sources"]) == (
        (Decimal("1.68e-6"), Decimal("8.4e-8"), Decimal("4.2e-9")),
        (5, 1, 88),
    )


@pytest.mark.parametrize(
    ("changes", "esr"),
    [
        ({"length_km": "1500", "br": "0.5"}, "1.6e-4"),
        ({"country": "terminating", "length_km": "800"}, "1.04e-4"),
        ({"length_km": "50"}, "8e-6"),
        # The last length of the first branch, and just beyond it: b(1 + B_R) L/2500 against b L/2500 + c B_R.
        ({"length_km": "1000", "br": "0.3"}, "1.04e-4"),
        ({"length_km": "1000.5", "br": "0.3"}, "1.0404e-4"),
    ],
)
def test_international_lengths(tmp_path, changes, esr):
    (budget,) = budgets(tmp_path, {**SDH, **changes})
    assert Decimal(budget["co_primary"]["esr"]) == Decimal(esr)


def test_short_links_count_as_50_km_and_say_so(tmp_path):
    short, exact, national, access = budgets(
        tmp_path,
        {**SDH, "length_km": "0.5"},
        {**SDH, "length_km": "50"},
        {**LONG_HAUL, "length_km": "49.9"},
        {**ACCESS, "length_km": "20"},
    )
    assert short["co_primary"] == exact["co_primary"]
    assert [b["flags"] for b in (short, exact, national, access)] == [
        ["CLAMPED_LMIN"],
        [],
        ["CLAMPED_LMIN"],
        [],
    ]


@pytest.mark.parametrize(
    ("length", "low", "high"),
    [
        ("50", ".006", ".011"),
        ("75", ".009", ".0165"),
        ("100", ".012", ".022"),
        ("150", ".013", ".023"),
        ("250", ".015", ".025"),
        ("20", ".006", ".011"),
    ],
)
def test_factor_of_long_haul(length, low, high):
    for a1, factor in (("0.01", low), ("0.02", high)):
        assert long_haul_factor(Fraction(length), Fraction(a1), TABLES) == Fraction(factor)


def test_case_of_the_formula_changes_beyond_the_break():
    cases = {
        (table.country, length): international_case(Fraction(length), table)
        for table in TABLES.international
        for length in (499, 500, 501, 999, 1000, 1001)
    }
    assert [cases["intermediate", length] for length in (500, 999, 1000, 1001)] == [1, 1, 1, 2]
    assert [cases["terminating", length] for length in (499, 500, 501, 1000)] == [3, 3, 4, 4]


def test_branches_meet_at_the_break_for_every_row():
    """c = b break / 2500 proves the operators and exponents that were lost in extraction."""
    rows = [(t, row) for t in TABLES.international for row in t.rows]
    assert len(rows) == 20
    for table, row in rows:
        for pair in (row.esr, row.sesr, row.bber):
            if pair is not None:
                assert pair[1] == pair[0] * table.break_km / 2500


@pytest.mark.shared_data
def test_tables_equal_the_shared_copy(shared):
    copy = json.loads((shared / "data" / "f1565_tables.json").read_text())
    names = {
        1: "table1_intermediate_G828",
        2: "table2_terminating_G828",
        3: "table3_intermediate_G826",
        4: "table4_terminating_G826",
    }

    def expected(block, row):
        """The entry of the copy whose range of rates, written as text, holds the row's upper rate."""
        rate = row.up_to_kbps / (1 if row.above_kbps is None else 1000)
        for name, value in block.items():
            low, _, high = name.lstrip(">").partition("-")
            if name == "all" or (not high and rate == Fraction(low)):
                return value
            if (
                high
                and (Fraction(low) < rate or not name.startswith(">"))
                and Fraction(low) <= rate <= Fraction(high)
            ):
                return value
        raise AssertionError(name)

    for table in TABLES.international:
        for row in table.rows:
            for parameter, pair in (("ESR", row.esr), ("SESR", row.sesr), ("BBER", row.bber)):
                value = expected(copy[names[table.table]][parameter], row)
                assert pair == (None if value is None else (Fraction(value["b"]), Fraction(value["c"])))
    for table, name in zip(
        TABLES.national, ("table5_7_9_national_G828", "table6_8_10_national_G826"), strict=True
    ):
        for row in table.rows:
            for parameter, number in (("ESR", row.esr), ("SESR", row.sesr), ("BBER", row.bber)):
                value = expected(copy[name][parameter], row)
                assert number == (None if value is None else Fraction(value))


@pytest.mark.parametrize(
    ("kbps", "esr"),
    [
        ("1500", "2e-4"),
        ("2048", "2e-4"),
        ("5000", "2e-4"),
        ("5000.1", "2.5e-4"),
        ("15000", "2.5e-4"),
        ("15001", "3.75e-4"),
        ("55000", "3.75e-4"),
        ("55001", "8e-4"),
        ("160000", "8e-4"),
    ],
)
def test_rate_ranges_include_their_upper_end(tmp_path, kbps, esr):
    (budget,) = budgets(tmp_path, {**PDH, "bit_rate_kbps": kbps, "length_km": "1250", "br": "1"})
    # Beyond 1000 km: b/2 + c with c = 0.4 b.
    assert Decimal(budget["co_primary"]["esr"]) == Decimal(esr) * Decimal("0.9")


@pytest.mark.parametrize(
    ("link", "factor"),
    [
        ({**PDH, "bit_rate_kbps": "2048"}, "1.5"),
        ({**ACCESS, "bit_rate_kbps": "2048"}, "1.5"),
        ({**LONG_HAUL, "standard": "G.826", "bit_rate_kbps": "5000"}, "1.5"),
        ({**PDH, "bit_rate_kbps": "5001"}, "1"),
        ({**SDH, "bit_rate_kbps": "2240"}, "1"),
        ({**SHORT_HAUL, "standard": "G.828", "bit_rate_kbps": "2240"}, "1"),
    ],
)
def test_systems_before_1996_have_more_block_errors_only(tmp_path, link, factor):
    late, early = budgets(tmp_path, link, {**link, "built_before_1996": "true"})
    assert Decimal(early["co_primary"]["bber"]) == Decimal(late["co_primary"]["bber"]) * Decimal(factor)
    for name in ("esr", "sesr"):
        assert early["co_primary"][name] == late["co_primary"][name]


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"b": "0.09", "c": "0.075", "a1": "0.01"}, ["REDISTRIBUTED"]),
        ({"b": "0.09"}, ["REDISTRIBUTED"]),
        ({"a1": "0.001"}, ["REDISTRIBUTED"]),
        ({"b": "0.075", "c": "0.075"}, ["B_PLUS_C_OUT_OF_RANGE"]),
        ({"b": "0.085", "c": "0.085"}, ["B_PLUS_C_OUT_OF_RANGE"]),
        ({"b": "0.08", "c": "0.075"}, []),
        ({"b": "0.085", "c": "0.08"}, []),
        ({"a1": "0.01", "b": "0.085", "c": "0.08"}, []),
        ({"a1": "0.02", "b": "0.08", "c": "0.08", "allow_sum": "true"}, ["SUM_ABOVE_17_5"]),
        ({"blocks_per_s": ""}, ["NO_BLOCK_RATE"]),
    ],
)
def test_flags(tmp_path, changes, flags):
    (budget,) = budgets(tmp_path, {**SHORT_HAUL, **changes})
    assert budget["flags"] == flags
    assert (budget["co_primary"]["counts_per_month"]["bbe"] is None) == ("NO_BLOCK_RATE" in flags)


@given(
    st.fractions(0, 1, max_denominator=2500).map(lambda f: Fraction(round(f * 10**9), 10**9)),
    st.integers(1, 9),
)
def test_decimal_text_holds_every_digit(value, scale):
    text = decimal_text(value / 5**scale)
    assert "e" not in text.lower()
    assert Fraction(text) == value / 5**scale


def test_counts_are_exact_where_floats_are_not(tmp_path):
    # 0.075 x 5e-6 x 2592000 x 3 = 2.916; x 10 blocks = 9.72; and a whole number stays what it is.
    whole, above = budgets(
        tmp_path, {**ACCESS, "blocks_per_s": "2000"}, {**ACCESS, "blocks_per_s": "2000.000000000000000000001"}
    )
    assert whole["co_primary"]["counts_per_month"]["bbe"] == 7776
    assert above["co_primary"]["counts_per_month"]["bbe"] == 7777


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"length_km": "0"}, "length_km"),
        ({"length_km": "-5"}, "length_km"),
        ({"length_km": ""}, "length_km"),
        ({"length_km": "nan"}, "length_km"),
        ({"length_km": "inf"}, "length_km"),
        ({"length_km": "1e99"}, "length_km"),
        ({"length_km": "1e999999999"}, "length_km"),
        ({"length_km": "9" * 100_000}, "length_km"),
        ({"length_km": "1_05"}, "length_km"),
        ({"length_km": "=105"}, "length_km"),
        ({"length_km": "105 km"}, "length_km"),
        ({"br": "0"}, "br"),
        ({"br": "1.0001"}, "br"),
        ({"br": ""}, "br"),
        ({"br": "-1"}, "br"),
        ({"country": ""}, "country"),
        ({"country": "transit"}, "country"),
        ({"portion": "national"}, "portion"),
        ({"standard": "G.821"}, "standard"),
        ({"standard": ""}, "standard"),
        ({"bit_rate_kbps": "2048"}, "bit_rate_kbps"),
        ({"bit_rate_kbps": ""}, "bit_rate_kbps"),
        ({"standard": "G.826", "bit_rate_kbps": "1499"}, "bit_rate_kbps"),
        ({"standard": "G.826", "bit_rate_kbps": "3500001"}, "bit_rate_kbps"),
        ({"bit_rate_kbps": "0"}, "bit_rate_kbps"),
        ({"bit_rate_kbps": "VC-5"}, "bit_rate_kbps"),
        ({"blocks_per_s": "0"}, "blocks_per_s"),
        ({"blocks_per_s": "many"}, "blocks_per_s"),
        ({"built_before_1996": "perhaps"}, "built_before_1996"),
        ({"a1": "0"}, "a1"),
        ({"a1": "-0.01"}, "a1"),
        ({"b": "0"}, "b"),
        ({"c": "-0.08"}, "c"),
        ({"a1": "0.02", "b": "0.08", "c": "0.0751"}, "a1"),
        ({"id": ""}, "id"),
        ({"id": "a\tb"}, "id"),
        ({"id": "x" * 65}, "id"),
        ({**LONG_HAUL, "a1": ""}, "a1"),
        ({**SHORT_HAUL, "b": ""}, "b"),
        ({**ACCESS, "c": ""}, "c"),
    ],
    ids=range(40),
)
def test_bad_link_is_refused_with_its_place(tmp_path, changes, field):
    out = tmp_path / "budget.json"
    links = write_links(tmp_path / "links.csv", [SDH, {**SDH, **changes}])
    with pytest.raises(InputError, match=r"links\.csv") as refused:
        f1565_command(links, out)
    assert (refused.value.row, refused.value.field) == (3, field)
    assert refused.value.allowed
    assert len(str(refused.value)) < 600
    assert [path.name for path in tmp_path.iterdir()] == ["links.csv"]


def test_only_errored_seconds_are_under_study_above_160_mbit(tmp_path):
    fast = {"bit_rate_kbps": "622080"}
    access, international = budgets(tmp_path, {**ACCESS, **fast, "c": "0.08"}, {**PDH, **fast})
    assert access["flags"] == international["flags"] == ["ESR_UNDER_STUDY"]
    whole, tenth = access["co_primary"], access["other_sources"]
    assert (whole["esr"], whole["counts_per_month"]["es"], access["coef_x"]["esr"]) == (None, None, None)
    # 0.0002 x 0.08 x 2592000 = 41.472; 1e-5 x 0.08 x 8000 x 2592000 = 16588.8.
    assert (Decimal(whole["sesr"]), Decimal(whole["bber"])) == (Decimal("1.6e-5"), Decimal("8e-7"))
    assert whole["counts_per_month"] == {"es": None, "ses": 42, "bbe": 16_589}
    assert tenth["counts_per_month"] == {"es": None, "ses": 5, "bbe": 1659}
    # Table 3: b = 1e-5 and 1e-6, c = 4e-6 and 4e-7; 105 km, B_R = 1.
    assert international["coef_b"] == {"esr": None, "sesr": "0.00001", "bber": "0.000001"}
    assert international["coef_c"] == {"esr": None, "sesr": "0.000004", "bber": "0.0000004"}
    assert Decimal(international["co_primary"]["sesr"]) == Decimal("8.4e-7")


@pytest.mark.parametrize(
    ("line", "container", "flag"), [("155520", "150336", "STM1_AS_VC4"), ("51840", "48960", "STM0_AS_VC3")]
)
def test_line_rate_of_an_stm_counts_as_its_container(tmp_path, line, container, flag):
    one, other = budgets(
        tmp_path, {**LONG_HAUL, "bit_rate_kbps": line}, {**LONG_HAUL, "bit_rate_kbps": container}
    )
    assert one["flags"] == [flag]
    assert one["co_primary"] == other["co_primary"]
    assert (one["bit_rate_kbps"], one["bit_rate_used_kbps"]) == (line, container)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("VC-11", "1664"), ("tc-12", "2240"), ("VC-2", "6848"), ("TC-3", "48960"), ("VC-4", "150336")],
)
def test_containers_are_known_by_name(tmp_path, name, rate):
    one, other = budgets(tmp_path, {**SDH, "bit_rate_kbps": name}, {**SDH, "bit_rate_kbps": rate})
    assert one | {"id": ""} == other | {"id": ""}
    assert one["bit_rate_kbps"] == rate


def test_record_says_all_that_the_budget_rests_on(tmp_path):
    one, long, access = budgets(tmp_path, {**SDH, "length_km": "20"}, LONG_HAUL, ACCESS)
    assert {k: one[k] for k in ("portion", "country", "standard", "table", "j", "br")} == {
        "portion": "international",
        "country": "intermediate",
        "standard": "G.828",
        "table": 1,
        "j": 1,
        "br": "1",
    }
    assert (one["length_km"], one["length_used_km"]) == ("20", "50")
    assert one["coef_b"] == {"esr": "0.0002", "sesr": "0.00001", "bber": "0.0000005"}
    assert one["rounding"] == "counts up, ratios exact"
    # A = (0.01 + 0.002) 75 / 100.
    assert (long["a1"], long["a"], long["table"], long["j"]) == ("0.01", "0.009", 5, None)
    assert (access["a"], access["c"], access["table"]) == (None, "0.075", 10)
    assert one["notes_applied"] == [1, 2, 3, 4, 10, 11]
    assert access["notes_applied"] == [1, 2, 3, 4, 9, 10, 11]
    assert len(one["counts_aggregate_of"]) == 3
    early = budgets(
        tmp_path,
        {**PDH, "bit_rate_kbps": "2048", "built_before_1996": "1"},
        {**ACCESS, "built_before_1996": "1"},
    )
    assert [6 in b["notes_applied"] for b in early] == [True, False]
    assert [5 in b["notes_applied"] for b in early] == [False, True]


def with_tables(tmp_path, links, **tables):
    paths = {}
    for name, text in tables.items():
        paths[name] = tmp_path / f"{name}.csv"
        paths[name].write_text(text)
    out = tmp_path / "budget.json"
    f1565_command(write_links(tmp_path / "links.csv", links), out, **paths)
    return json.loads(out.read_text(encoding="utf-8"))["links"]


@pytest.mark.parametrize(
    ("rows", "shares"),
    [
        (["a,20,,", "b,30,,", "c,55,,"], ["4/21", "6/21", "11/21"]),
        (["a,20,1,", "b,30,2,", "c,55,1,"], ["1/4", "1/2", "1/4"]),
        (["a,,,x", "b,,,y", "c,,,z"], ["1/3", "1/3", "1/3"]),
    ],
)
def test_budget_of_a_link_is_shared_out_over_its_hops(tmp_path, rows, shares):
    hops = "link_id,hop,length_km,weight,operator\n" + "".join(f"0,{row}\n" for row in rows)
    (link,) = with_tables(tmp_path, [SDH], hops=hops)
    found = link["hops"]["hops"]
    assert [Fraction(hop["share"]) for hop in found] == [Fraction(share) for share in shares]
    for part in ("co_primary", "other_sources"):
        for name in ("esr", "sesr", "bber"):
            assert sum(Fraction(hop[part][name]) for hop in found) == Fraction(link[part][name])
        for name in ("es", "ses", "bbe"):
            total = sum(hop[part]["counts_per_month"][name] for hop in found)
            assert total <= link[part]["counts_per_month"][name]
    # 43.5456 errored seconds of example 1: whole seconds of a hop are rounded down.
    first = Fraction("43.5456") * Fraction(shares[0])
    assert found[0]["co_primary"]["counts_per_month"]["es"] == first.numerator // first.denominator


def test_hops_that_do_not_make_the_link_are_named_or_refused(tmp_path):
    head = "link_id,hop,length_km,weight,operator\n"
    (link,) = with_tables(tmp_path, [SDH], hops=head + "0,a,20,,\n0,b,30,,\n")
    assert link["hops"]["flags"] == ["HOPS_LENGTH_DIFFERS"]
    for rows, field in (
        ("0,a,20,,\n0,b,,,\n", "length_km"),
        ("0,a,,1,\n0,b,,,\n", "weight"),
        ("0,a,0,,\n", "length_km"),
        ("1,a,20,,\n", "link_id"),
        ("0,a,20,,\n0,a,30,,\n", "hop"),
    ):
        with pytest.raises(InputError, match=r"hops\.csv") as refused:
            with_tables(tmp_path, [SDH], hops=head + rows)
        assert refused.value.field == field


def test_interference_of_all_sources_is_held_against_both_shares(tmp_path):
    rows = [
        "0,sat,space,1e-6,4e-7,1e-8",
        "0,station,earth_long,5e-6,2e-7,1e-8",
        "0,station,earth_anomalous,4e-6,1e-7,0",
        "0,link 7,terrestrial_coprimary,6e-6,1e-7,2e-8",
        "0,device,other,1.68e-6,0,0",
    ]
    text = "link_id,source,kind,esr,sesr,bber\n" + "\n".join(rows) + "\n"
    (link,) = with_tables(tmp_path, [SDH], interference=text)
    found = link["interference"]
    # Example 1: 1.68e-5, 8.4e-7, 4.2e-8. The sum is 1.6e-5, 8e-7, 4e-8.
    assert [round(found["co_primary"][n]["used_pct"], 3) for n in ("esr", "sesr", "bber")] == [95.238] * 3
    assert found["co_primary"]["ok"] is True
    assert Decimal(found["of_these_space"]["esr"]) == Decimal("1e-5")
    # As much as there is, is kept; a little more is not.
    assert found["other_sources"]["esr"] == {
        "used": "0.00000168",
        "budget": "0.00000168",
        "used_pct": 100.0,
        "ok": True,
    }
    # What nobody has measured is neither kept nor broken.
    (link,) = with_tables(tmp_path, [SDH], interference=text + "0,new,other,0,,0\n")
    others = link["interference"]["other_sources"]
    assert (others["sesr"]["used"], others["sesr"]["ok"], others["esr"]["ok"], others["ok"]) == (
        *(None, None),
        *(True, None),
    )
    (link,) = with_tables(tmp_path, [SDH], interference=text + "0,more,other,1e-20,0,0\n")
    assert (link["interference"]["other_sources"]["ok"], link["interference"]["co_primary"]["ok"]) == (
        False,
        True,
    )


@pytest.mark.parametrize(
    ("row", "ratios", "verdict"),
    [
        # 2592000 s of which 43 errored: 1.659e-5 of 1.68e-5; 2 of 2.177; 870 blocks of 8000 in 2591998 s.
        (
            "2592000,43,2,870,8000",
            ("1.658951e-5", "7.716049e-7", "4.195605e-8"),
            ("pass", "pass", "pass", "pass"),
        ),
        ("2592000,44,2,870,8000", None, ("fail", "pass", "pass", "fail")),
        # In half of the time the same errors are twice the ratio.
        ("1296000,43,1,400,8000", None, ("fail", "pass", "pass", "fail")),
        ("2592000,43,2,,", None, ("pass", "pass", "not_measured", "not_measured")),
    ],
)
def test_measurements_count_in_available_time(tmp_path, row, ratios, verdict):
    text = f"link_id,month,available_s,es,ses,bbe,blocks_per_s\n0,2026-10,{row}\n"
    (link,) = with_tables(tmp_path, [SDH], measured=text)
    (month,) = link["measured"]
    words = month["co_primary"]
    assert (words["esr"], words["sesr"], words["bber"], words["result"]) == verdict
    if ratios is not None:
        exact = [Fraction(month[n]) for n in ("esr", "sesr", "bber")]
        assert list(map(float, exact)) == pytest.approx(list(map(float, ratios)), rel=1e-6)
        assert float(exact[0]) == 43 / 2592000


def test_measured_ratios_are_texts_with_all_digits_as_those_of_budgets(tmp_path):
    header = "link_id,month,available_s,es,ses,bbe,blocks_per_s\n"
    text = f"{header}0,2026-10,2500000,3,1,,\n0,2026-11,2592000,43,0,0,8000\n"
    (link,) = with_tables(tmp_path, [SDH], measured=text)
    first, second = link["measured"]
    assert (first["esr"], first["sesr"], first["bber"]) == ("0.0000012", "0.0000004", None)
    # A decimal that never ends has 20 digits: 43 / 2592000.
    assert (second["esr"], second["sesr"], second["bber"]) == ("0.000016589506172839506173", "0", "0")


def test_measurement_without_objective_is_under_study(tmp_path):
    fast = {**ACCESS, "bit_rate_kbps": "622080"}
    text = "link_id,month,available_s,es,ses,bbe,blocks_per_s\n0,2026-10,2592000,100,1,1,8000\n"
    (link,) = with_tables(tmp_path, [fast], measured=text)
    words = link["measured"][0]["co_primary"]
    assert words == {"esr": "under_study", "sesr": "pass", "bber": "pass", "result": "under_study"}
    for row, field in (
        ("2026-10,2592000,1,2,0,8000", "ses"),
        ("2026-10,10,11,2,0,8000", "es"),
        ("2026-13,10,1,1,0,8000", "month"),
        ("2026-10,0,0,0,0,8000", "available_s"),
        ("2026-10,2678401,0,0,0,8000", "available_s"),
        ("2026-10,100,0,0,1,", "blocks_per_s"),
    ):
        bad = f"link_id,month,available_s,es,ses,bbe,blocks_per_s\n0,{row}\n"
        with pytest.raises(InputError, match=r"measured\.csv") as refused:
            with_tables(tmp_path, [fast], measured=bad)
        assert refused.value.field == field


@pytest.mark.parametrize("column", COLUMNS)
def test_missing_column_is_refused(tmp_path, column):
    rows = [{name: value for name, value in {**SDH, "id": "1"}.items() if name != column}]
    path = tmp_path / "links.csv"
    columns = [name for name in COLUMNS if name != column]
    path.write_text(",".join(columns) + "\n" + ",".join(rows[0].get(n, "") for n in columns) + "\n")
    with pytest.raises(InputError) as refused:
        f1565_command(path, tmp_path / "budget.json")
    assert refused.value.field == column


@pytest.mark.parametrize(
    "content", [b"", b"id\xff,portion\n", b"id,portion\n\x00,1\n", b'id\n"', b"id\n" + b"x" * 10_000_000]
)
def test_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "links.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"links\.csv"):
        f1565_command(path, tmp_path / "budget.json")
    assert not (tmp_path / "budget.json").exists()


def test_same_id_twice_and_ragged_rows_are_refused(tmp_path):
    links = write_links(tmp_path / "links.csv", [{**SDH, "id": "a"}, {**SDH, "id": "a"}])
    with pytest.raises(InputError, match="given twice") as refused:
        f1565_command(links, tmp_path / "budget.json")
    assert refused.value.row == 3
    links.write_text(links.read_text() + "1,2\n")
    with pytest.raises(InputError, match="wrong number"):
        f1565_command(links, tmp_path / "budget.json")
