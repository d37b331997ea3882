# Where one channel is worth using.
rule worthwhile:
    input:
        limits=build_files(
            *run_files.written_by(PLAN, "combine", channel="{channel}")
        ),
    output:
        derived.output_files(PLAN, "worthwhile"),
    log:
        derived.log_file(PLAN, "worthwhile"),
    benchmark:
        derived.benchmark_file(PLAN, "worthwhile")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("worthwhile")
    params:
        **params_of("worthwhile"),
    shell:
        derived.shell_line("worthwhile")
