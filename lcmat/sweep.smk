# One rule whose output is the record; the plan, a JSON file written by `lcmat sweep`, supplies the targets.
import json
import sys

with open(config["plan"]) as file:
    PLAN = json.load(file)


rule all:
    input:
        list(PLAN["words"]),


rule run:
    output:
        # update: a record that another process has completed meanwhile must not be removed before the job looks for it.
        update(PLAN["records"] + "/{experiment}/{dataset}/{key}.json"),
    log:
        PLAN["runs"] + "/{experiment}/{dataset}/{key}.out",
    params:
        python=sys.executable,
        words=lambda wildcards, output: PLAN["words"][output[0]],
    shell:
        "{params.python:q} -m lcmat.cli run {wildcards.experiment} {params.words:q} > {log:q} 2>&1"
