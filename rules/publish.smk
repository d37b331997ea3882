# Published layers on the reception of all DTT channels, then the run as a whole. Nothing under results/ but the
# stamp is an output of a rule: readers' files are never modified or removed by Snakemake.
rule reception:
    input:
        coverage=channel_files(
            run_files.coverage_files(PLAN, "{channel}"), PLAN.victims
        ),
        losses=build_files(*run_files.all_loss_files(PLAN)),
    output:
        derived.output_files(PLAN, "reception"),
    log:
        derived.log_file(PLAN, "reception"),
    benchmark:
        derived.benchmark_file(PLAN, "reception")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("reception")
    params:
        **params_of("reception"),
    shell:
        derived.shell_line("reception")


# All channels of one device in small blocks, for point queries.
rule query:
    input:
        limits=lambda wildcards: build_files(
            *run_files.max_eirp_files(PLAN, wildcards.device),
            *run_files.booked_files(PLAN, wildcards.device),
        ),
    output:
        derived.output_files(PLAN, "query"),
    log:
        derived.log_file(PLAN, "query"),
    benchmark:
        derived.benchmark_file(PLAN, "query")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("query")
    params:
        **params_of("query"),
    shell:
        derived.shell_line("query")


rule publish:
    input:
        files=build_files(*run_files.published_files(PLAN)),
    output:
        f"{RESULTS}/.published",
    log:
        derived.log_file(PLAN, "publish"),
    benchmark:
        derived.benchmark_file(PLAN, "publish")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("publish")
    params:
        **params_of("publish"),
    shell:
        derived.shell_line("publish")
