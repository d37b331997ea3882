# Maximum e.i.r.p. of every device in one channel: minimum over victims, services and caps.
rule combine:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
        protection=lambda wildcards: channel_files(
            run_files.protection_files(PLAN, "{channel}"),
            victims_of(PLAN, int(wildcards.channel)),
        ),
    output:
        build_files(*run_files.public_files_of_channel(PLAN, "{channel}")),
    log:
        f"{LOGS}/combine/ch{{channel}}.log",
    benchmark:
        f"{BENCHMARKS}/combine/ch{{channel}}.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: threads_per_job(workflow.cores, len(PLAN.wsd))
    params:
        config=config_file,
        settings=SETTINGS["combine"],
        rows=dependencies.rows_of_neighbours(PLAN),
        bookings=lambda wildcards: dependencies.pmse_rows_of_channel(
            PLAN, int(wildcards.channel)
        ),
        code=CODE["combine"],
        build=build_folder,
    shell:
        "python -m pipeline combine --config {params.config} --build {params.build}"
        " --channel {wildcards.channel} --threads {threads} 2> >(tee {log} >&2)"
        " && echo 'done: maximum e.i.r.p. in channel {wildcards.channel}'"
