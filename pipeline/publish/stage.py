"""Stage publish: the finished layers of build/ become the run that readers see."""

from __future__ import annotations

from pathlib import Path

from pipeline.publish.manifest import make_manifest, utc_now
from pipeline.publish.release import release
from pipeline.workflow import load_plan, published_files, run_id


def main(config_path: Path, build_dir: Path, *, threads: int = 1) -> None:
    """Publish under ``results/<territory>`` of the working folder; see ``release.py``."""
    plan = load_plan(config_path)._replace(build=build_dir)
    files = {name: build_dir / name for name in published_files(plan)}
    run = run_id(plan)
    release(files, plan.results, run, lambda digests: make_manifest(plan, run, files, digests, utc_now()))
