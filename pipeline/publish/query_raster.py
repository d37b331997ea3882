"""All channels of a device in one file whose blocks hold every channel of a few pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.grid import raster
from pipeline.grid.grid import Grid
from pipeline.grid.layer_files import SCALE_TAG
from pipeline.hashing import file_sha256, json_hash
from pipeline.plan.plan import Plan

# Tags of the layers that hold for all their channels.
_SHARED_TAGS = ("device", "method", "model", "notice", "product", "unverified")


def query_tags(plan: Plan, paths: Sequence[Path], grid: Grid, code: str) -> dict[str, str]:
    """What the file depends on, and the largest scale of its grid, which a query needs to stay quick."""
    layer_tags = raster.read_layout(paths[0]).tags
    own = [[file_sha256(path) for path in paths], plan.config.query.block_px, code]
    return {
        **{name: layer_tags[name] for name in _SHARED_TAGS if name in layer_tags},
        "hash": json_hash(own),
        SCALE_TAG: f"{grid.largest_scale():.9f}",
    }
