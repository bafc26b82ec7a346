"""`labelkit weights`: a released checkpoint is checked and converted, and what is no such file is refused."""

import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from labelkit import weights_cli
from labelkit.models.weights import read_state_dict

sys.path.insert(0, str(Path(__file__).parent / "models"))
import released_tables as tables


@pytest.fixture
def checkpoint(tmp_path):
    table = list(tables.kpconv(classes=4, features=4, width=16, levels=2, blocks=2))
    path = tmp_path / "chkp.tar"
    torch.save({"epoch": 3, "model_state_dict": tables.values(table), "optimizer_state_dict": {"state": {}}}, path)
    return path


def run(*arguments):
    return CliRunner().invoke(weights_cli.app, [str(each) for each in arguments])


def test_check_says_what_it_is(checkpoint):
    found = run("check", checkpoint, "--paper", "points")
    assert found.exit_code == 0, found.output
    assert "fits labelkit.models.kpconv_network.KPFCNN" in found.output and "sha256" in found.output


def test_converted_weights_load(checkpoint, tmp_path):
    from labelkit.models.kpconv_convert import network_for

    out = tmp_path / "made" / "ours.pt"
    assert run("convert", checkpoint, out, "--paper", "points").exit_code == 0
    given, made = read_state_dict(checkpoint), read_state_dict(out)
    network_for(given).load_state_dict(made)
    assert torch.equal(made["inside.0.0.convolution.weights"], given["encoder_blocks.0.KPConv.weights"])
    again = run("convert", checkpoint, out, "--paper", "points")
    assert again.exit_code and "exists; expected a new file" in str(again.exception)
    assert [path.name for path in out.parent.iterdir()] == ["ours.pt"]


@pytest.mark.parametrize(
    ("paper", "network", "sentence"),
    [
        ("ficklenet", "", "no released weights are known of paper 'ficklenet'; expected one of cps, ocr"),
        ("cps", "pspnet", "cps has no network 'pspnet'; expected one of deeplabv3plus, deeplabv3plus-branch2"),
        ("cps", "", "TorchSemiSeg's DeepLabv3\\+: no tensor 'classifier.weight'"),
    ],
)
def test_refusals(checkpoint, paper, network, sentence):
    with pytest.raises(ValueError, match=sentence):
        weights_cli.converted(checkpoint, paper, network)


def test_every_entry_names_functions_that_are_there():
    from importlib import import_module

    for known in weights_cli.NETWORKS.values():
        for module, converter, builder, _ in known.values():
            made = import_module(f"labelkit.models.{module}")
            assert callable(getattr(made, converter)) and callable(getattr(made, builder))
