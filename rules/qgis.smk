# Styles beside all rasters, projects and their vector layers, for QGIS.
rule qgis:
    input:
        layers=build_files(*run_files.qgis_sources(PLAN)),
    output:
        derived.output_files(PLAN, "qgis"),
    log:
        derived.log_file(PLAN, "qgis"),
    benchmark:
        derived.benchmark_file(PLAN, "qgis")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("qgis")
    params:
        **params_of("qgis"),
    shell:
        derived.shell_line("qgis")
