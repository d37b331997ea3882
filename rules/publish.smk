# Published layers of one DTT channel's reception, then the run as a whole. Nothing under results/ but the stamp
# is an output of a rule: readers' files are never modified or removed by Snakemake.
rule reception:
    input:
        coverage=build_files(*run_files.coverage_files("{channel}")),
    output:
        build_files(*run_files.internal_files_of_channel("{channel}")),
    log:
        f"{LOGS}/reception/ch{{channel}}.log",
    benchmark:
        f"{BENCHMARKS}/reception/ch{{channel}}.tsv"
    conda:
        "../envs/pipeline.yaml"
    params:
        config=config_file,
        settings=SETTINGS["reception"],
        code=CODE["reception"],
        build=build_folder,
    shell:
        "python -m pipeline reception --config {params.config} --build {params.build}"
        " --channel {wildcards.channel} 2> >(tee {log} >&2) && echo 'done: layers of channel {wildcards.channel}'"


# All channels of one device in small blocks, for point queries.
rule query:
    input:
        limits=lambda wildcards: build_files(
            *run_files.max_eirp_files(PLAN, wildcards.device)
        ),
    output:
        build_files(run_files.query_file("{device}")),
    log:
        f"{LOGS}/query/{{device}}.log",
    benchmark:
        f"{BENCHMARKS}/query/{{device}}.tsv"
    conda:
        "../envs/pipeline.yaml"
    params:
        config=config_file,
        settings=SETTINGS["query"],
        code=CODE["query"],
        build=build_folder,
    shell:
        "python -m pipeline query-raster --config {params.config} --build {params.build}"
        " --device {wildcards.device} 2> >(tee {log} >&2) && echo 'done: query raster of {wildcards.device}'"


rule publish:
    input:
        files=build_files(*run_files.published_files(PLAN)),
    output:
        f"{RESULTS}/.published",
    log:
        f"{LOGS}/publish.log",
    benchmark:
        f"{BENCHMARKS}/publish.tsv"
    conda:
        "../envs/pipeline.yaml"
    params:
        config=config_file,
        run=dependencies.run_id(PLAN),
        build=build_folder,
    shell:
        "python -m pipeline publish --config {params.config} --build {params.build}"
        " 2> >(tee {log} >&2) && echo 'done: publish'"
