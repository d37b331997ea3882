# Fixed links: budgets of interference; no grid.
rule f1565:
    output:
        build_files(*run_files.coordination_files(PLAN, "f1565")),
    log:
        f"{LOGS}/f1565.log",
    benchmark:
        f"{BENCHMARKS}/f1565.tsv"
    conda:
        "../envs/pipeline.yaml"
    params:
        config=config_file,
        settings=SETTINGS["f1565"],
        code=CODE["f1565"],
        build=build_folder,
    shell:
        "python -m pipeline f1565-budgets --config {params.config} --build {params.build}"
        " 2> >(tee {log} >&2) && echo 'done: budgets of fixed links'"
