"""Hooks of the builder of the site (mkdocs.yml): pages that follow from the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from pipeline.plan.territory_file import export_schema
from pipeline.publish.site_pages import SETTINGS_PAGE, service_pages, settings_page


def on_files(files: Files, *, config: Any) -> Files:  # noqa: ANN401 - a class of the builder
    """Add the generated pages."""
    method = (Path(config.docs_dir) / "method.md").read_text(encoding="utf-8")
    pages = {f"{SETTINGS_PAGE}.md": settings_page(json.loads(export_schema()))}
    pages |= {f"services/{name}.md": text for name, text in service_pages(method).items()}
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files
