"""What was computed while inputs changed, or cut off by an outage, is neither published nor kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.plan.territory_file import load_config
from pipeline.publish import unchanged_inputs as steady
from pipeline.publish.unchanged_inputs import NOTE, State, check_unchanged, state_of, watching

BUILD = Path("build/tiny")
Change = Callable[..., None]


def state(tiny: Path) -> State:
    return state_of(tiny, load_config(tiny))


def made(name: str) -> Path:
    path = BUILD / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
    return path


def replace_and_put_back(path: Path) -> None:
    """Another file for a moment, then the first content again."""
    content = path.read_bytes()
    for text in (content + b"\n", content):
        path.with_name("new").write_bytes(text)
        path.with_name("new").replace(path)


def run(tiny: Path, name: str, during: Callable[[], None] = lambda: None) -> Path:
    """A run that computes one file, during which something happens."""
    with watching(BUILD, state(tiny), tiny, load_config(tiny)):
        path = made(name)
        during()
    return path


def killed(tiny: Path, name: str) -> Path:
    """A run that computes one file and then is no more."""
    with suppress(KeyboardInterrupt), watching(BUILD, state(tiny), tiny, load_config(tiny)):
        path = made(name)
        raise KeyboardInterrupt
    assert (BUILD / NOTE).is_file()
    return path


def test_steady_inputs_keep_everything_and_may_be_published(tiny: Path) -> None:
    old = made("old.tif")
    new = run(tiny, "new.tif", during=lambda: check_unchanged(BUILD, tiny, load_config(tiny)))
    assert old.exists()
    assert new.exists()
    assert not (BUILD / NOTE).exists()
    check_unchanged(BUILD, tiny, load_config(tiny))


@pytest.mark.parametrize("what", ["register.csv", "tiny.yaml"])
def test_file_that_was_changed_and_put_back_is_noticed(tiny: Path, what: str) -> None:
    def change() -> None:
        replace_and_put_back(Path(what))
        with pytest.raises(InputError, match=rf"{what}: has changed while the run computed"):
            check_unchanged(BUILD, tiny, load_config(tiny))

    old = made("old.tif")
    os.utime(old, ns=(1, 1))
    new = run(tiny, "new.tif", during=change)
    assert old.exists()
    assert not new.exists()
    assert not (BUILD / NOTE).exists()


def test_clock_that_jumps_back_hides_nothing(tiny: Path, change_station: Change) -> None:
    """What was computed of a mixture is dropped though it is dated before the run, and older files stay."""
    old = made("old.tif")

    def jump() -> None:
        os.utime(BUILD / "new.tif", (1.0, 1.0))
        change_station(0, erp_kw=2.0)

    new = run(tiny, "new.tif", during=jump)
    assert (old.exists(), new.exists()) == (True, False)


def test_older_file_that_was_written_anew_is_dropped(tiny: Path, change_station: Change) -> None:
    old = made("old.tif")
    os.utime(old, (1.0, 1.0))

    def write_anew() -> None:
        made("old.tif")
        os.utime(old, (2.0, 2.0))
        change_station(0, erp_kw=2.0)

    run(tiny, "new.tif", during=write_anew)
    assert not old.exists()


def test_register_that_is_gone_is_noticed(tiny: Path) -> None:
    config = load_config(tiny)
    with watching(BUILD, state(tiny), tiny, config):
        (tiny.parent / "register.csv").unlink()
        with pytest.raises(InputError, match=r"register\.csv"):
            check_unchanged(BUILD, tiny, config)


def test_name_of_the_territory_file_does_not_matter(tiny: Path) -> None:
    config = load_config(tiny)
    with watching(BUILD, state_of(tiny.absolute(), config), tiny.absolute(), config):
        check_unchanged(BUILD, Path("tiny.yaml"), config)


def test_killed_run_is_gone_on_with(tiny: Path) -> None:
    left = killed(tiny, "left.tif")
    run(tiny, "new.tif")
    assert left.exists()


@pytest.mark.parametrize("what", ["input", "outage", "torn note"])
def test_what_a_killed_run_left_is_dropped_if_it_may_be_wrong(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, change_station: Change, what: str
) -> None:
    old = made("old.tif")
    os.utime(old, ns=(1, 1))
    left = killed(tiny, "deep/left.tif")
    if what == "input":
        change_station(0, erp_kw=2.0)
    elif what == "outage":
        (tiny.parent / "boot_id").write_text("another")
        monkeypatch.setattr(steady, "BOOT_ID", tiny.parent / "boot_id")
    else:
        began_ns = (BUILD / NOTE).stat().st_mtime_ns
        (BUILD / NOTE).write_text('{"boot": "')
        os.utime(BUILD / NOTE, ns=(began_ns, began_ns))
    new = run(tiny, "new.tif")
    assert (old.exists(), left.exists(), new.exists()) == (True, False, True)


def test_territory_file_within_the_build_folder_is_kept(tiny: Path) -> None:
    """That of a lenient run lies there and is written anew each time."""
    inner = BUILD / "lenient.yaml"
    inner.parent.mkdir(parents=True)
    inner.write_text(tiny.read_text())
    config = load_config(inner)
    with watching(BUILD, state_of(inner, config), inner, config):
        inner.write_text(tiny.read_text() + "\n")
    assert inner.exists()
