# Availability classes, channel counts and statistics of all devices.
rule availability:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        limits=channel_files(
            run_files.public_files_of_channel(PLAN, "{channel}"), PLAN.wsd
        ),
    output:
        build_files(*run_files.public_files_of_devices(PLAN)),
    log:
        f"{LOGS}/availability.log",
    benchmark:
        f"{BENCHMARKS}/availability.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: workflow.cores
    params:
        config=config_file,
        settings=SETTINGS["availability"],
        code=CODE["availability"],
        build=build_folder,
    shell:
        "python -m pipeline availability --config {params.config} --build {params.build}"
        " --threads {threads} 2> >(tee {log} >&2) && echo 'done: availability and statistics'"


# Statistics by region; without regions the rule has no outputs: nothing asks for it.
rule regions:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        counts=build_files(*run_files.count_files(PLAN)),
    output:
        build_files(*run_files.region_files(PLAN)),
    log:
        f"{LOGS}/regions.log",
    benchmark:
        f"{BENCHMARKS}/regions.tsv"
    conda:
        "../envs/pipeline.yaml"
    params:
        config=config_file,
        settings=SETTINGS["regions"],
        code=CODE["regions"],
        build=build_folder,
    shell:
        "python -m pipeline region-statistics --config {params.config} --build {params.build}"
        " 2> >(tee {log} >&2) && echo 'done: statistics by region'"
