# Paths, channel lists and what the rules share. A rule has the name of its job in pipeline/plan/jobs.py; what is
# derived from the job's row comes from pipeline/plan/rules.py.
import shlex
import sys
from pathlib import Path

from pipeline.config.bonds import channel_named
from pipeline.plan import run_files, rules as derived
from pipeline.plan.plan import load_plan, victims_of, with_bond
from pipeline.plan.run_job import MEMORY_GIB

# `python` in the rules is the interpreter that runs Snakemake, here and on every node of a cluster. A run starts it
# some hundred times: it keeps the modules that it compiled, also where the environment says not to.
shell.prefix(
    "set -euo pipefail; unset PYTHONDONTWRITEBYTECODE; "
    f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
)

PLAN = load_plan(config.get("territory", "configs/slovenia.yaml"))
# What a job may use whose need depends on how it is cut: tiles are as large as fits.
MEMORY_MB = int(1024 * float(config.get("memory_gib", MEMORY_GIB)))
BUILD, RESULTS = PLAN.build.as_posix(), PLAN.results.as_posix()


wildcard_constraints:
    channel=r"\d{2}",
    tile=r"[ns]\d{2}[ew]\d{3}",
    device=r"[a-z0-9][a-z0-9_-]*",


# Of `output` as well, though they do not use it: a param that Snakemake takes for derived is not compared with
# that of the last run. What counts is the content of a territory file, not its name (`settings`).
def config_file(wildcards, output):
    """The territory file."""
    return PLAN.config_path.as_posix()


def build_folder(wildcards, output):
    """The territory's build folder; the jobs find their files in it by name."""
    return BUILD


def params_of(job):
    """Territory file, build folder, and hashes of what a job depends on besides earlier jobs."""
    return {
        "config": config_file,
        "build": build_folder,
        **derived.rule_params(PLAN, job),
    }


def threads_of(job):
    """Threads of one job of a rule; where others start the jobs one, unless the profile says more."""
    return derived.rule_threads(PLAN, job, workflow.resource_settings.cores)


def build_files(*names):
    """Paths of files of the territory's build folder."""
    return [f"{BUILD}/{name}" for name in names]


def channel_files(patterns, channels):
    """Paths of patterns with `{channel}` for all channels."""
    return expand(
        build_files(*patterns), channel=[run_files.two_digits(c) for c in channels]
    )
