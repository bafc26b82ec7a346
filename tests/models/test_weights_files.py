"""Files of weights are read as tensors alone, ImageNet weights come from a placed file or say what to do offline."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import labelkit
from labelkit.models import weights
from labelkit.models.resnet import ResNet


class Caller:
    """Unpickling it would call what it names."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_tensors_come_out_of_wrappers(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"epoch": 3, "state_dict": {"module.a": torch.ones(2)}, "best_mIoU": np.float64(81.6)}, path)
    assert torch.equal(weights.read_state_dict(path)["a"], torch.ones(2))
    assert weights.read_checkpoint(path)["best_mIoU"] == 81.6
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)  # as PyTorch before 1.6 wrote it
    assert torch.equal(weights.read_state_dict(path)["a"], torch.ones(2))


def test_code_in_a_file_is_refused_and_not_run(tmp_path):
    path, mark = tmp_path / "weights.pth", tmp_path / "ran"
    torch.save({"a": torch.ones(2), "hook": Caller(mark)}, path)
    with pytest.raises(ValueError, match=r"weights\.pth holds \S+ beside tensors; .*save the state dict alone"):
        weights.read_state_dict(path)
    assert not mark.exists()
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(ValueError, match=r"weights\.pth holds torch\.nn\.modules\.linear\.Linear beside tensors"):
        weights.read_state_dict(path)


def test_files_that_are_none(tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(FileNotFoundError, match=r"weights\.pth does not exist; expected a file of weights"):
        weights.read_state_dict(path)
    with pytest.raises(FileNotFoundError, match="is a folder; expected a file of weights"):
        weights.read_state_dict(tmp_path)
    path.touch()
    with pytest.raises(ValueError, match=r"weights\.pth is empty; expected a file of weights"):
        weights.read_state_dict(path)
    torch.save({"a": torch.ones(2000)}, path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"weights\.pth cannot be read as a file of tensors"):
        weights.read_state_dict(path)
    path.write_bytes(b"<html>please sign in</html>")
    with pytest.raises(ValueError, match=r"weights\.pth cannot be read as a file of tensors"):
        weights.read_state_dict(path)
    torch.save([torch.ones(2)], path)
    with pytest.raises(ValueError, match=r"weights\.pth holds a list; expected a state dict"):
        weights.read_state_dict(path)
    torch.save({"a": 1}, path)
    with pytest.raises(ValueError, match=r"weights\.pth: 'a' is of type int; expected a tensor"):
        weights.read_state_dict(path)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No download succeeds; torch's folder of downloads is here."""
    import timm
    import torchvision.models._api

    def fail(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", fail)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", fail)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def networks():
    from labelkit.models.aerial_detector import aerial_detector
    from labelkit.models.deeplab import DeepLabV3Plus
    from labelkit.models.deeplab_v2 import DeepLabV2
    from labelkit.models.ocr_networks import ResNetOCR
    from labelkit.models.pspnet import PSPNet
    from labelkit.models.vgg import vgg16_features

    return {
        "gluon_resnet50_v1s-1762acc0.pth": [
            lambda: DeepLabV3Plus(5, pretrained=True),
            lambda: PSPNet(5, pretrained=True),
        ],
        "gluon_resnet101_v1s-60fe0cc1.pth": [lambda: ResNetOCR(5, pretrained=True)],
        "hrnet_w48.ms_in1k.pth": [lambda: weights.load_imagenet_weights(nn.Identity(), "hrnet_w48.ms_in1k")],
        "resnet101-63fe2227.pth": [lambda: DeepLabV2(5, pretrained=True)],
        "vgg16-397923af.pth": [lambda: vgg16_features(pretrained=True)],
        "resnet50-0676ba61.pth": [lambda: aerial_detector(5, "resnet50", pretrained=True)],
    }


def test_offline_every_network_says_where_a_file_may_be_placed(offline):
    from labelkit.models.convert import blueprint

    for file, builders in networks().items():
        for build in builders:
            with pytest.raises(RuntimeError) as refusal, blueprint():
                build()
            sentence = str(refusal.value)
            assert "could not be fetched (OSError)" in sentence and "pretrained=False" in sentence
            assert f"place the file at {offline / file} (TORCH_HOME moves that folder)" in sentence


def deep_stem_names(state):
    """As semseg and openseg name a deep stem."""
    theirs = {"conv1.0": "conv1", "conv1.1": "bn1", "conv1.3": "conv2", "conv1.4": "bn2", "conv1.6": "conv3"}
    found = {}
    for name, value in state.items():
        module, _, leaf = name.rpartition(".")
        found[f"{'bn3' if module == 'bn1' else theirs.get(module, module)}.{leaf}"] = value
    return found


@pytest.mark.parametrize("rename", [dict, deep_stem_names])
def test_a_placed_file_is_taken(offline, rename):
    offline.mkdir(parents=True)
    with torch.device("meta"):
        shapes = ResNet(50).state_dict()
        network = ResNet(50)
    network.to_empty(device="cpu")
    state = {
        name: torch.full(value.shape, float(n), dtype=value.dtype) for n, (name, value) in enumerate(shapes.items())
    }
    path = offline / "gluon_resnet50_v1s-1762acc0.pth"
    torch.save({"state_dict": rename(state) | {"fc.weight": torch.zeros(1000, 2048)}}, path)
    weights.load_imagenet_weights(network, "resnet50s.gluon_in1k")
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    torch.save(rename({name: value for name, value in state.items() if name != "layer4.2.bn3.bias"}), path)
    with pytest.raises(RuntimeError, match=r"lack 'layer4\.2\.bn3\.bias'"):
        weights.load_imagenet_weights(network, "resnet50s.gluon_in1k")


def calls(tree):
    """Calls of a method or function of a module: its name, its owner's, the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, ast.unparse(node.func.value), node


def test_every_load_in_the_sources_takes_tensors_alone():
    found = 0
    for path in sorted(Path(labelkit.__file__).parent.rglob("*.py")):
        for name, owner, call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            place = f"{path}:{call.lineno}"
            if (name == "load" and owner == "torch") or name in ("load_state_dict_from_url", "get_state_dict"):
                assert keywords.get("weights_only") == "True", f"{place} reads a file without weights_only=True"
                found += 1
            assert owner not in ("pickle", "dill", "joblib", "cloudpickle") or not name.startswith("load"), place
            assert keywords.get("allow_pickle", "False") == "False", f"{place} lets NumPy read objects"
    assert found > 5
