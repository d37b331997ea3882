# Wanted coverage of one DTT channel.
rule coverage:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        terrain=lambda wildcards: build_files(
            *run_files.terrain_files(PLAN, int(wildcards.channel))
        ),
    output:
        derived.output_files(PLAN, "coverage"),
    log:
        derived.log_file(PLAN, "coverage"),
    benchmark:
        derived.benchmark_file(PLAN, "coverage")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("coverage")
    params:
        **params_of("coverage"),
    shell:
        derived.shell_line("coverage")
