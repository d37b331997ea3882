"""Applying is all or nothing, and nothing in a file can hurt."""

from __future__ import annotations

import json
import random

import pytest
from cr372 import FIRST, record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.coordination.radar.checks import SubmissionRules
from pipeline.coordination.radar.cr372_files import MAX_FILE_BYTES
from pipeline.coordination.radar.cr372_records import Radar
from pipeline.coordination.radar.cr372_register import apply as apply_records
from pipeline.coordination.radar.cr372_register import radar_apply_command
from pipeline.coordination.radar.cr372_text import read_records, records_bytes
from pipeline.coordination.radar.findings import Strictness, errors
from pipeline.coordination.radar.radiolocation_bands import RadarBand
from pipeline.errors import InputError
from pipeline.files import write_together

RULES = {mode: SubmissionRules(mode, frozenset({"AUS"}), [RadarBand(4.438, 4.488)]) for mode in Strictness}
GOOD = record(eirp_dBW="+22.8")


def site(number: int, **changes: str) -> str:
    return record(
        **{"site_name": f"Site {number}", "Adm_ref_id": f"AUS - {number}", "eirp_dBW": "+22.8", **changes}
    )


def with_day(text: str) -> str:
    """Lines with the date of update that `apply` of the tests enters."""
    return text.replace(",01.10.2014,,", ",01.10.2014,20.01.2015,")


def test_order_is_mended_in_lenient_mode(apply):
    result = apply(
        f"{GOOD}\n", f"{record(eirp_dBW='+1.0')}\n{record(Int='S', eirp_dBW='+22.8')}\n", "lenient"
    )
    assert result.out.decode().split(",")[6] == "+1.0"
    assert result.codes("INFO") == ["MODIFY"]


def test_two_modifications_of_one_radar_in_one_file_follow_each_other(apply):
    lines = [site(1, Int="S"), site(1, op_time="Y"), site(1, op_time="Y", Int="S"), site(1, util="P")]
    result = apply(site(1) + "\n", "\n".join(lines))
    assert not result.refused
    assert result.out.decode() == site(1, util="P", d_update="20.01.2015") + "\n"


def test_suppressing_the_old_record_twice_around_its_successor_is_a_duplicate(apply):
    lines = [site(1, Int="S"), site(1, op_time="Y"), site(1, Int="S")]
    assert apply(site(1) + "\n", "\n".join(lines)).codes("ERROR") == ["S_DUPLICATE"]
    assert "S_DUPLICATE" in apply(site(1) + "\n", "\n".join(lines), "lenient").codes("WARNING")


BAD = [record(Int="S", Adm_ref_id="None"), record(freq_assgn="5.5"), "rubbish", '"']


@pytest.mark.parametrize("bad", [*BAD, record(lat="x")])
def test_one_bad_record_keeps_all_good_ones_out_in_strict_mode(apply, bad):
    result = apply(site(1) + "\n", "\n".join([site(2), bad, site(3)]))
    assert result.refused
    assert result.out is None


@pytest.mark.parametrize("bad", BAD)
def test_one_bad_record_is_refused_alone_in_lenient_mode(apply, bad):
    result = apply(site(1) + "\n", "\n".join([site(2), bad, site(3)]), "lenient")
    assert not result.refused
    assert [e["line"] for e in result.report if e["severity"] == "ERROR"] == [2]
    stamp = {"d_update": "20.01.2015"}
    assert result.out.decode().splitlines() == [site(1), site(2, **stamp), site(3, **stamp)]


@pytest.mark.parametrize("bad", BAD)
def test_nothing_but_bad_records_is_refused_in_lenient_mode(apply, bad):
    assert apply(site(1) + "\n", bad, "lenient").refused


@pytest.mark.parametrize(
    "odd",
    [
        {"Adm": "QQQ"},
        {"eirp_dBW": "+22.85"},
        {"d_inuse": "2014"},
        {"adm_remark": "see;+1 and = 2"},
        {"adm_remark": "+1"},
        {"lat": "here"},
        {"op_time": "0"},
    ],
)
def test_odd_field_is_taken_as_received_in_lenient_mode(apply, odd):
    result = apply("", site(1, **odd), "bureau")
    assert not result.codes("ERROR")
    assert result.codes("WARNING")
    assert result.out.decode() == site(1, **odd, d_update="20.01.2015") + "\n"


@pytest.mark.parametrize("reverse", [False, True])
def test_change_whose_new_record_is_refused_leaves_the_radar(apply, reverse):
    pair = [site(1, Int="S"), site(1, freq_assgn="24.64")]
    lines = [*(reversed(pair) if reverse else pair), site(2)]
    result = apply(site(1) + "\n", "\n".join(lines), "lenient")
    assert sorted(result.codes("ERROR")) == ["FREQ_BAND", "PAIR_REFUSED"]
    assert result.out.decode().splitlines() == [site(1), site(2, d_update="20.01.2015")]


def test_submitted_date_of_update_is_ignored(apply):
    result = apply("", site(1, d_update="01.01.2000"), "strict")
    assert result.codes() == ["D_UPDATE_IGNORED"]
    assert result.out.decode() == site(1, d_update="20.01.2015") + "\n"


@pytest.mark.parametrize("day", ["2015-01-20", "20.01.2015"])
def test_keeper_gives_the_date_in_either_form(apply, day):
    assert apply("", site(1), "strict", day).out.decode() == site(1, d_update="20.01.2015") + "\n"


@pytest.mark.parametrize("day", ["2015-13-01", "yesterday", "30.02.2015"])
def test_impossible_date_of_the_keeper_is_refused(tmp_path, day):
    (tmp_path / "db").write_text("")
    with pytest.raises(InputError, match="--date"):
        radar_apply_command(tmp_path / "db", tmp_path / "db", "strict", tmp_path / "new", tmp_path / "r", day)
    assert [p.name for p in tmp_path.iterdir()] == ["db"]


@pytest.mark.parametrize(
    ("emails", "fits"),
    [
        ("a@b.c;d@e.f", True),
        ("a@b.c d@e.f", True),
        ('"a@b.c,d@e.f"', True),
        ('"a@b.c, d@e.f; g@h.i"', True),
        ("a@b.c;nobody", False),
    ],
)
def test_several_addresses(apply, emails, fits):
    result = apply("", site(1, email_adm=emails), "lenient")
    assert ("EMAIL" in result.codes()) != fits
    assert emails in result.out.decode()


def test_date_of_update_in_the_register_is_kept_and_not_compared(apply):
    register = site(1, d_update="05.05.2015") + "\n" + site(2, d_update="05.05.2015") + "\n"
    result = apply(register, site(2, Int="S"))
    assert result.out.decode() == site(1, d_update="05.05.2015") + "\n"


def test_same_submission_twice_is_refused_the_second_time(apply):
    once = apply("", FIRST, "lenient").out
    twice = apply(once, FIRST, "lenient")
    assert twice.refused
    assert twice.codes().count("A_EXISTS") == 4


def test_register_in_a_wrong_encoding_is_refused(apply):
    result = apply(b"\xff\xfe" + (site(1) + "\n").encode("utf-16-le"), site(2))
    assert set(result.codes("ERROR")) == {"NUL"}
    assert result.report[0]["message"].startswith("register: ")


def test_latin_1_letters_survive(apply):
    line = record(site_name="C\u00f4te d'\u00c9meraude", eirp_dBW="+22.8") + "\n"
    result = apply("", line)
    assert result.report == []
    assert result.out == with_day(line).encode("latin-1")


def test_utf_8_is_taken_in_lenient_mode_if_latin_1_can_say_it(apply):
    line = record(site_name="C\u00f4te", eirp_dBW="+22.8") + "\n"
    assert apply("", line.encode(), "lenient").out == with_day(line).encode("latin-1")
    greek = record(site_name="\u0391\u03b8", eirp_dBW="+22.8").encode()
    result = apply("", greek, "lenient")
    assert "CODE_PAGE" in result.codes("WARNING")
    assert result.out == with_day(greek.decode("latin-1") + "\n").encode("latin-1")


def test_comma_in_quotes_survives_lenient_mode_twice(apply):
    line = record(adm_remark='"one, two"', eirp_dBW="+22.8") + "\n"
    first = apply("", line, "lenient").out
    assert first == with_day(line).encode()
    assert apply(first, site(2), "strict").out.decode() == with_day(line + site(2) + "\n")


@pytest.mark.parametrize(
    "content",
    [
        b"A" * 10_000_000,
        b"," * 10_000_000,
        b'"' * 10_000_000,
        b"\n" * 1_000_000,
        b"\0" * 1_000_000,
        bytes(range(256)) * 100,
        b"\xff\xfe" + GOOD.encode("utf-16-le"),
        b"x" * (MAX_FILE_BYTES + 1),
        GOOD.encode()[:-30] + b"\r\r\n\n\r" + GOOD.encode()[-30:],
    ],
    ids=["long", "commas", "quotes", "empty", "nul", "bytes", "utf-16", "large", "split"],
)
def test_hostile_file_is_refused_with_a_short_report(apply, content, tmp_path):
    for mode in ("strict", "lenient"):
        result = apply(GOOD + "\n", content, mode)
        assert result.refused
        assert (tmp_path / "report.json").stat().st_size < 3_000_000
        assert all(len(e["value"]) <= 120 for e in result.report)


def test_missing_file_is_refused_with_a_report(tmp_path):
    report = tmp_path / "report.json"
    with pytest.raises(InputError, match="FILE_UNREADABLE"):
        radar_apply_command(tmp_path / "no", tmp_path / "none", "strict", tmp_path / "new", report)
    assert [e["code"] for e in json.loads(report.read_text())] == ["FILE_UNREADABLE"] * 2
    assert not (tmp_path / "new").exists()


def test_mode_and_places_are_checked_before_anything(tmp_path):
    db, sub = tmp_path / "db", tmp_path / "sub"
    db.write_text("")
    sub.write_text(GOOD)
    for mode, out, report in [
        ("loose", "new", "r"),
        ("strict", "sub", "r"),
        ("strict", "new", "db"),
        ("strict", "new", "sub"),
        ("strict", "new", "new"),
    ]:
        with pytest.raises(InputError):
            radar_apply_command(db, sub, mode, tmp_path / out, tmp_path / report)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["db", "sub"]
    assert sub.read_text() == GOOD


def test_register_can_be_replaced_in_place(tmp_path):
    db, sub = tmp_path / "db", tmp_path / "sub"
    db.write_text(site(1) + "\n")
    sub.write_text(site(2) + "\n")
    radar_apply_command(db, sub, "strict", db, tmp_path / "r", "2015-01-20")
    assert db.read_text() == f"{site(1)}\n" + with_day(f"{site(2)}\n")


def test_files_are_written_together_or_not_at_all(tmp_path):
    with pytest.raises(OSError):
        write_together({tmp_path / "a": b"1", tmp_path / ("x" * 300): b"2"})
    assert list(tmp_path.iterdir()) == []


PIECES = st.lists(st.sampled_from([GOOD, FIRST, ",", '"', "\0", "\x85", "A", "\n", "=1"]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600) | PIECES.map(lambda parts: "".join(parts).encode("latin-1")))
def test_reader_never_raises(content):
    for mode, rules in RULES.items():
        submission = read_records(content, mode)
        outcome = apply_records(read_records(b"", mode), submission, rules)
        if not errors(outcome.findings):
            again = read_records(records_bytes(outcome.radars), Strictness.LENIENT)
            assert [line.radar for line in again.lines] == outcome.radars


PLAIN = st.text(st.characters(codec="latin-1", exclude_categories=["C"], exclude_characters='",\xa0\xad'))
FIELD = PLAIN.map(lambda text: text.strip(" "))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(*[FIELD] * 22), min_size=1, max_size=4), st.sampled_from(["\n", "\r\n", "\r"]))
def test_writing_what_was_read_gives_the_same_bytes(rows, end):
    # A first row of these letters is told from UTF-8 by what cannot be UTF-8.
    content = "".join(",".join(["\xe4", *row[1:]]) + end for row in rows).encode("latin-1")
    submission = read_records(content, Strictness.STRICT)
    assert len(submission.lines) == len(rows)
    assert records_bytes([line.radar for line in submission.lines], line_end=end) == content


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AS"), st.integers(0, 3), st.sampled_from("YN")), max_size=8))
def test_strict_mode_agrees_with_a_plain_model(actions):
    """Model: a dict by site; A needs a free place and no S after it alone, S needs an equal record."""
    lines = [site(n, Int=a, op_time=o) for a, n, o in actions]
    model: dict[int, str] | None = {0: "Y", 1: "N"}
    for index, (action, number, op_time) in enumerate(actions):
        earlier = [a for a, n, _ in actions[:index] if n == number]
        later = [a for a, n, _ in actions[index + 1 :] if n == number]
        if action == "A" and number not in model and not ("S" in later and "S" not in earlier):
            model[number] = op_time
        elif action == "S" and model.get(number) == op_time:
            del model[number]
        else:
            model = None
            break
    register = read_records(
        "".join(site(n, op_time=o) + "\n" for n, o in ((0, "Y"), (1, "N"))).encode(), Strictness.STRICT
    )
    submission = read_records("\n".join(lines).encode(), Strictness.STRICT)
    outcome = apply_records(register, submission, RULES[Strictness.STRICT])
    assert bool(errors(outcome.findings)) == (model is None)
    kept = {int(r.site_name[-1]): r.op_time for r in outcome.radars}
    assert kept == ({0: "Y", 1: "N"} if model is None else model)


def lenient_lines(rng: random.Random) -> list[str]:
    """Up to seven lines about four sites, some of which no register may hold or nobody can read."""
    changes = (
        {},
        {"op_time": "Y"},
        {"freq_assgn": "5.5"},
        {"freq_assgn": "much"},
        {"lat": "x"},
        {"Int": "M"},
    )
    lines = []
    for _ in range(rng.randint(1, 7)):
        number = rng.choice((1, 2, 3, 12))
        text = site(number, **{"Int": rng.choice("AS"), **rng.choice(changes)})
        lines.append(text + ",more" if rng.random() < 0.15 else text)
    return lines


def test_lenient_mode_keeps_the_rule_of_the_bureau_for_random_files():
    """No change ends as a removal, nothing out of band comes in, what no line names stays."""
    rng, before = random.Random(372), {n: site(n, op_time=o) for n, o in ((1, "N"), (2, "Y"), (12, "N"))}
    register = read_records("".join(f"{line}\n" for line in before.values()).encode(), Strictness.LENIENT)
    for _ in range(3000):
        lines = lenient_lines(rng)
        submission = read_records("\n".join(lines).encode(), Strictness.LENIENT)
        outcome = apply_records(register, submission, RULES[Strictness.LENIENT], "20.01.2015")
        after = {n: [r for r in outcome.radars if r.adm_ref_id == f"AUS - {n}"] for n in (1, 2, 3, 12)}
        refused = {entry.line for entry in errors(outcome.findings)}
        for n, old in before.items():
            own = {k: line for k, line in enumerate(lines, 1) if f"AUS - {n}," in line}
            removing = [k for k, line in own.items() if line.startswith("S") and k not in refused]
            if not own:
                assert [",".join(radar) for radar in after[n]] == [old], lines
            # Some line names the radar to add it, or cannot be read: one S may not remove it.
            if len(own) > len([line for line in own.values() if line.startswith("S")]) and len(removing) <= 1:
                assert after[n], lines
        assert all(radar.freq_assgn == "4.463" for radar in outcome.radars)
        assert all(radar.d_update in ("", "20.01.2015") for radar in outcome.radars)
        assert not outcome.refused or outcome.radars == [line.radar for line in register.lines]


def test_unreadable_line_stops_the_removal_of_its_own_radar_only(apply):
    register = f"{site(1)}\n{site(12)}\n"
    result = apply(register, f"{site(1, Int='S')}\n{site(12)},more", "lenient")
    assert result.codes("ERROR") == ["COLUMN_COUNT"]
    assert result.out.decode() == f"{site(12)}\n"
    assert "PAIR_REFUSED" in apply(register, f"{site(1, Int='S')}\n{site(1)},more", "lenient").codes("ERROR")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 21), PLAIN)
def test_apply_then_take_back_gives_the_old_register(column, text):
    name = Radar._fields[column]
    register = read_records(f"{GOOD}\n".encode(), Strictness.STRICT)
    radar = Radar(*site(1).split(","))._replace(**{name: text.strip(" ")})
    added = read_records(records_bytes([radar]), Strictness.LENIENT)
    outcome = apply_records(register, added, RULES[Strictness.LENIENT])
    if errors(outcome.findings):
        assert outcome.radars == [line.radar for line in register.lines]
        return
    held = read_records(records_bytes(outcome.radars), Strictness.LENIENT)
    back = read_records(records_bytes([radar._replace(action="S")]), Strictness.LENIENT)
    final = apply_records(held, back, RULES[Strictness.LENIENT])
    assert not errors(final.findings)
    assert final.radars == [line.radar for line in register.lines]


def test_report_is_cut_but_keeps_its_errors(apply):
    lines = [site(n, eirp_dBW="22.8", network_name="", Adm_ref_id="") for n in range(12_000)]
    result = apply("", "\n".join([*lines, site(1, freq_assgn="5.5")]), "lenient")
    assert not result.refused
    assert "REPORT_CUT" in result.codes("WARNING")
    assert result.codes("ERROR") == ["FREQ_BAND"]
