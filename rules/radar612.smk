# Oceanographic radars: distances of Resolution 612 around candidate sites, zones of registered ones.
rule radar612:
    input:
        territory=build_files("territory/surface.tif"),
    output:
        derived.output_files(PLAN, "radar612"),
    log:
        derived.log_file(PLAN, "radar612"),
    benchmark:
        derived.benchmark_file(PLAN, "radar612")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("radar612")
    params:
        **params_of("radar612"),
    shell:
        derived.shell_line("radar612")
