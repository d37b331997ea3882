# What the reception of one DTT channel allows to devices around it, for all device geometries.
rule protect:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        heights=build_files(*run_files.height_files(PLAN)),
        coverage=build_files(*run_files.coverage_files(PLAN, "{channel}")),
    output:
        derived.output_files(PLAN, "protect"),
    log:
        derived.log_file(PLAN, "protect"),
    benchmark:
        derived.benchmark_file(PLAN, "protect")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("protect")
    resources:
        mem_mb=MEMORY_MB,
    params:
        **params_of("protect"),
    shell:
        derived.shell_line("protect")
