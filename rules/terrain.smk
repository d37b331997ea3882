# Radial sweeps of the masts in one 1-degree square.
rule terrain:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
    output:
        derived.output_files(PLAN, "terrain"),
    log:
        derived.log_file(PLAN, "terrain"),
    benchmark:
        derived.benchmark_file(PLAN, "terrain")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("terrain")
    params:
        **params_of("terrain"),
    shell:
        derived.shell_line("terrain")
