# The padded grid with its masks: land and sea, countries, coast, population.
rule territory:
    output:
        build_files(*run_files.territory_files(PLAN)),
    log:
        f"{LOGS}/territory.log",
    benchmark:
        f"{BENCHMARKS}/territory.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: workflow.cores
    params:
        config=config_file,
        settings=SETTINGS["territory"],
        rows=dependencies.rows_of_territory(PLAN),
        code=CODE["territory"],
        build=build_folder,
    shell:
        "python -m pipeline territory --config {params.config} --build {params.build}"
        " --threads {threads} 2> >(tee {log} >&2) && echo 'done: territory'"
