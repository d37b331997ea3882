# The jobs of one territory: snakemake --config territory=configs/slovenia.yaml (or `make maps`, which also
# checks the input first). What a job depends on is decided in pipeline/plan/dependencies.py.
from snakemake.utils import min_version

min_version("9.0")


include: "rules/common.smk"
include: "rules/territory.smk"
include: "rules/terrain.smk"
include: "rules/coverage.smk"
include: "rules/protect.smk"
include: "rules/combine.smk"
include: "rules/availability.smk"
include: "rules/allotments.smk"
include: "rules/web.smk"
include: "rules/qgis.smk"
include: "rules/stac.smk"
include: "rules/rr941.smk"
include: "rules/radar612.smk"
include: "rules/f1565.smk"
include: "rules/publish.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        f"{RESULTS}/.published",
