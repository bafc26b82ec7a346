"""Our networks with released weights compute what the authors' networks compute.

The weights are those of released_tables.values; the arrays are what the authors' code made of them, at full width, in
float64 (tests/parity/<paper>/README.md). Ours runs in float32.
"""

from pathlib import Path

import numpy as np
import pytest
import released_tables as tables
import torch
from torch.nn import functional as F

from labelkit.models import (
    auxsegnet_convert,
    cps_convert,
    dars_convert,
    group_convert,
    kpconv_convert,
    ocr_convert,
    panet_convert,
)
from labelkit.models.convert import blueprint

PARITY = Path(__file__).parents[1] / "parity"


def arrays_of(paper, name):
    with np.load(PARITY / paper / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key].copy()) for key in file.files}


def images(height, width, count=1):
    """0..1, as our networks take them."""
    return torch.from_numpy(np.random.RandomState(7).random_sample((count, 3, height, width))).float()


def loaded(network_for, convert, table, **options):
    state = tables.values(table)
    with blueprint():
        network = network_for(state, **options)
    network.load_state_dict(convert(state, **options), assign=True)
    return network.eval()


def close(ours, theirs, name=""):
    """Within 1e-4 of the largest value: float32 against float64 through up to 100 layers."""
    theirs = theirs.float()
    worst = float((ours - theirs).abs().max() / theirs.abs().max())
    assert ours.shape == theirs.shape and worst < 1e-4, f"{name} differs by {worst:.1e} of the largest value"


def eighth(maps):
    return maps[..., ::8, ::8]


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def test_second_branch_of_cps():
    table = list(tables.torchsemiseg(21, 50))
    network = loaded(cps_convert.network_for, cps_convert.from_torchsemiseg, table, branch=2)
    close(eighth(network(images(65, 97))), arrays_of("cps", "network")["branch2_50"])


@pytest.mark.parametrize("name", ["resnet_plain", "hrnet_activated", "hrnet_repository"])
def test_networks_of_ocr(name):
    table = {
        "resnet_plain": lambda: tables.openseg_resnet(activated=False),
        "hrnet_activated": tables.openseg_hrnet,
        "hrnet_repository": tables.hrnet_repository,
    }[name]
    network = loaded(ocr_convert.network_for, ocr_convert.from_ocr, list(table()))
    main, coarse = network.both_logits(images(64, 96))
    arrays = arrays_of("ocr", "networks")
    close(eighth(main), arrays[f"{name}/main"], "main")
    close(eighth(coarse), arrays[f"{name}/coarse"], "coarse")


def test_in_place_activated_weights_load_into_a_network_that_is_there():
    state = tables.values(tables.openseg_resnet())
    with blueprint():
        plain = ocr_convert.network_for(tables.values(tables.openseg_resnet(activated=False)))
    network = plain.to_empty(device="cpu").eval()
    ocr_convert.load(network, state)
    main, coarse = network.both_logits(images(64, 96))
    arrays = arrays_of("ocr", "networks")
    close(eighth(main), arrays["resnet_activated/main"], "main")
    close(eighth(coarse), arrays["resnet_activated/coarse"], "coarse")
    name = "backbone.layer4.2.bn3.weight"
    assert (state[name] < 0).any() and torch.equal(network.state_dict()[name], state[name].abs() + 1e-5)


def test_networks_of_dars():
    arrays = arrays_of("dars", "networks")
    network = loaded(dars_convert.network_for, dars_convert.from_dars, list(tables.dars_pspnet()))
    main, auxiliary = network.both_logits(images(65, 97))
    close(eighth(main), arrays["pspnet"], "main")
    close(eighth(auxiliary), arrays["auxiliary"], "auxiliary")


def test_deeplab_of_dars_adds_two_classifiers():
    table = list(tables.dars_deeplab())
    network = loaded(dars_convert.deeplab_network_for, dars_convert.from_dars_deeplab, table)
    close(eighth(network(images(65, 97))), arrays_of("dars", "networks")["deeplab"])


def test_auxsegnet():
    network = loaded(auxsegnet_convert.network_for, auxsegnet_convert.from_auxsegnet, list(tables.auxsegnet()))
    outputs, maps = network.with_maps(images(48, 64))
    arrays = arrays_of("auxsegnet", "network")
    close(maps, arrays.pop("maps"), "maps")
    for name, theirs in arrays.items():
        close(getattr(outputs, name), theirs, name)


def test_group_network():
    network = loaded(group_convert.network_for, group_convert.from_group_wsss, list(tables.group_wsss()))
    output = network(images(64, 96, 3)[None])
    arrays = arrays_of("group_wsss", "network")
    close(output.single_logits[0], arrays["single"], "single")
    close(output.group_logits[0], arrays["group"], "group")
    close(output.states[0][0, :1], arrays["first_map"], "first")
    close(output.states[-1][0, :1], arrays["last_map"], "last")


@pytest.fixture(scope="module")
def detector():
    state = tables.values(tables.panet())
    with torch.random.fork_rng():
        network = panet_convert.network_for(state)  # its anchors are numbers, which a blueprint has not
    network.load_state_dict(panet_convert.from_panet(state))
    return network.eval()


def test_panet_from_image_to_pyramid_and_proposals(detector):
    arrays = arrays_of("isaid", "network")
    given = detector.transform(list(images(64, 96)))[0].tensors  # as the detector itself normalises and pads
    levels = detector.backbone(given)
    for number, name in enumerate(("0", "1", "2", "3", "pool")):
        close(levels[name][:, ::8], arrays[f"level{number}"], name)
    scores, offsets = detector.rpn.head([levels["2"]])
    close(scores[0], arrays["rpn_scores"], "scores")
    close(offsets[0], arrays["rpn_offsets"], "offsets")


def test_panet_heads_on_given_regions(detector):
    arrays = arrays_of("isaid", "network")
    levels, heads = detector.backbone(detector.transform(list(images(64, 96)))[0].tensors), detector.roi_heads
    regions = [arrays["rois"].float()]
    scores, offsets = heads.box_predictor(heads.box_head(heads.box_roi_pool(levels, regions, [(64, 96)])))
    close(scores, arrays["box_scores"], "scores")
    close(offsets, arrays["box_offsets"], "offsets")
    masks = heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(levels, regions, [(64, 96)])))
    close(masks[:, ::8, ::2, ::2], arrays["masks"], "masks")


@pytest.mark.parametrize(("name", "deformable_from"), [("rigid", None), ("deformable", 3)])
def test_point_network(name, deformable_from):
    state = tables.values(tables.kpconv(deformable_from=deformable_from))
    with torch.random.fork_rng():
        network = kpconv_convert.network_for(state, voxel=0.03, radius=2.5, extent=1.2)
    network.load_state_dict(kpconv_convert.from_kpconv(state))
    arrays = arrays_of("points", "network")
    batch = {"features": arrays["features"].float(), "points": [arrays[f"points{n}"].float() for n in range(5)]}
    batch["neighbours"] = [arrays[f"neighbours{n}"].long() for n in range(5)]
    batch |= {part: [arrays[f"{part}{n}"].long() for n in range(4)] for part in ("pools", "upsamples")}
    close(network.eval()(batch), arrays[name])


def test_the_measure_sees_a_small_mistake():
    """Two normalisations changed about, deep in the network: what a wrong place of one tensor would give."""
    state = tables.values(tables.dars_pspnet())
    with blueprint():
        network = dars_convert.network_for(state)
    found = dars_convert.from_dars(state)
    one, other = "backbone.layer3.4.bn1.bias", "backbone.layer3.4.bn2.bias"
    network.load_state_dict(found | {one: found[other], other: found[one]}, assign=True)
    with pytest.raises(AssertionError, match="differs by"):
        close(eighth(network.eval()(images(65, 97))), arrays_of("dars", "networks")["pspnet"])


def test_leaky_relu_is_only_in_the_head_of_activated_weights():
    for activated in (True, False):
        state = {n: torch.zeros(()).expand(s) for n, s in tables.openseg_resnet(activated=activated)}
        with blueprint():
            network = ocr_convert.network_for(state)
        slopes = {m.negative_slope for m in network.head.modules() if isinstance(m, torch.nn.LeakyReLU)}
        assert slopes == ({0.01} if activated else set())
        assert not any(isinstance(m, torch.nn.LeakyReLU) for m in network.backbone.modules())
    assert F.leaky_relu(torch.tensor(-1.0), ocr_convert.SLOPE) == torch.tensor(-0.01)
