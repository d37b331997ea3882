# Satellite networks: delta-T/T between two geostationary ones, and a non-geostationary one against a large
# earth station. A rule whose section is absent from the configuration has no outputs: nothing asks for it.
rule rr941:
    input:
        territory=build_files("territory/surface.tif"),
    output:
        derived.output_files(PLAN, "rr941"),
    log:
        derived.log_file(PLAN, "rr941"),
    benchmark:
        derived.benchmark_file(PLAN, "rr941")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("rr941")
    params:
        **params_of("rr941"),
    shell:
        derived.shell_line("rr941")


rule rr97ab:
    input:
        territory=build_files("territory/surface.tif"),
    output:
        derived.output_files(PLAN, "rr97ab"),
    log:
        derived.log_file(PLAN, "rr97ab"),
    benchmark:
        derived.benchmark_file(PLAN, "rr97ab")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("rr97ab")
    params:
        **params_of("rr97ab"),
    shell:
        derived.shell_line("rr97ab")
