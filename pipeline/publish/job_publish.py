"""Job publish: the finished layers of build/ become the run that readers see."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.config.config import Config
from pipeline.errors import refused_by_machine
from pipeline.plan.dependencies import run_id
from pipeline.plan.digests import check_records
from pipeline.plan.plan import plan_of
from pipeline.plan.plausibility import table_lines
from pipeline.plan.run_files import published_files
from pipeline.publish.disclosure import public_facts
from pipeline.publish.manifest import output_entries, run_facts, utc_now
from pipeline.publish.release import INTERNAL_REPORT, REPORT, release
from pipeline.publish.report.report import write_reports
from pipeline.publish.unchanged_inputs import check_unchanged

# Where the workflow leaves the times of its jobs, by territory.
_BENCHMARKS = Path("benchmarks")


def main(config: Config, build: Path, *, threads: int) -> None:
    """Publish under ``results/<territory>`` of the working folder; see ``release.py``.

    InputError if inputs have changed meanwhile, if a file is not what its job wrote, or if a disk takes no
    more: nothing is published then.
    """
    plan = plan_of(config)._replace(build=build)
    files = {name: build / name for name in published_files(plan)}
    check_records(plan, files)
    run = run_id(plan)
    facts = run_facts(plan, run, files, utc_now())
    print(*table_lines(facts["plausibility"]), sep="\n", file=sys.stderr)
    reports = {build / REPORT: public_facts(facts), build / INTERNAL_REPORT: facts}

    def describe(digests: dict[str, str]) -> dict[str, object]:
        return {**facts, "outputs": output_entries(files, digests)}

    try:
        written = write_reports(reports, plan, _BENCHMARKS / plan.config.name)
        files |= {path.relative_to(build).as_posix(): path for path in written}
        check_unchanged(build, plan.config_path, config)
        release(files, plan.results, run, describe, public_facts)
    except OSError as error:
        raise refused_by_machine(error, plan.results, "nothing is published") from error
