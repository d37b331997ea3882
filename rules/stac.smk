# STAC collection and items of the public layers.
rule stac:
    input:
        layers=build_files(*run_files.stac_sources(PLAN)),
    output:
        build_files(*run_files.stac_files(PLAN)),
    log:
        f"{LOGS}/stac.log",
    benchmark:
        f"{BENCHMARKS}/stac.tsv"
    conda:
        "../envs/pipeline.yaml"
    params:
        config=config_file,
        settings=SETTINGS["stac"],
        code=CODE["stac"],
        build=build_folder,
    shell:
        "python -m pipeline stac --config {params.config} --build {params.build}"
        " 2> >(tee {log} >&2) && echo 'done: STAC'"
