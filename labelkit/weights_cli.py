"""``labelkit weights``: whether a released checkpoint fits a network of this library, and the same weights under its
names."""

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    no_args_is_help=True, help="Checkpoints that the papers' authors released: check one, convert it to our names."
)

NETWORKS = {  # paper: network: module of labelkit.models, its converter and builder, further arguments
    "cps": {
        "deeplabv3plus": ("cps_convert", "from_torchsemiseg", "network_for", {}),
        "deeplabv3plus-branch2": ("cps_convert", "from_torchsemiseg", "network_for", {"branch": 2}),
    },
    "ocr": {"ocr": ("ocr_convert", "from_ocr", "network_for", {})},
    "dars": {
        "pspnet": ("dars_convert", "from_dars", "network_for", {}),
        "deeplabv2": ("dars_convert", "from_dars_deeplab", "deeplab_network_for", {}),
    },
    "auxsegnet": {"auxsegnet": ("auxsegnet_convert", "from_auxsegnet", "network_for", {})},
    "group_wsss": {"group": ("group_convert", "from_group_wsss", "network_for", {})},
    "isaid": {"panet": ("panet_convert", "from_panet", "network_for", {})},
    "points": {"kpfcnn": ("kpconv_convert", "from_kpconv", "network_for", {})},
}

File = Annotated[Path, typer.Argument(help="What the authors' code saved with torch.save.")]
Paper = Annotated[str, typer.Option(help=f"One of {', '.join(NETWORKS)}.")]
Network = Annotated[
    str,
    typer.Option(
        help="Which network, where a paper has several (the first is taken): "
        + "; ".join(f"{paper}: {', '.join(known)}" for paper, known in NETWORKS.items() if len(known) > 1)
    ),
]


@app.command()
def check(file: File, paper: Paper, network: Network = "") -> None:
    """Say whether every tensor of a checkpoint has its place in our network, and how large that is."""
    _, lines = converted(file, paper, network)
    print("\n".join(lines))


@app.command()
def convert(
    file: File,
    out: Annotated[Path, typer.Argument(help="Where the tensors go under our names; a file that is there is kept.")],
    paper: Paper,
    network: Network = "",
) -> None:
    """Write the tensors of a checkpoint under the names of our network."""
    import torch

    from labelkit.files import write_whole

    if out.exists():
        raise ValueError(f"{out} exists; expected a new file")
    tensors, lines = converted(file, paper, network)
    # A tensor that is a view of a larger one would bring all of that along.
    state = {name: value.clone() for name, value in tensors.items()}
    write_whole(out, lambda path: torch.save(state, path))
    print("\n".join([*lines, f"{out}: written; load it with labelkit.models.weights.read_state_dict"]))


def converted(file: str | Path, paper: str, network: str = "") -> tuple[dict[str, Any], list[str]]:
    """Tensors of a checkpoint under our names, and lines that say what was found.

    Args:
        file: what the authors' code saved.
        paper: a key of `NETWORKS`.
        network: one of the paper's; the first if empty.

    Raises:
        ValueError: paper or network is unknown, the file cannot be read safely, or it does not fit.
        FileNotFoundError: there is no such file.
    """
    from labelkit.models.convert import blueprint, unwrapped
    from labelkit.models.weights import read_checkpoint

    known = NETWORKS.get(paper)
    if known is None:
        raise ValueError(f"no released weights are known of paper {paper!r}; expected one of {', '.join(NETWORKS)}")
    chosen = network or next(iter(known))
    if chosen not in known:
        raise ValueError(f"{paper} has no network {chosen!r}; expected one of {', '.join(known)}")
    module, converter, builder, options = known[chosen]
    module = import_module(f"labelkit.models.{module}")
    content: Mapping[str, Any] = read_checkpoint(file)
    tensors = getattr(module, converter)(content, **options)
    made = _built(module, builder, content, options, blueprint)
    given = len(unwrapped(content, str(file)))
    classes = f"{type(made).__module__}.{type(made).__qualname__}"
    count = sum(parameter.numel() for parameter in made.parameters())
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return tensors, [
        f"{file}: {given} tensors, sha256 {digest}",
        f"fits {classes}: {len(tensors)} tensors, {count:,} parameters",
    ]


def _built(module: Any, builder: str, content: Mapping[str, Any], options: dict[str, Any], blueprint: Any) -> Any:
    import torch

    if module.__name__.endswith("kpconv_convert"):  # draws its kernel points, which a blueprint cannot
        with torch.random.fork_rng(devices=[]):
            return getattr(module, builder)(content, **options)
    with blueprint():
        return getattr(module, builder)(content, **options)
