# Notebooks, whose output is the record, and batches, which write records of their own and leave a mark when they are
# through. The plan, a JSON file written by `lcmat sweep`, supplies the targets.
import json
import sys

with open(config["plan"]) as file:
    PLAN = json.load(file)


localrules:
    all,


rule all:
    input:
        list(PLAN["notebooks"]),
        [f"{PLAN['folder']}/{name}.done" for name in PLAN["batches"]],


rule notebook:
    output:
        # update: a record that another process has completed meanwhile must not be removed before the job looks for it.
        update(PLAN["records"] + "/{experiment}/{dataset}/{key}.json"),
    log:
        PLAN["runs"] + "/{experiment}/{dataset}/{key}.out",
    params:
        python=sys.executable,
        arguments=lambda wildcards, output: PLAN["notebooks"][output[0]],
    shell:
        "{params.python:q} -m lcmat.cli run {wildcards.experiment} {params.arguments:q} > {log:q} 2>&1"


rule batch:
    output:
        # Not the records: Snakemake removes what a failed job made, and a batch that was killed made good records.
        touch(PLAN["folder"] + "/{name}.done"),
    log:
        PLAN["folder"] + "/{name}.out",
    params:
        python=sys.executable,
        batch=PLAN["folder"] + "/{name}.json",
    shell:
        "{params.python:q} -m lcmat.cli batch {params.batch:q} > {log:q} 2>&1"
