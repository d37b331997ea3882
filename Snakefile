# The jobs of one territory: snakemake --config territory=configs/slovenia.yaml (or `make maps`, which also
# checks the input first).
include: "rules/workflow.smk"


# Snakemake takes no default from a file that is included.
workflow.default_target = "all"
