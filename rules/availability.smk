# Availability classes, channel counts and statistics of all devices.
rule availability:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        limits=build_files(*run_files.limit_files(PLAN)),
        layers=build_files(*run_files.written_by(PLAN, "combine")),
    output:
        derived.output_files(PLAN, "availability"),
    log:
        derived.log_file(PLAN, "availability"),
    benchmark:
        derived.benchmark_file(PLAN, "availability")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("availability")
    params:
        **params_of("availability"),
    shell:
        derived.shell_line("availability")


# Statistics by region; without regions the rule has no outputs: nothing asks for it.
rule regions:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        counts=build_files(*run_files.count_files(PLAN)),
    output:
        derived.output_files(PLAN, "regions"),
    log:
        derived.log_file(PLAN, "regions"),
    benchmark:
        derived.benchmark_file(PLAN, "regions")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("regions")
    params:
        **params_of("regions"),
    shell:
        derived.shell_line("regions")


# Paths of devices over terrain at sampled pixels; unless they are to be checked the rule has no outputs.
rule wsd_terrain:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        heights=build_files(*run_files.height_files(PLAN)),
        coverage=channel_files(
            run_files.coverage_files(PLAN, "{channel}"), PLAN.victims
        ),
        protection=channel_files(
            run_files.protection_files(PLAN, "{channel}"), PLAN.victims
        ),
    output:
        derived.output_files(PLAN, "wsd_terrain"),
    log:
        derived.log_file(PLAN, "wsd_terrain"),
    benchmark:
        derived.benchmark_file(PLAN, "wsd_terrain")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("wsd_terrain")
    params:
        **params_of("wsd_terrain"),
    shell:
        derived.shell_line("wsd_terrain")


# What each cautious choice costs in channels, and by which rule channels are lost: from the stored maps.
rule choices:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        protection=channel_files(
            run_files.protection_files(PLAN, "{channel}"), PLAN.victims
        ),
    output:
        derived.output_files(PLAN, "choices"),
    log:
        derived.log_file(PLAN, "choices"),
    benchmark:
        derived.benchmark_file(PLAN, "choices")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("choices")
    params:
        **params_of("choices"),
    shell:
        derived.shell_line("choices")
