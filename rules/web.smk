# The web map: pictures and numbers of the published layers, in a folder for any file server.
rule web:
    input:
        layers=build_files(*run_files.web_sources(PLAN)),
    output:
        derived.output_files(PLAN, "web"),
    log:
        derived.log_file(PLAN, "web"),
    benchmark:
        derived.benchmark_file(PLAN, "web")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("web")
    params:
        **params_of("web"),
    shell:
        derived.shell_line("web")
