# Maximum e.i.r.p. of every device in one channel: minimum over victims, services and caps.
rule combine:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        protection=lambda wildcards: channel_files(
            run_files.protection_files(PLAN, "{channel}"),
            victims_of(PLAN, int(wildcards.channel)),
        ),
    output:
        derived.output_files(PLAN, "combine"),
    log:
        derived.log_file(PLAN, "combine"),
    benchmark:
        derived.benchmark_file(PLAN, "combine")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("combine")
    params:
        **params_of("combine"),
    shell:
        derived.shell_line("combine")
