# Fixed links: budgets of interference; no grid.
rule f1565:
    output:
        derived.output_files(PLAN, "f1565"),
    log:
        derived.log_file(PLAN, "f1565"),
    benchmark:
        derived.benchmark_file(PLAN, "f1565")
    conda:
        "../envs/pipeline.yaml"
    threads: threads_of("f1565")
    params:
        **params_of("f1565"),
    shell:
        derived.shell_line("f1565")
