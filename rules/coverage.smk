# Wanted coverage of one DTT channel.
rule coverage:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        terrain=lambda wildcards: build_files(
            *run_files.terrain_files(PLAN, int(wildcards.channel))
        ),
    output:
        build_files(*run_files.coverage_files("{channel}")),
    log:
        f"{LOGS}/coverage/ch{{channel}}.log",
    benchmark:
        f"{BENCHMARKS}/coverage/ch{{channel}}.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: threads_per_job(workflow.cores, len(PLAN.victims))
    params:
        config=config_file,
        settings=SETTINGS["coverage"],
        rows=lambda wildcards: dependencies.rows_of_channel(
            PLAN, int(wildcards.channel)
        ),
        code=CODE["coverage"],
        build=build_folder,
    shell:
        "python -m pipeline coverage --config {params.config} --build {params.build}"
        " --channel {wildcards.channel} --threads {threads} 2> >(tee {log} >&2)"
        " && echo 'done: coverage of channel {wildcards.channel}'"
