# Styles beside all rasters, projects and their vector layers, for QGIS.
rule qgis:
    input:
        layers=build_files(*run_files.qgis_sources(PLAN)),
    output:
        build_files(*run_files.qgis_files(PLAN)),
    log:
        f"{LOGS}/qgis.log",
    benchmark:
        f"{BENCHMARKS}/qgis.tsv"
    conda:
        "../envs/pipeline.yaml"
    params:
        config=config_file,
        settings=SETTINGS["qgis"],
        rows=dependencies.rows_of_register(PLAN),
        code=CODE["qgis"],
        build=build_folder,
    shell:
        "python -m pipeline qgis --config {params.config} --build {params.build}"
        " 2> >(tee {log} >&2) && echo 'done: styles and projects for QGIS'"
