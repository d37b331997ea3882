"""Every kind of bad row and bad file is refused with its place; the files lie in tests/broken."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.registers.transmitter_rows import SiteBox, inside_box
from pipeline.registers.transmitters import read_transmitters
from tests.channel_plans import named_plan

PLAN = named_plan("8MHz")
AROUND = SiteBox(10, 43, 20, 49)
MODES = {("DVB-T", "64QAM 2/3"), ("DVB-T", "16QAM 3/4")}

# File, field named, value found, part of what is allowed. The bad row of each is line 3.
BAD_ROWS = [
    ("nan", "erp_kw", "nan", "5000 kW"),
    ("infinite", "erp_kw", "inf", "5000 kW"),
    ("text_in_number", "antenna_height_agl_m", "tall", "900 m"),
    ("digit_separator", "erp_kw", "1_000", "5000 kW"),
    ("missing_number", "erp_kw", "", "5000 kW"),
    ("no_antenna_height", "antenna_height_agl_m", "", "haat_m"),
    ("erp_zero", "erp_kw", "0", "more than 0"),
    ("erp_too_large", "erp_kw", "5000.1", "5000 kW"),
    ("height_too_large", "antenna_height_agl_m", "900.5", "900 m"),
    ("height_negative", "antenna_height_agl_m", "-1", "0 to 900 m"),
    ("latitude_out_of_range", "lat", "91", "-90 to 90"),
    ("null_island", "lon", "0.0", "coordinates of the site"),
    ("elsewhere", "lat", "14.5", "43 to 49"),
    ("duplicate_id", "id", "A1", "unique"),
    ("no_id", "id", "", "1 to 64"),
    ("channel_not_in_plan", "channel", "70", "21-69"),
    ("channel_fraction", "channel", "27.5", "plan"),
    ("frequency_of_other_channel", "centre_mhz", "530", "522 MHz"),
    ("bandwidth_of_other_plan", "bandwidth_mhz", "7", "8 MHz"),
    ("pattern_35_points", "pattern_azimuth_attenuation_db", None, "36 or 72"),
    ("pattern_negative", "pattern_azimuth_attenuation_db", None, "0 to 60 dB"),
    ("pattern_too_deep", "pattern_azimuth_attenuation_db", None, "0 to 60 dB"),
    ("pattern_without_maximum", "pattern_azimuth_attenuation_db", None, "smallest about 0"),
    ("pattern_text", "pattern_azimuth_attenuation_db", None, "36 or 72"),
    ("polarisation", "polarisation", "X", "H, V, M"),
    ("system", "system", "DVB-C", "DVB-T2"),
    ("mode_without_system", "system", "", "DVB-T"),
    ("mode_unknown", "multiplex_mode", "64QAM 9/9", "16QAM 3/4, 64QAM 2/3"),
    ("ragged", "(row)", "15", "14 values"),
    ("country_name", "country", "Slovenia", "ISO 3166"),
    ("haat", "haat_m", "6000", "5000 m"),
    ("beam_tilt", "beam_tilt_deg", "45", "30 deg"),
    ("vertical_not_ascending", "vertical_pattern_deg_attenuation_db", None, "ascending"),
    ("vertical_without_colon", "vertical_pattern_deg_attenuation_db", None, "depression:attenuation"),
]

# File, line or None, word of the message.
BAD_FILES = [
    ("missing", None, "does not exist"),
    ("latin1", 3, "not UTF-8"),
    ("nul", 3, "NUL"),
    ("unclosed_quote", 3, "not a readable CSV"),
    ("missing_column", 1, "field polarisation: column is missing"),
    ("column_twice", 1, "field id: column occurs twice"),
    ("empty", 1, "column is missing"),
    ("header_only", None, "no rows"),
]


def broken(repository: Path, name: str) -> Path:
    return repository / "tests" / "broken" / f"transmitters_{name}.csv"


def read(path: Path, *, lenient: bool = False):
    return read_transmitters([path], PLAN, lenient=lenient, box=AROUND, modes=MODES)


@pytest.mark.parametrize(("name", "field", "value", "allowed"), BAD_ROWS)
def test_bad_row_is_refused_with_file_row_field_value_and_allowed(repository, name, field, value, allowed):
    path = broken(repository, name)
    with pytest.raises(InputError) as refused:
        read(path)
    error = refused.value
    assert (error.file, error.row, error.field) == (str(path), 3, field)
    assert value is None or str(error.value) == value
    assert allowed in error.allowed
    assert "\n" not in str(error)
    for part in (str(path), "row 3", field, "found", "allowed"):
        assert part in str(error)


@pytest.mark.parametrize(("name", "field", "value", "allowed"), BAD_ROWS)
def test_lenient_reading_skips_the_bad_row_and_counts_it(repository, name, field, value, allowed):
    dataset, rejected = read(broken(repository, name), lenient=True)
    assert dataset["id"].to_numpy().tolist() == ["A1"]
    assert [(entry.row, entry.field) for entry in rejected] == [(3, field)]
    assert dataset.attrs["rejected_rows"] == 1


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(("name", "row", "words"), BAD_FILES)
def test_bad_file_is_refused_in_either_mode(repository, name, row, words, lenient):
    path = broken(repository, name)
    with pytest.raises(InputError, match=words) as refused:
        read(path, lenient=lenient)
    assert (refused.value.file, refused.value.row) == (str(path), row)


def test_every_broken_file_is_tested(repository):
    files = {
        path.stem.removeprefix("transmitters_") for path in broken(repository, "x").parent.glob("transm*")
    }
    assert files == {case[0] for case in BAD_ROWS + BAD_FILES} - {"missing"}


def test_exchanged_coordinates_are_hinted_at(repository):
    with pytest.raises(InputError, match="look exchanged"):
        read(broken(repository, "elsewhere"))


def test_register_without_one_good_row_is_refused_even_leniently(tmp_path, repository):
    lines = broken(repository, "nan").read_text(encoding="utf-8").splitlines()
    path = tmp_path / "all_bad.csv"
    path.write_text("\n".join([lines[0], lines[2]]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="no row"):
        read(path, lenient=True)


def test_first_bad_row_is_reported_with_the_number_of_others(tmp_path, repository):
    lines = broken(repository, "nan").read_text(encoding="utf-8").splitlines()
    path = tmp_path / "three_bad.csv"
    path.write_text("\n".join([*lines, lines[2], lines[2] + ",surplus"]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="and 2 more") as refused:
        read(path)
    assert refused.value.row == 3


def test_box_across_the_180th_meridian_holds_both_sides():
    box = SiteBox(170, -20, -170, 0)
    assert inside_box(box, 179.0, -10.0)
    assert inside_box(box, -175.0, -10.0)
    assert not inside_box(box, 0.0, -10.0)
