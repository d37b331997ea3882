"""Languages of the page beside English: one file each in ``texts/``."""

from __future__ import annotations

from pathlib import Path

import yaml

from pipeline.publish.web import texts

# By import, so that an edited catalogue makes the job run again as an edited module does.
CATALOGUES = Path(texts.__file__).parent


def catalogues(folder: Path = CATALOGUES) -> dict[str, dict[str, object]]:
    """By language ``name``, as its speakers call it, and ``texts``, from English to it."""
    return {
        path.stem: dict(yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*.yaml"))
    }
