# The web map: pictures and numbers of the published layers, in a folder for any file server.
rule web:
    input:
        layers=build_files(*run_files.web_sources(PLAN)),
    output:
        build_files(*run_files.web_files(PLAN)),
    log:
        f"{LOGS}/web.log",
    benchmark:
        f"{BENCHMARKS}/web.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: workflow.cores
    params:
        config=config_file,
        settings=SETTINGS["web"],
        code=CODE["web"],
        build=build_folder,
    shell:
        "python -m pipeline web --config {params.config} --build {params.build}"
        " --threads {threads} 2> >(tee {log} >&2) && echo 'done: web map'"
