"""Catalogues of the page's texts are whole, and have the same blanks to fill as the English texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.publish.styles import read_schemes
from pipeline.publish.web.languages import CATALOGUES, catalogues
from pipeline.publish.web.web_files import BUNDLE

PAGE = BUNDLE.parent / "page/src"
LANGUAGES = sorted(catalogues())


def texts_of_the_page() -> set[str]:
    """All that is said by the modules, and all elements of the page that are to be translated."""
    found = set()
    for path in PAGE.glob("*.js"):
        found |= set(re.findall(r'\bsay\(\s*"((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8")))
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    found |= {" ".join(text.split()) for text in re.findall(r"data-say>([^<]*)<", html)}
    found |= set(re.findall(r'aria-label="([^"]*)" data-say-label', html))
    return found


def texts_of_the_maps() -> set[str]:
    """Titles, notes and labels of the layers that the page shows."""
    schemes = read_schemes()
    found = set()
    for family in ("max_eirp", "available_channels", "limiting_service"):
        scheme = schemes[family]
        found |= {scheme.title, scheme.note, *(entry.label for entry in scheme.classes)}
    return found


def test_there_is_another_language() -> None:
    assert "sl" in LANGUAGES
    assert {path.stem for path in CATALOGUES.glob("*.yaml")} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_has_every_text(language: str) -> None:
    assert len(texts_of_the_page()) > 60
    known = set(catalogues()[language]["texts"])  # type: ignore[call-overload]
    assert texts_of_the_page() - known == set()
    assert texts_of_the_maps() - known == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_blanks_are_those_of_the_english_text(language: str) -> None:
    for english, text in catalogues()[language]["texts"].items():  # type: ignore[attr-defined]
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", english)), english


def test_a_file_is_a_language(tmp_path: Path) -> None:
    (tmp_path / "xx.yaml").write_text('name: Xish\ntexts: {"Go": "Xo"}\n', encoding="utf-8")
    assert catalogues(tmp_path) == {"xx": {"name": "Xish", "texts": {"Go": "Xo"}}}
