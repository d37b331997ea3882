"""Catalogues of sentences: every language has every key with its fields, and the report uses all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from pipeline.config.products import REPORT_TEXTS
from pipeline.config.services import Service
from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.publish.report.texts import check, fields_of_text, read_texts
from pipeline.publish.styles import read_schemes
from pipeline.services.table import SERVICES
from pipeline.shipped import TABLES
from tests.publish.test_report import built, report_of

__all__ = ["built"]
LANGUAGES = sorted(TABLES.glob("report_*.yaml"))
FRENCH = TABLES / "report_fr.yaml"


def test_there_is_a_second_language() -> None:
    assert {REPORT_TEXTS, FRENCH} <= set(LANGUAGES)


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_each_language_has_all_sentences_with_their_fields(path: Path) -> None:
    texts = read_texts(path)
    assert path.stem == f"report_{texts.language}"
    assert set(texts.texts) == set(read_texts().texts)
    english = read_texts().texts
    assert {key: fields_of_text(text) for key, text in texts.texts.items()} == {
        key: fields_of_text(text) for key, text in english.items()
    }


@pytest.mark.parametrize(
    "path", [one for one in LANGUAGES if one != REPORT_TEXTS], ids=lambda path: path.stem
)
def test_other_languages_have_words_for_services_and_classes(path: Path) -> None:
    """Names that come from tables have no key, so that nothing else would miss them."""
    labels = read_texts(path).labels
    classes = read_schemes()["available_channels"].classes
    wanted = {row.label for row in SERVICES} | {entry.label for entry in classes} | set(read_texts().labels)
    assert wanted - set(labels) <= {"outside"}


def test_every_sentence_is_used_and_every_used_one_is_there(repository: Path) -> None:
    folder = repository / "pipeline/publish/report"
    code = "".join(path.read_text() for path in folder.glob("*.py"))
    named = set(re.findall(r'"([a-z_]+)"', code))
    made = {"how_many_people_none", "how_many_land_none", "method_degradation", "method_threshold"}
    made |= {"method_separation", *get_args(Service.model_fields["status"].annotation)}
    omitted = (repository / "pipeline/services/product.py").read_text()
    made |= {f"product_{key}" for key in re.findall(r'"([a-z_]+)"', omitted)}
    keys = set(read_texts().texts)
    columns = {key for key in keys if key.startswith("column_") and key.removeprefix("column_") in named}
    assert keys - named - made - columns == set()
    said = set(re.findall(r'say\(\s*"([a-z_]+)"', code))
    assert said
    assert said <= keys


@pytest.mark.parametrize(
    ("key", "text", "fault"),
    [
        ("answers", None, "sentence is missing"),
        ("answer", "Five", "no sentence of the report has this key"),
        ("where_not", "Nowhere", "has other fields"),
        ("where_not", "For {devices", "has other fields"),
        ("where_not", "For {devices} and {people}", "has other fields"),
        ("answers", 5, "is no catalogue"),
    ],
)
def test_catalogue_that_lacks_something_is_refused(
    tmp_path: Path, key: str, text: object, fault: str
) -> None:
    found = yaml.safe_load(REPORT_TEXTS.read_text())
    if text is None:
        del found["texts"][key]
    else:
        found["texts"][key] = text
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(found))
    with pytest.raises(InputError, match=fault) as raised:
        read_texts(tmp_path / "own.yaml")
    assert "own.yaml" in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"texts: {a: b}", b"\xff", b"a: [", b"texts: 5"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.yaml").write_bytes(content)
    with pytest.raises(InputError):
        read_texts(tmp_path / "own.yaml")


def test_check_of_a_territory_file_reads_its_catalogue(tiny: Path) -> None:
    assert list(check(load_config(tiny), None)) == []
    (tiny.parent / "own.yaml").write_text("language: xx\n")
    tiny.write_text(tiny.read_text() + "report: {texts: own.yaml}\n")
    with pytest.raises(InputError, match=r"own\.yaml"):
        list(check(load_config(tiny), None))


def test_numbers_have_the_signs_of_the_language() -> None:
    english, french = read_texts(), read_texts(FRENCH)
    assert [english.number(-12345.678, 1), french.number(-12345.678, 1)] == [
        "-12,345.7",
        "-12\N{NARROW NO-BREAK SPACE}345,7",
    ]
    assert [english.number(-0.001, 2, signed=True), french.short(0.7)] == ["+0.00", "0,7"]
    assert french.percent(0.5) == "moins de 1\N{NO-BREAK SPACE}%"
    assert french.channels([21, 22, 23, 30, "40-42"]) == "21 à 23, 30, 40-42"
    assert english.channels([21, 22, 23, 30]) == "21 to 23, 30"


def test_report_in_french_has_no_english_sentence(built: Path) -> None:
    built.write_text(built.read_text() + f"report: {{texts: {FRENCH}}}\n")
    text = report_of(built)
    assert '<html lang="fr">' in text
    found = read_texts(FRENCH)
    for key, english in read_texts().texts.items():
        parts = [part.strip() for part in re.split(r"\{\w+\}", english) if len(part.strip()) > 12]
        missed = [part for part in parts if part in text and part not in found.texts[key]]
        assert missed == [], key
    assert "Cinq réponses" in text
    assert "Hors de ces cartes\N{NO-BREAK SPACE}: réception de la télévision à l&#39;étranger, PMSE" in text
    assert "au moins un des 10 canaux" in text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (REPORT_TEXTS.read_text().replace("{devices};", "{devices:d};", 1), "has other fields"),
        (REPORT_TEXTS.read_text().replace("{devices};", "{devices!r};", 1), "has other fields"),
        (REPORT_TEXTS.read_text().replace("texts:\n", "texts:\n  no: 5\n", 1), "is no catalogue"),
        (REPORT_TEXTS.read_text().replace("texts:\n", "texts:\n  no: No.\n", 1), "is no catalogue"),
        ("language: en\nlanguage: fr\n", "given twice"),
        ("language: [\n", "indentation, brackets or quotes that do not fit"),
        ("language: 2026-02-30\n", "is not valid YAML"),
    ],
)
def test_catalogue_fails_when_it_is_read_and_in_own_words(tmp_path: Path, text: str, fault: str) -> None:
    """A form such as {share:d} would end a run when all is computed; a key `no` is no text in YAML."""
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(InputError, match=fault):
        read_texts(tmp_path / "own.yaml")
