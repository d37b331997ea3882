# Satellite networks: delta-T/T between two geostationary ones, and a non-geostationary one against a large
# earth station. A rule whose section is absent from the configuration has no outputs: nothing asks for it.
rule rr941:
    input:
        territory=build_files("territory/surface.tif"),
    output:
        build_files(*run_files.coordination_files(PLAN, "rr941")),
    log:
        f"{LOGS}/rr941.log",
    benchmark:
        f"{BENCHMARKS}/rr941.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: workflow.cores
    params:
        config=config_file,
        settings=SETTINGS["rr941"],
        code=CODE["rr941"],
        build=build_folder,
    shell:
        "python -m pipeline rr941-maps --config {params.config} --build {params.build}"
        " --threads {threads} 2> >(tee {log} >&2) && echo 'done: RR No. 9.41'"


rule rr97ab:
    input:
        territory=build_files("territory/surface.tif"),
    output:
        build_files(*run_files.coordination_files(PLAN, "rr97ab")),
    log:
        f"{LOGS}/rr97ab.log",
    benchmark:
        f"{BENCHMARKS}/rr97ab.tsv"
    conda:
        "../envs/pipeline.yaml"
    threads: workflow.cores
    params:
        config=config_file,
        settings=SETTINGS["rr97ab"],
        code=CODE["rr97ab"],
        build=build_folder,
    shell:
        "python -m pipeline rr97ab-maps --config {params.config} --build {params.build}"
        " --threads {threads} 2> >(tee {log} >&2) && echo 'done: RR Nos. 9.7A and 9.7B'"
