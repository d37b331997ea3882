"""Days that options of commands name."""

from __future__ import annotations

from datetime import date

from pipeline.errors import InputError


def day_of_option(option: str, text: str, allowed: str) -> date:
    """The day of a text YYYY-MM-DD; InputError names the option and what is ``allowed``."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError("no date", row=option, value=text, allowed=allowed) from None
