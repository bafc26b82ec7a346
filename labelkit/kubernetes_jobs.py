"""Job manifests for a Kubernetes cluster.

    python -m labelkit.kubernetes_jobs papers=cps gpus=4 | kubectl apply -f -

Snakemake's own executor for Kubernetes wants an object store and gives every job an empty folder, so that a lost job
would begin anew. Here jobs share this repository on a volume claim: checkpoints and finished cells survive a pod, and
a pod that is started again goes on. A job of several nodes is an indexed one, whose pods meet by torchrun at the first.
Rendering asks no cluster, so it is its own dry run.
"""

import re
import sys
from collections.abc import Mapping
from typing import Any

import yaml

from labelkit.workflow import PORT, RESTARTS, Run, chosen, settings_of, torchrun

GRACE = 120
"""Seconds between SIGTERM, on which a training writes a checkpoint, and the end of a pod."""
DEFAULTS = {
    "papers": "", "runs": "", "budget": "full", "gpus": "1", "nodes": "1", "image": "labelkit:latest",
    "claim": "labelkit", "folder": "/labelkit", "memory": "64Gi",
}  # fmt: skip


def manifests(config: Mapping[str, str]) -> list[dict[str, Any]]:
    """One job for each run and seed, and a service before each job of several nodes.

    Args:
        config: ``papers``, ``runs``, ``budget`` as for :func:`labelkit.workflow.chosen`; ``gpus`` of a node and
            ``nodes`` of a job; ``image`` with Python and the packages; volume ``claim`` that holds the repository, and
            ``folder`` where pods see it; ``memory`` of a pod.

    Raises:
        ValueError: a key, a name or a number is wrong; says which.
    """
    unknown = sorted(set(config) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; expected some of {', '.join(DEFAULTS)}")
    config = DEFAULTS | dict(config)
    gpus, nodes = int(config["gpus"]), int(config["nodes"])
    if gpus < 1 or nodes < 1:
        raise ValueError(f"gpus is {gpus} and nodes is {nodes}; expected at least one of each")
    return [part for run in chosen(config) for seed in run.seeds for part in _job(run, seed, gpus, nodes, config)]


def _job(run: Run, seed: int, gpus: int, nodes: int, config: Mapping[str, str]) -> list[dict[str, Any]]:
    name = re.sub(r"[^a-z0-9-]+", "-", f"labelkit-{run.paper}-{run.name}-s{seed}".lower())[:60].strip("-")
    labels = {"app": "labelkit", "paper": run.paper, "run": run.name, "seed": str(seed)}
    call = f"python -m labelkit.cli run {run.file} --seed {seed}"
    if gpus > 1 or nodes > 1:
        meeting = f"--nnodes {nodes} --rdzv-backend c10d --rdzv-id {name} --rdzv-endpoint {name}-0.{name}:{PORT}"
        call = torchrun("python", gpus, "--standalone" if nodes == 1 else meeting, run, seed)
    container = {
        "name": "labelkit",
        "image": config["image"],
        "command": ["bash", "-c", f"exec {call}"],  # exec: SIGTERM reaches the training
        "workingDir": config["folder"],
        "resources": {"limits": {"nvidia.com/gpu": gpus, "memory": config["memory"]}},
        "volumeMounts": [
            {"name": "repository", "mountPath": config["folder"]},
            {"name": "shared-memory", "mountPath": "/dev/shm"},  # through which loader processes hand batches over
        ],
    }
    pod = {
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": GRACE,
        "containers": [container],
        "volumes": [
            {"name": "repository", "persistentVolumeClaim": {"claimName": config["claim"]}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
        ],
    }
    job = {"backoffLimit": RESTARTS, "template": {"metadata": {"labels": labels | {"job": name}}, "spec": pod}}
    parts = []
    if nodes > 1:
        job |= {"completionMode": "Indexed", "completions": nodes, "parallelism": nodes}
        pod["subdomain"] = name
        parts.append(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "labels": labels},
                "spec": {"clusterIP": "None", "selector": {"job": name}, "publishNotReadyAddresses": True},
            }
        )
    parts.append({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels}, "spec": job})
    return parts


def main(arguments: list[str] | None = None) -> int:
    """Command line: ``key=value`` words. Prints the manifests; returns 0, or 2 if the input is wrong."""
    try:
        found = manifests(settings_of(sys.argv[1:] if arguments is None else arguments))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(yaml.safe_dump_all(found, sort_keys=False), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
