# Maximum e.i.r.p. of every device in one channel, or one bond of channels: minimum over victims, services and
# caps. A rule for each number of channels that devices use as one: what it writes are their layers.
for BOND in sorted({device.bond for device in PLAN.config.devices}):

    rule:
        name:
            "combine" if BOND == 1 else f"combine_bonds_of_{BOND}"
        input:
            territory=build_files(*run_files.territory_files(PLAN)),
            protection=lambda wildcards: channel_files(
                run_files.protection_files(PLAN, "{channel}"),
                victims_of(PLAN, channel_named(wildcards.channel)),
            ),
        output:
            derived.output_files(with_bond(PLAN, BOND), "combine"),
        log:
            derived.log_file(PLAN, "combine"),
        benchmark:
            derived.benchmark_file(PLAN, "combine")
        wildcard_constraints:
            channel=r"\d{2}" if BOND == 1 else r"\d{2}-\d{2}",
        conda:
            "../envs/pipeline.yaml"
        threads: threads_of("combine")
        params:
            **params_of("combine"),
        shell:
            derived.shell_line("combine")
