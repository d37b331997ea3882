# STAC collection and items of the public layers.
rule stac:
    input:
        layers=build_files(*run_files.stac_sources(PLAN)),
    output:
        derived.output_files(PLAN, "stac"),
    log:
        derived.log_file(PLAN, "stac"),
    benchmark:
        derived.benchmark_file(PLAN, "stac")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("stac")
    params:
        **params_of("stac"),
    shell:
        derived.shell_line("stac")
