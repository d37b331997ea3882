# Blocks of a band that are unused in a region; without a table the rule has no outputs: nothing asks for it.
rule allotments:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
    output:
        derived.output_files(PLAN, "allotments"),
    log:
        derived.log_file(PLAN, "allotments"),
    benchmark:
        derived.benchmark_file(PLAN, "allotments")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("allotments")
    params:
        **params_of("allotments"),
    shell:
        derived.shell_line("allotments")
