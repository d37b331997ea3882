# What the reception of one DTT channel allows to devices around it, for all device geometries.
rule protect:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        coverage=build_files(*run_files.coverage_files("{channel}")),
    output:
        build_files(*run_files.protection_files(PLAN, "{channel}")),
    log:
        f"{LOGS}/protect/ch{{channel}}.log",
    benchmark:
        f"{BENCHMARKS}/protect/ch{{channel}}.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: threads_per_job(workflow.cores, len(PLAN.victims))
    params:
        config=config_file,
        settings=SETTINGS["protect"],
        code=CODE["protect"],
        build=build_folder,
    shell:
        "python -m pipeline protect --config {params.config} --build {params.build}"
        " --channel {wildcards.channel} --threads {threads} 2> >(tee {log} >&2)"
        " && echo 'done: protection of channel {wildcards.channel}'"
