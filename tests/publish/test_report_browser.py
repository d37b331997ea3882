"""The report in a real Chromium: nothing is cut off on paper or on a phone, nothing is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.publish.test_report import built, page_of, report_of
from tests.publish.web.browser import browser

__all__ = ["built"]
pytestmark = pytest.mark.slow
# A4 within margins of 15 mm at 96 pixels per inch, a phone, a desktop.
WIDTHS = [("print", 680), ("screen", 375), ("screen", 1280)]
CUT = """() => [...document.querySelectorAll('table, img, p, li, h1, h2, h3, section')].filter((e) => {
    if (e.closest('.wide') && getComputedStyle(e.closest('.wide')).overflowX === 'auto') return false;
    return e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5;
}).map((e) => e.textContent.slice(0, 60))"""
SMALLEST = """() => Math.min(...[...document.querySelectorAll('td, th, li, p, figcaption, caption')]
    .filter((e) => e.textContent.trim()).map((e) => parseFloat(getComputedStyle(e).fontSize)))"""


@pytest.mark.parametrize("made", [report_of, page_of], ids=["report", "annex"])
def test_report_fits_paper_and_screens_and_asks_for_nothing(
    built: Path, tmp_path: Path, made: Callable[[Path], str]
) -> None:
    (tmp_path / "report.html").write_text(made(built), encoding="utf-8")
    with browser() as chromium:
        for media, width_px in WIDTHS:
            page = chromium.new_page(viewport={"width": width_px, "height": 900})
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.emulate_media(media=media)
            page.goto((tmp_path / "report.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width_px, media
            assert page.evaluate(CUT) == [], (media, width_px)
            # 7 pt: sums of files; everything else is larger.
            assert page.evaluate(SMALLEST) >= 7 * 96 / 72 - 0.01
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
