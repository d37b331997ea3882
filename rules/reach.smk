# How far permitted base stations would reach; unless the territory file asks for it the rule has no outputs.
rule reach:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        limits=build_files(*run_files.reach_sources(PLAN)),
    output:
        derived.output_files(PLAN, "reach"),
    log:
        derived.log_file(PLAN, "reach"),
    benchmark:
        derived.benchmark_file(PLAN, "reach")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("reach")
    params:
        **params_of("reach"),
    shell:
        derived.shell_line("reach")
