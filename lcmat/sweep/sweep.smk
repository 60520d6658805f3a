# Jobs of a sweep: notebooks, and batches of runs without Jupyter. Each calls lcmat, which writes records of its own, and
# leaves a mark when it is through: Snakemake removes what a failed job made, and a batch that was killed made good records.
# The plan, a JSON file that `lcmat sweep` wrote where the marks go, supplies them. No folder is named here, because
# Snakemake reads braces, colons and asterisks in a path as its own.
import json
import sys

with open("plan.json", encoding="utf-8") as file:
    JOBS = json.load(file)


localrules:
    all,


rule all:
    input:
        [f"{name}.done" for name in JOBS],


rule job:
    output:
        touch("{name}.done"),
    params:
        python=sys.executable,
        arguments=lambda wildcards: JOBS[wildcards.name]["arguments"],
        log=lambda wildcards: JOBS[wildcards.name]["log"],
    shell:
        "{params.python:q} -m lcmat.cli {params.arguments:q} > {params.log:q} 2>&1"
