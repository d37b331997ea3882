"""The report as PDF: by a package, else by a browser, else a line that names both."""

from __future__ import annotations

import re
import shutil
import sys
import types
from pathlib import Path

import pytest

from pipeline.publish.report import pdf
from tests.publish.test_report import built, report_of

__all__ = ["built"]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "report.html").write_text("<!DOCTYPE html><title>x</title><p>text")
    return tmp_path / "report.html"


def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)


def test_package_comes_first(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing(monkeypatch)
    made = types.SimpleNamespace(write_pdf=lambda: b"%PDF-1.7")
    monkeypatch.setitem(sys.modules, "weasyprint", types.SimpleNamespace(HTML=lambda filename: made))
    assert pdf.write_pdf(page) == [page.with_name("report.pdf")]
    assert page.with_name("report.pdf").read_bytes() == b"%PDF-1.7"


def test_browser_is_asked_for_one(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text(
        '#!/bin/sh\nfor word; do case $word in --print-to-pdf=*) echo "%PDF $*" > "${word#*=}";; esac; done\n'
    )
    program.chmod(0o755)
    nothing(monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "chromium" else None)
    (written,) = pdf.write_pdf(page)
    assert page.as_uri() in written.read_text()


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nexit 0\n", "no program"])
def test_without_either_a_line_says_so_and_no_older_file_stays(
    page: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    script: str,
) -> None:
    page.with_name("report.pdf").write_bytes(b"of an earlier run")
    program = tmp_path / "chromium"
    program.write_text(script)
    program.chmod(0o755)
    nothing(monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "chromium" else None)
    assert pdf.write_pdf(page) == []
    assert not page.with_name("report.pdf").exists()
    said = capsys.readouterr().err
    assert "no report.pdf" in said
    assert "weasyprint" in said
    assert "Chromium" in said


@pytest.mark.slow
def test_report_fits_eight_pages(built: Path, tmp_path: Path) -> None:
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        pytest.skip("no Chromium on this machine: make test-web")
    (tmp_path / "report.html").write_text(report_of(built), encoding="utf-8")
    content = pdf.by_browser(tmp_path / "report.html")
    assert content is not None
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 8


def test_package_that_fails_ends_no_run(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fonts that are not there are found at the last step of a run."""
    nothing(monkeypatch)
    made = types.SimpleNamespace(write_pdf=lambda: 1 // len(""))
    monkeypatch.setitem(sys.modules, "weasyprint", types.SimpleNamespace(HTML=lambda filename: made))
    assert pdf.write_pdf(page) == []
    assert "weasyprint fails on report.html: ZeroDivisionError" in capsys.readouterr().err
