"""The networks of AuxSegNet: trunk, tag classifier, and the method of an arm."""

from pathlib import Path

import torch
from torch import Tensor, nn

from labelkit.experiments.auxsegnet_settings import ALL_ARMS, Settings
from labelkit.experiments.tagging import TagData
from labelkit.methods.auxsegnet import AuxSegNet, Weights
from labelkit.methods.supervised import TagClassifier
from labelkit.models.auxsegnet import AuxSegHead, AuxSegNetwork, TagNetwork


def build_trunk(settings: Settings) -> nn.Module:
    """The trunk of the run file; the lesson's trains its normalisation (our choice), ResNet-38 keeps it fixed."""
    if settings.network == "lesson":
        from labelkit.models.lesson_tags import LessonTrunk

        return LessonTrunk()
    from labelkit.models.auxsegnet_convert import load_official_trunk
    from labelkit.models.resnet38 import ResNet38
    from labelkit.models.weights import read_state_dict

    trunk = ResNet38()
    if settings.trunk_weights:
        path = Path(settings.trunk_weights)
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; trunk_weights must name a file with weights of ResNet-38")
        load_official_trunk(trunk, read_state_dict(path))
    return trunk


def build(arm: str, tags: int, settings: Settings, seed: int, start: dict[str, Tensor] | None = None) -> AuxSegNet:
    """The method of an arm; one seed gives every arm the same first weights of what they share.

    Args:
        arm: a key of ``ARMS``.
        tags: number of foreground classes.
        settings: of the run.
        seed: of the weights of the heads.
        start: state dict of a :class:`labelkit.models.auxsegnet.TagNetwork` whose trunk and classifier to start from.
    """
    chosen, trunk = ALL_ARMS[arm], build_trunk(settings)
    options = {"width": settings.head_width, "dilations": settings.dilations, "dropout": settings.head_dropout}
    torch.manual_seed(seed)
    state = AuxSegHead(trunk.channels, tags, **options).state_dict()  # all parts are drawn, whichever the arm has
    head = AuxSegHead(
        trunk.channels,
        tags,
        affinity=chosen.affinity,
        classification=chosen.classification,
        saliency=chosen.saliency,
        **options,
    )
    state |= {name: value for name, value in (start or {}).items() if name.startswith("classifier.")}
    head.load_state_dict({name: state[name] for name in head.state_dict()})
    if start is not None:
        trunk.load_state_dict({k.removeprefix("trunk."): v for k, v in start.items() if k.startswith("trunk.")})
    return AuxSegNet(AuxSegNetwork(trunk, head), Weights(refined_saliency=float(chosen.both)))


def tag_network(parts: TagData, settings: Settings, seed: int) -> TagClassifier:
    """The classifier that a cell begins with; its trunk starts from what the data bring."""
    torch.manual_seed(seed)
    network = TagNetwork(build_trunk(settings), len(parts.foreground), settings.head_dropout)
    parts.start(network.trunk)
    return TagClassifier(network)
