# Radial sweeps of the masts in one terrain tile.
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


# Losses from the masts in one tile; without outputs, as the next one, for models that have no tables.
rule losses:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
    output:
        derived.output_files(PLAN, "losses"),
    log:
        derived.log_file(PLAN, "losses"),
    benchmark:
        derived.benchmark_file(PLAN, "losses")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("losses")
    params:
        **params_of("losses"),
    shell:
        derived.shell_line("losses")


# Heights of devices over their surroundings; without a terrain model the rule has no outputs: nothing asks for it.
rule heights:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
    output:
        derived.output_files(PLAN, "heights"),
    log:
        derived.log_file(PLAN, "heights"),
    benchmark:
        derived.benchmark_file(PLAN, "heights")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("heights")
    params:
        **params_of("heights"),
    shell:
        derived.shell_line("heights")
