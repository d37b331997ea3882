"""The intermediates of a what-if beside those of the published maps: each explains its own run.

    build/<territory>              of the published maps
    build/<territory>-what-if      of the what-if that was computed last

A what-if computes in the territory's own folder, so only what depends on the change is computed. What was
there is kept meanwhile by hard links (files are replaced, never modified), with what Snakemake knows of the
jobs, and is put back at the end; so is what a run that was killed has left.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.config.config import Config
from pipeline.files import copy_whole

# What Snakemake knows of the jobs of a folder: a file for each of their outputs.
_METADATA = Path(".snakemake") / "metadata"
# Folder of what is kept, beside the build folders; hidden until it is whole, and again while it is removed.
_KEPT, _UNFINISHED = "{}.kept", ".{}.kept"


@contextmanager
def own_intermediates(config: Config) -> Iterator[None]:
    """Give the intermediates of a what-if a folder of their own at the end; nothing to do for other runs.

    To be held with the lock of the working folder.
    """
    build = Path("build") / config.name
    restore(build)
    variant = build.with_name(config.results or config.name)
    if variant == build:
        yield
        return
    _keep(build)
    try:
        yield
    finally:
        _replace(variant, build)
        restore(build)


def restore(build: Path) -> None:
    """Put back what a what-if has kept of the published maps, if it has: build folder and metadata."""
    kept = build.with_name(_KEPT.format(build.name))
    if not kept.is_dir():
        return
    for part, place in _parts(kept, build):
        if part.is_dir():
            shutil.rmtree(place, ignore_errors=True)
            part.replace(place)
    kept.rmdir()


def _keep(build: Path) -> None:
    """Keep what a build folder with finished jobs holds; one without is the what-if's from the beginning."""
    if not (_METADATA.is_dir() and (build / ".records").is_dir()):
        return
    unfinished = build.with_name(_UNFINISHED.format(build.name))
    shutil.rmtree(unfinished, ignore_errors=True)
    for part, place in _parts(unfinished, build):
        _take_over(place, part, linked=place == build)
    unfinished.replace(build.with_name(_KEPT.format(build.name)))


def _parts(kept: Path, build: Path) -> list[tuple[Path, Path]]:
    """What is kept and where it belongs; the build folder last, without it there is nothing to explain."""
    return [(kept / "metadata", _METADATA), (kept / "build", build)]


def _replace(variant: Path, build: Path) -> None:
    """The build folder as that of the what-if, in place of the one before; refused before, it has none."""
    if not build.is_dir():
        return
    waiting = build.with_name(f".{variant.name}")
    shutil.rmtree(waiting, ignore_errors=True)
    _take_over(build, waiting, linked=True)
    shutil.rmtree(variant, ignore_errors=True)
    waiting.replace(variant)


def _take_over(source: Path, folder: Path, *, linked: bool) -> None:
    """The files of a folder in another one: hard links where the file system has them, or copies.

    Snakemake writes into its records, so these have to be copies.
    """
    for place, _, names in os.walk(source):
        target = folder / Path(place).relative_to(source)
        target.mkdir(parents=True)
        for name in names:
            if not (linked and _linked(Path(place) / name, target / name)):
                copy_whole(Path(place) / name, target / name)
                shutil.copystat(Path(place) / name, target / name)  # the time decides which jobs run again
        shutil.copystat(place, target)


def _linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError:
        return False
    return True
