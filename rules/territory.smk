# The padded grid with its masks: land and sea, countries, coast, population.
rule territory:
    output:
        derived.output_files(PLAN, "territory"),
    log:
        derived.log_file(PLAN, "territory"),
    benchmark:
        derived.benchmark_file(PLAN, "territory")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("territory")
    params:
        **params_of("territory"),
    shell:
        derived.shell_line("territory")
