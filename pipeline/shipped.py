"""Files that come with the package: tables, rules, profiles, environment, lock.

They are in the checkout, where users edit them. Without a checkout a copy inside the package is taken;
nothing puts one there yet, so that only an editable install works.
"""

from __future__ import annotations

from pathlib import Path

_CARRIED = Path("pipeline") / "carried"

REPOSITORY = Path(__file__).resolve().parents[1]


def shipped(name: str, root: Path = REPOSITORY) -> Path:
    """A file or folder by its path in the repository: that of the checkout, else the copy in the package."""
    in_checkout, in_package = root / name, root / _CARRIED / name
    return in_package if in_package.exists() and not in_checkout.exists() else in_checkout


TABLES = shipped("configs/tables")
