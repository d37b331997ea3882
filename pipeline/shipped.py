"""Files that come with the package: tables, rules, profiles, environment, lock, examples.

They are in the checkout, where users edit them. A wheel carries copies under ``pipeline/shipped/``, at the
same paths; there is no such folder in a checkout, and an editable install does not make one.
"""

from __future__ import annotations

from pathlib import Path

_CARRIED = Path("pipeline") / "shipped"
# What makes a folder a checkout: other packages may have put `configs` or `data` beside this one.
_MARKS = ("pyproject.toml", "Snakefile")

REPOSITORY = Path(__file__).resolve().parents[1]


def shipped(name: str, root: Path = REPOSITORY) -> Path:
    """A file or folder by its path in the repository: that of the checkout, else the copy in the package."""
    carried = root / _CARRIED
    if carried.is_dir() and not all((root / mark).is_file() for mark in _MARKS):
        return carried / name
    return root / name


def repository_path(path: Path, root: Path = REPOSITORY) -> Path | None:
    """The path in the repository of a shipped or other file of it, also of a copy; None of any other file."""
    absolute = path.absolute()
    for top in (root / _CARRIED, root):
        if absolute.is_relative_to(top):
            return absolute.relative_to(top)
    return None


TABLES = shipped("configs/tables")
