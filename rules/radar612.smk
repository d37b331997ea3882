# Oceanographic radars: distances of Resolution 612 around candidate sites, zones of registered ones.
rule radar612:
    input:
        territory=build_files("territory/surface.tif"),
    output:
        build_files(*run_files.coordination_files(PLAN, "radar612")),
    log:
        f"{LOGS}/radar612.log",
    benchmark:
        f"{BENCHMARKS}/radar612.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: workflow.cores
    params:
        config=config_file,
        settings=SETTINGS["radar612"],
        code=CODE["radar612"],
        build=build_folder,
    shell:
        "python -m pipeline radar612-maps --config {params.config} --build {params.build}"
        " --threads {threads} 2> >(tee {log} >&2) && echo 'done: oceanographic radars'"
