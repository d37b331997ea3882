# Radial sweeps of the masts in one 1-degree square.
rule terrain:
    input:
        territory=build_files(*run_files.territory_files(PLAN)),
    output:
        f"{BUILD}/terrain/{{tile}}.npz",
    log:
        f"{LOGS}/terrain/{{tile}}.log",
    benchmark:
        f"{BENCHMARKS}/terrain/{{tile}}.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: threads_per_job(workflow.cores, len(PLAN.tiles))
    params:
        config=config_file,
        settings=SETTINGS["terrain"],
        rows=lambda wildcards: dependencies.rows_of_tile(PLAN, wildcards.tile),
        code=CODE["terrain"],
        build=build_folder,
    shell:
        "python -m pipeline terrain --config {params.config} --build {params.build}"
        " --tile {wildcards.tile} --threads {threads} 2> >(tee {log} >&2) && echo 'done: terrain {wildcards.tile}'"
