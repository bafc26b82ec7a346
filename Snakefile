# Papers x runs x seeds, on one machine or on a SLURM cluster; each job is one seed of one run file.
#
#   make runs PAPERS=cps BUDGET=smoke
#   make runs PROFILE=slurm PAPERS=cps RUNS=voc_1_8_r50 GPUS=4
#
# or, with more of Snakemake's options: snakemake --profile profiles/slurm --config papers=cps runs=voc_1_8_r50 gpus=4.
# Finished cells are never computed again: stop it at will, the same command goes on. See labelkit/workflow.py, and
# labelkit/kubernetes_jobs.py for Kubernetes.
from labelkit import workflow as labelkit_runs

GPUS, NODES = int(config.get("gpus", 0)), int(config.get("nodes", 1))
RUNS = {(run.paper, run.name): run for run in labelkit_runs.chosen(config)}
DONE = "build/workflow/{paper}/{run}"


def call(wildcards):
    run = RUNS[wildcards.paper, wildcards.run]
    return labelkit_runs.command(run, wildcards.seed, GPUS, NODES, config.get("python", "python"))


def seeds(wildcards):
    run = RUNS[wildcards.paper, wildcards.run]
    return [f"{DONE}/seed-{seed}.done".format(**wildcards) for seed in run.seeds]


# GPUs are asked for by node. Snakemake would ask for as many tasks a GPU as there are tasks, if it were not told 0.
JOB = {"gres": f"gpu:{GPUS}", "tasks_per_gpu": 0} if GPUS else {}
JOB |= {"nodes": NODES, "tasks": NODES, "mpi": "srun"} if NODES > 1 else {}


rule all:
    input:
        [f"{DONE}/all.done".format(paper=paper, run=run) for paper, run in RUNS],


rule seed:
    output:
        touch(f"{DONE}/seed-{{seed}}.done"),
    params:
        call=call,
    threads: max(1, 8 * GPUS)
    retries: labelkit_runs.RESTARTS if GPUS else 0
    resources:
        **JOB,
    shell:
        "{params.call}"


# The records of lessons belong to the execution of their chapters (make lesson); those of full runs are collected here.
rule collect:
    input:
        seeds,
    output:
        touch(f"{DONE}/all.done"),
    params:
        call=lambda wildcards: (
            f"{config.get('python', 'python')} -m labelkit.cli collect data/runs/{wildcards.paper}/{wildcards.run}.yaml"
            if RUNS[wildcards.paper, wildcards.run].budget == "full"
            else "true"
        ),
    localrule: True
    shell:
        "{params.call}"
