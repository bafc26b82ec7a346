"""The command line: ``labelkit papers | data | weights | run | collect | report | doctor``.

Every error is one sentence on the error stream and a status other than 0; ``--debug`` before the command shows the
traceback.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from labelkit.weights_cli import app as weights_app

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
data_app = typer.Typer(
    no_args_is_help=True, help="Real data sets: what there is, whether a folder is right, how to get them."
)
app.add_typer(data_app, name="data")
app.add_typer(weights_app, name="weights")


def main() -> None:
    """Entry point. Status 0: done; 1: something that was run or checked failed; 2: bad input."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        sys.exit(app(arguments, prog_name="labelkit", standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; finished cells are kept, the same command continues", 130)
    except SystemExit as stop:
        if isinstance(stop.code, int) and stop.code == 143:  # SIGTERM
            _fail(str(stop) if str(stop) != "143" else "stopped; the same command continues", 143)
        raise
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):  # a mistake in the call itself
            error.show()
            sys.exit(error.exit_code)
        if debug:
            raise
        sentence = " ".join(str(error).split()) or type(error).__name__
        _fail(sentence, 1 if type(error).__name__ == "RunFailed" else 2)


def _fail(sentence: str, status: int) -> None:
    print(f"labelkit: {sentence}", file=sys.stderr)
    sys.exit(status)


@app.callback()
def _options(debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False) -> None:
    """Runs and records of the replication book."""


@app.command()
def papers(name: Annotated[str, typer.Argument(help="Show one paper: its claims, runs and arms.")] = "") -> None:
    """List the papers, or show one."""
    from labelkit import runs
    from labelkit.papers import load_paper, load_papers

    if not name:
        for paper in load_papers().values():
            files = sorted(path.stem for path in (runs.ROOT / "data" / "runs" / paper.paper).glob("*.yaml"))
            print(f"{paper.paper:12} {paper.venue:12} {len(paper.claims)} claims, runs: {', '.join(files) or 'none'}")
        return
    paper = load_paper(name)
    print(f"{paper.title} ({', '.join(paper.authors)}; {paper.venue})")
    for claim in paper.claims:
        print(f"  {claim.id:4} {claim.text}")
    if name in runs.papers():
        print(f"  arms: {', '.join(runs.experiment(name).ARMS)}")


@app.command()
def run(
    run_file: Annotated[Path, typer.Argument(help="A file of data/runs, e.g. data/runs/cps/smoke.yaml.")],
    check: Annotated[bool, typer.Option("--check", help="Validate the file and list its cells; run nothing.")] = False,
    results: Annotated[str, typer.Option(help="Folder for the records instead of the run file's.")] = "",
    jobs: Annotated[int, typer.Option(min=0, help="Cells at the same time; 0: as the run file says.")] = 0,
    seed: Annotated[
        list[int] | None, typer.Option(help="Only this seed, or these; all of the run file if none.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try every arm on blank data; say memory, steps and hours.")
    ] = False,
    tflops: Annotated[
        float, typer.Option(min=0.001, help="Of a dry run: TFLOP/s that a GPU sustains, for hours not measured.")
    ] = 100.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Of a dry run: file that takes its numbers.")] = None,
) -> None:
    """Run every cell of a run file that has no record yet. Stop it at will; the same command continues."""
    from labelkit import distributed, runs

    overrides = ({"results": results} if results else {}) | ({"jobs": jobs} if jobs else {})
    overrides |= {"seeds": seed} if seed else {}
    settings = runs.load(run_file, overrides)
    if check:
        count = len(settings.data) * len(settings.arms) * len(settings.seeds)
        print(f"{run_file}: valid, {count} cells of {settings.steps} steps; records go to {runs.folder(settings)}")
        return
    if dry_run:
        _dry_run(settings, tflops, json_file)
        return
    records = runs.execute(settings)
    if distributed.announced()[0]:  # the first of several processes tells
        return
    for record in records:
        for protocol, values in record["metrics"].items():
            numbers = ", ".join(f"{key} {value:.4f}" for key, value in values.items() if isinstance(value, float))
            print(f"{record['arm']:24} {record['data']:10} seed {record['seed']}  {protocol}: {numbers}")
    print(f"{len(records)} records in {runs.folder(settings)}")


def _dry_run(settings: Any, tflops: float, json_file: Path | None) -> None:
    """Rehearse a run and print what it costs; status 1 if an arm fails."""
    import json

    from labelkit.files import write_whole
    from labelkit.rehearsal import rehearse
    from labelkit.rehearsal_report import as_values, table, verdict

    arms = []
    for arm in rehearse(settings):
        print(f"{arm.data} {arm.arm}: {'fails' if arm.problem else 'passes'}", file=sys.stderr)
        arms.append(arm)
        if arm.problem and "--debug" in sys.argv:
            print(arm.trace, file=sys.stderr)
    print("\n".join(table(arms, tflops)))
    print(f"{settings.paper} {settings.run} {verdict(settings, arms, tflops)}")
    if json_file:
        text = json.dumps([as_values(arm, tflops) for arm in arms], indent=1) + "\n"
        write_whole(json_file, lambda path: path.write_text(text, encoding="utf-8"))
    if any(arm.problem for arm in arms):
        raise typer.Exit(1)


@app.command()
def collect(
    run_file: Annotated[Path, typer.Argument(help="A file of data/runs whose cells are all finished.")],
) -> None:
    """Write the records of a finished run into data/results, where verdicts and the book's pages read them."""
    from labelkit import runs
    from labelkit.publish import records

    settings = runs.load(run_file)
    count = records.collect(settings, runs.ROOT)
    print(f"{count} records in {runs.ROOT / 'data' / 'results' / settings.paper / settings.run}.jsonl")


@app.command()
def report() -> None:
    """Print the verdict on every claim from the committed records; ``make book`` makes the pages of them."""
    from labelkit import verdicts
    from labelkit.papers import ROOT, load_papers

    for name, paper in load_papers().items():
        folder = ROOT / "data" / "results" / name
        records = verdicts.load_records(folder) if folder.is_dir() else []
        for data, found in verdicts.judge_paper(paper, records).items():
            for verdict in found:
                effects = "; ".join(f"{effect.name}: {effect.text()}" for effect in verdict.effects)
                print(f"{name:12} {verdict.claim:4} {data:10} {verdict.status:13} {effects or verdict.reason}")
        if not records:
            print(f"{name:12} no records yet: make lesson PAPER={name}")


@app.command()
def doctor() -> None:
    """Say what is missing on this machine and how to get it."""
    from labelkit import doctor as checks

    findings = checks.examine(os.environ.get("LABELKIT_DATA"))
    for finding in findings:
        word = "ok" if finding.ok else "missing" if finding.needed else "absent"
        print(f"{word:7}  {finding.what}: {finding.says}")
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(1)


@data_app.command("list")
def data_list() -> None:
    """The data sets of the papers: what for, licence, size, whether this version reads them."""
    from labelkit.datasets import catalogue

    entries = catalogue.entries()
    widest = max(len(entry.size) for entry in entries)
    for entry in entries:
        reader = "reader" if entry.reader else "no reader yet"
        print(f"{entry.name:16} {entry.size:>{widest}}  {reader:14} {entry.title}. {entry.licence}")


@data_app.command("check")
def data_check(
    name: str, folder: Annotated[Path | None, typer.Argument(help="Default: $LABELKIT_DATA.")] = None
) -> None:
    """Check a data set of the catalogue, or any folder: counts, label ids, sizes, missing pairs, which variant."""
    from labelkit.datasets import catalogue

    found = catalogue.check(name, folder or os.environ.get("LABELKIT_DATA") or None)
    print("\n".join(found.lines))
    if not found.ok:
        raise typer.Exit(1)


@data_app.command("fetch")
def data_fetch(
    name: str, folder: Annotated[Path | None, typer.Argument(help="Default: $LABELKIT_DATA.")] = None
) -> None:
    """Fetch what may be fetched, with checksums; otherwise say what to place where."""
    from labelkit.datasets import catalogue

    print(catalogue.fetch(name, _data_root(folder), progress=True))


@data_app.command("prepare")
def data_prepare(
    name: str, folder: Annotated[Path | None, typer.Argument(help="Default: $LABELKIT_DATA.")] = None
) -> None:
    """Run the conversions that a data set needs, and verify them. Stop it at will; the same command continues."""
    from labelkit.datasets import catalogue

    print("\n".join(catalogue.prepare(name, _data_root(folder))))


@data_app.command("lists")
def data_lists(
    name: str,
    target: Annotated[Path, typer.Argument(help="Folder that receives the lists, mostly the data set's `lists`.")],
    per_class: Annotated[list[int], typer.Option(help="Labelled images of each class; may be given several times.")],
    seed: Annotated[int, typer.Option(help="Of the draw; 0 or above.")] = 0,
    folder: Annotated[Path | None, typer.Option(help="Default: $LABELKIT_DATA.")] = None,
) -> None:
    """Write lists of labelled images of a classification data set, as many of each class."""
    from labelkit.datasets.ilsvrc2012_lists import write_lists
    from labelkit.experiments.data import find

    train = find(name).parts(_data_root(folder))["train"]
    if not hasattr(train, "labels") or not hasattr(train, "names"):
        raise ValueError(f"data {name!r} has no classes of images to list; a classification data set was expected")
    for path in write_lists(train, target, per_class, seed):
        print(path)


def _data_root(folder: Path | None) -> Path:
    if folder:
        return folder
    if not os.environ.get("LABELKIT_DATA"):
        raise ValueError("no folder given and the environment variable LABELKIT_DATA is not set; give one of them")
    return Path(os.environ["LABELKIT_DATA"])


if __name__ == "__main__":
    main()
