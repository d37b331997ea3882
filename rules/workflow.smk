# The jobs of one territory. What a job depends on is decided in pipeline/plan/dependencies.py. `channelmaps run`
# starts this file, which a wheel carries, too.
from snakemake.utils import min_version

min_version("9.0")


include: "common.smk"
include: "territory.smk"
include: "terrain.smk"
include: "coverage.smk"
include: "protect.smk"
include: "combine.smk"
include: "availability.smk"
include: "allotments.smk"
include: "reach.smk"
include: "web.smk"
include: "qgis.smk"
include: "stac.smk"
include: "rr941.smk"
include: "radar612.smk"
include: "f1565.smk"
include: "publish.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        f"{RESULTS}/.published",
