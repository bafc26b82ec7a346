"""Which runs a cluster is given, and what each of its jobs calls. The Snakefile reads this and holds no logic.

A job is one seed of one run file: papers x runs x seeds. It may have several GPUs, or several nodes of GPUs, and then
starts torchrun, which restarts lost workers; these go on from the last checkpoint. A job that is lost as a whole is
given out again by Snakemake, and goes on in the same way.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.files import write_whole
from labelkit.validated import read_yaml

ROOT = Path(__file__).resolve().parents[1]
RESTARTS = 3
"""Times that torchrun, and after it Snakemake, starts lost work again."""
PORT = 29_500
"""At which the nodes of a job find each other."""
LAST = Path("build") / "workflow" / "last.json"


@dataclass(frozen=True)
class Run:
    """A run file and its seeds."""

    paper: str
    name: str
    budget: str
    seeds: tuple[int, ...]
    path: Path

    @property
    def file(self) -> str:
        """The run file as seen from the root of the repository."""
        return f"data/runs/{self.paper}/{self.name}.yaml"


def chosen(config: Mapping[str, Any], root: Path = ROOT) -> list[Run]:
    """The runs that a configuration asks for.

    Args:
        config: ``papers`` and ``runs``: names with commas between them; all if missing or empty. ``budget``:
            ``smoke``, ``lesson`` or ``full`` (the default); a run that is named is taken whatever its budget is.
        root: of the repository.

    Raises:
        ValueError: a name is unknown, a run file is not readable, or nothing is left; says which.
    """
    papers, names = _names(config.get("papers")), _names(config.get("runs"))
    budget = str(config.get("budget") or "full")
    if budget not in ("smoke", "lesson", "full"):
        raise ValueError(f"budget is {budget!r}; expected smoke, lesson or full")
    files = sorted((root / "data" / "runs").glob("*/*.yaml"))
    _known("papers", papers, {path.parent.name for path in files})
    files = [path for path in files if not papers or path.parent.name in papers]
    _known("runs", names, {path.stem for path in files})
    runs = [_read(path) for path in files if not names or path.stem in names]
    runs = [run for run in runs if names or run.budget == budget]
    if not runs:
        raise ValueError(f"no run file has the budget {budget!r} among {', '.join(papers) or 'all papers'}")
    return runs


def _names(value: Any) -> list[str]:
    return [name.strip() for name in str(value or "").split(",") if name.strip()]


def _known(key: str, names: list[str], there: set[str]) -> None:
    unknown = [name for name in names if name not in there]
    if unknown:
        raise ValueError(f"{key} names {unknown[0]!r}; there are: {', '.join(sorted(there))}")


def _read(path: Path) -> Run:
    values = read_yaml(path)
    seeds = values.get("seeds") if isinstance(values, dict) else None
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise ValueError(f"{path}: key 'seeds' is {seeds!r}; expected a list of numbers")
    return Run(path.parent.name, path.stem, str(values.get("budget")), tuple(seeds), path)


def torchrun(python: str, gpus: int, meeting: str, run: Run, seed: int | str) -> str:
    """The call of torchrun for one node of a job.

    Args:
        python: interpreter that has labelkit.
        gpus: of the node; one process each.
        meeting: how the nodes find each other, as options of torchrun.
        run, seed: what is computed.
    """
    launcher = f"{python} -m torch.distributed.run --nproc-per-node {gpus} --max-restarts {RESTARTS}"
    return f"{launcher} {meeting} -m labelkit.cli run {run.file} --seed {seed}"


def command(run: Run, seed: int | str, gpus: int = 1, nodes: int = 1, python: str = "python") -> str:
    """The shell command of a job.

    Args:
        run: whose cells are computed.
        seed: of these cells.
        gpus: of a node; one process each.
        nodes: of the job; more than one needs SLURM, whose ``srun`` starts torchrun on each of them.
        python: interpreter that has labelkit.

    Raises:
        ValueError: fewer than one node, or several nodes without GPUs.
    """
    if gpus < 0 or nodes < 1 or (nodes > 1 and gpus < 1):
        raise ValueError(
            f"gpus is {gpus} and nodes is {nodes}; expected at least one node, and GPUs if there are several"
        )
    if gpus <= 1 and nodes == 1:
        return f"{python} -m labelkit.cli run {run.file} --seed {seed}"
    if nodes == 1:
        return torchrun(python, gpus, "--standalone", run, seed)
    # The script of a job runs on its first node. Other variables of SLURM do not get through Snakemake.
    meeting = f"--nnodes {nodes} --rdzv-backend c10d --rdzv-id $SLURM_JOB_ID --rdzv-endpoint $(hostname):{PORT}"
    start = f"srun --jobid $SLURM_JOB_ID --nodes {nodes} --ntasks {nodes} --ntasks-per-node 1"
    return f"{start} {torchrun(python, gpus, meeting, run, seed)}"


def settings_of(words: list[str]) -> dict[str, str]:
    """Words such as ``papers=cps`` as a dict.

    Raises:
        ValueError: a word is no key and value.
    """
    for word in words:
        if not word.partition("=")[0].isidentifier() or "=" not in word:
            raise ValueError(f"{word!r} is not a key and a value such as papers=cps")
    return dict(word.split("=", 1) for word in words)


def snakemake(profile: str, words: list[str], root: Path = ROOT) -> int:
    """Give out the jobs by Snakemake, or go on with them. Returns its exit status.

    What was asked for is kept beside the jobs' marks until all of it is done, so that ``make resume`` knows it.

    Args:
        profile: name of a folder in ``profiles``.
        words: of the configuration, such as ``papers=cps``.
        root: of the repository.

    Raises:
        ValueError: there is no such profile, or the configuration is wrong.
    """
    folder = ROOT / "profiles" / profile
    if not folder.is_dir():
        there = ", ".join(sorted(path.name for path in folder.parent.iterdir()))
        raise ValueError(f"there is no profile {profile!r}; there are: {there}")
    chosen(settings_of(words))
    last = root / LAST
    last.parent.mkdir(parents=True, exist_ok=True)
    write_whole(last, lambda path: path.write_text(json.dumps([profile, words])))
    call = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(root)]
    config = ["--config", f"python={sys.executable}", *words]
    subprocess.run([*call, "--unlock", "--cores", "1", *config], check=False, capture_output=True)  # of a killed one
    status = subprocess.run([*call, "--profile", str(folder), *config], check=False).returncode
    if status == 0:
        last.unlink()
    return status


def main(arguments: list[str] | None = None) -> int:
    """Command line: ``python -m labelkit.workflow laptop papers=cps budget=smoke``, or ``resume``."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words == ["resume"]:
            if not (ROOT / LAST).is_file():
                return 0
            profile, words = json.loads((ROOT / LAST).read_text())
        elif words:
            profile, words = words[0], words[1:]
        else:
            raise ValueError("give a profile, such as laptop, and what to run, such as papers=cps")
        return snakemake(profile, words)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
