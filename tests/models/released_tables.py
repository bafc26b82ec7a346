"""Names and shapes of the tensors in released checkpoints, written down from the authors' code, and random values.

Independent of the library: each generator counts stages, blocks and layers as that code builds them. Beside a name
stands its shape; the order is that of the released state dict.
"""

import zlib

import numpy as np
import torch


def conv(name, out, into, kernel, bias=False):
    yield f"{name}.weight", (out, into, kernel, kernel)
    if bias:
        yield f"{name}.bias", (out,)


def linear(name, out, into, bias=True):
    yield f"{name}.weight", (out, into)
    if bias:
        yield f"{name}.bias", (out,)


def affine(name, channels):
    """Group normalisation, or a scale and a shift."""
    yield f"{name}.weight", (channels,)
    yield f"{name}.bias", (channels,)


def norm(name, channels, counter=True):
    yield from affine(name, channels)
    yield f"{name}.running_mean", (channels,)
    yield f"{name}.running_var", (channels,)
    if counter:
        yield f"{name}.num_batches_tracked", ()


def bare(name, channels):
    """In-place activated normalisation: no counter."""
    return norm(name, channels, counter=False)


def bottleneck(name, into, width, normal=norm, project=False):
    out = 4 * width
    for number, (to, of, kernel) in enumerate(((width, into, 1), (width, width, 3), (out, width, 1)), start=1):
        yield from conv(f"{name}.conv{number}", to, of, kernel)
        yield from normal(f"{name}.bn{number}", to)
    if project:
        yield from conv(f"{name}.downsample.0", out, into, 1)
        yield from normal(f"{name}.downsample.1", out)


def resnet_stages(prefix, depth, into, normal=norm, first=1):
    for stage, blocks in enumerate({50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}[depth]):
        width = 64 * 2**stage
        for block in range(blocks):
            yield from bottleneck(f"{prefix}{stage + first}.{block}", into, width, normal, project=block == 0)
            into = 4 * width


def deep_stem(names, normal=norm):
    for (layer, after), (out, into) in zip(names, ((64, 3), (64, 64), (128, 64)), strict=True):
        yield from conv(layer, out, into, 3)
        yield from normal(after, out)


# TorchSemiSeg: exp.voc/voc8.res50v3+.CPS/network.py, furnace/base_model/resnet.py


def torchsemiseg_branch(branch, classes, depth):
    backbone, aspp = f"{branch}.backbone", f"{branch}.head.aspp"
    stem = [("conv1.0", "conv1.1"), ("conv1.3", "conv1.4"), ("conv1.6", "bn1")]
    yield from deep_stem([(f"{backbone}.{a}", f"{backbone}.{b}") for a, b in stem])
    yield from resnet_stages(f"{backbone}.layer", depth, 128)
    for number, kernel in enumerate((1, 3, 3, 3)):
        yield from conv(f"{aspp}.map_convs.{number}", 256, 2048, kernel)
    yield from norm(f"{aspp}.map_bn", 1024)
    yield from conv(f"{aspp}.global_pooling_conv", 256, 2048, 1)
    yield from norm(f"{aspp}.global_pooling_bn", 256)
    yield from conv(f"{aspp}.red_conv", 256, 1024, 1)
    yield from conv(f"{aspp}.pool_red_conv", 256, 256, 1)
    yield from norm(f"{aspp}.red_bn", 256)
    yield from conv(f"{branch}.head.reduce.0", 48, 256, 1)
    yield from norm(f"{branch}.head.reduce.1", 48)
    for place, into in ((0, 304), (3, 256)):
        yield from conv(f"{branch}.head.last_conv.{place}", 256, into, 3)
        yield from norm(f"{branch}.head.last_conv.{place + 1}", 256)
    yield from conv(f"{branch}.classifier", classes, 256, 1, bias=True)


def torchsemiseg(classes=21, depth=50):
    for branch in ("branch1", "branch2"):
        yield from torchsemiseg_branch(branch, classes, depth)


# openseg.pytorch: lib/models/nets/{ocrnet,hrnet}.py, modules/spatial_ocr_block.py, backbones/; HRNet: seg_hrnet_ocr.py


def ocr_block(name, bias, activated):
    """512 channels, keys of 256. `activated`: normalisation and activation are one module."""
    normal, inner = (bare, "") if activated else (norm, ".0")
    block = f"{name}.object_context_block"
    for part, layers in (
        ("f_pixel", ((0, 256, 512), (2, 256, 256))),
        ("f_object", ((0, 256, 512), (2, 256, 256))),
        ("f_down", ((0, 256, 512),)),
        ("f_up", ((0, 512, 256),)),
    ):
        for place, out, into in layers:
            yield from conv(f"{block}.{part}.{place}", out, into, 1, bias)
            yield from normal(f"{block}.{part}.{place + 1}{inner}", out)
    yield from conv(f"{name}.conv_bn_dropout.0", 512, 1024, 1, bias)
    yield from normal(f"{name}.conv_bn_dropout.1{inner}", 512)


def openseg_resnet(classes=19, depth=101, activated=True):
    normal, inner = (bare, "") if activated else (norm, ".0")
    names = [(f"backbone.resinit.conv{n}", f"backbone.resinit.bn{n}") for n in (1, 2, 3)]
    yield from deep_stem(names, normal)
    yield from resnet_stages("backbone.layer", depth, 128, normal)
    yield from conv("conv_3x3.0", 512, 2048, 3, bias=True)
    yield from normal(f"conv_3x3.1{inner}", 512)
    yield from ocr_block("spatial_ocr_head", True, activated)
    yield from conv("head", classes, 512, 1, bias=True)
    yield from conv("dsn_head.0", 512, 1024, 3, bias=True)
    yield from normal(f"dsn_head.1{inner}", 512)
    yield from conv("dsn_head.3", classes, 512, 1, bias=True)


def hrnet_w48(prefix, normal=norm):
    widths = (48, 96, 192, 384)
    for number, into in ((1, 3), (2, 64)):
        yield from conv(f"{prefix}conv{number}", 64, into, 3)
        yield from normal(f"{prefix}bn{number}", 64)
    for block in range(4):
        yield from bottleneck(f"{prefix}layer1.{block}", 256 if block else 64, 64, normal, project=block == 0)
    before = (256,)
    for stage, modules in ((2, 1), (3, 4), (4, 3)):
        now = widths[:stage]
        for branch, width in enumerate(now):  # from the last branch of before where there is none of its own
            if branch < len(before) and before[branch] == width:
                continue
            place = f"{prefix}transition{stage - 1}.{branch}" + (".0" if branch >= len(before) else "")
            yield from conv(f"{place}.0", width, before[min(branch, len(before) - 1)], 3)
            yield from normal(f"{place}.1", width)
        for module in range(modules):
            yield from exchange(f"{prefix}stage{stage}.{module}", now, normal)
        before = now


def exchange(name, widths, normal):
    for branch, width in enumerate(widths):
        for block in range(4):
            for number in (1, 2):
                yield from conv(f"{name}.branches.{branch}.{block}.conv{number}", width, width, 3)
                yield from normal(f"{name}.branches.{branch}.{block}.bn{number}", width)
    for to, out in enumerate(widths):
        for of, into in enumerate(widths):
            place = f"{name}.fuse_layers.{to}.{of}"
            if of > to:
                yield from conv(f"{place}.0", out, into, 1)
                yield from normal(f"{place}.1", out)
            for step in range(to - of):
                last = step == to - of - 1
                yield from conv(f"{place}.{step}.0", out if last else into, into, 3)
                yield from normal(f"{place}.{step}.1", out if last else into)


def openseg_hrnet(classes=19, activated=True):
    normal, inner = (bare, "") if activated else (norm, ".0")
    yield from hrnet_w48("backbone.", normal)
    yield from conv("conv3x3.0", 512, 720, 3, bias=True)
    yield from normal(f"conv3x3.1{inner}", 512)
    yield from ocr_block("ocr_distri_head", True, activated)
    yield from conv("cls_head", classes, 512, 1, bias=True)
    yield from conv("aux_head.0", 720, 720, 3, bias=True)
    yield from normal(f"aux_head.1{inner}", 720)
    yield from conv("aux_head.2", classes, 720, 1, bias=True)


def hrnet_repository(classes=19, loss=True):
    """The network and its loss, as the repository's training saves them together."""
    yield from hrnet_w48("model.")
    yield from conv("model.conv3x3_ocr.0", 512, 720, 3, bias=True)
    yield from norm("model.conv3x3_ocr.1", 512)
    yield from ocr_block("model.ocr_distri_head", False, False)
    yield from conv("model.cls_head", classes, 512, 1, bias=True)
    yield from conv("model.aux_head.0", 720, 720, 1, bias=True)
    yield from norm("model.aux_head.1", 720)
    yield from conv("model.aux_head.3", classes, 720, 1, bias=True)
    if loss:
        yield "loss.criterion.weight", (classes,)


# DARS: model/pspnet.py, model/deeplabv2.py


def dars_pspnet(classes=19, depth=50):
    yield from deep_stem([(f"layer0.{place}", f"layer0.{place + 1}") for place in (0, 3, 6)])
    yield from resnet_stages("layer", depth, 128)
    for grid in range(4):
        yield from conv(f"ppm.features.{grid}.1", 512, 2048, 1)
        yield from norm(f"ppm.features.{grid}.2", 512)
    for head, into, width in (("cls", 4096, 512), ("aux", 1024, 256)):
        yield from conv(f"{head}.0", width, into, 3)
        yield from norm(f"{head}.1", width)
        yield from conv(f"{head}.4", classes, width, 1, bias=True)


def dars_deeplab(classes=19):
    yield from conv("conv1", 64, 3, 7)
    yield from norm("bn1", 64)
    yield from resnet_stages("layer", 101, 64)
    for number in range(4):
        yield from conv(f"layer5.conv2d_list.{number}", classes, 2048, 3, bias=True)


# AuxSegNet: network/resnet38d.py, network/AuxSegNet.py, network/non_local.py


def wide_block(name, into, width, out, project):
    yield from norm(f"{name}.bn_branch2a", into)
    yield from conv(f"{name}.conv_branch2a", width, into, 3)
    yield from norm(f"{name}.bn_branch2b1", width)
    yield from conv(f"{name}.conv_branch2b1", out, width, 3)
    if project:
        yield from conv(f"{name}.conv_branch1", out, into, 1)


def resnet38():
    yield from conv("conv1a", 64, 3, 3)
    into = 64
    for number, blocks, width, out in ((2, 3, 128, 128), (3, 3, 256, 256), (4, 6, 512, 512), (5, 3, 512, 1024)):
        for block in range(blocks):
            yield from wide_block(f"b{number}_{block}" if block else f"b{number}", into, width, out, not block)
            into = out
    for name, into, out in (("b6", 1024, 2048), ("b7", 2048, 4096)):
        yield from norm(f"{name}.bn_branch2a", into)
        yield from conv(f"{name}.conv_branch2a", out // 4, into, 1)
        yield from norm(f"{name}.bn_branch2b1", out // 4)
        yield from conv(f"{name}.conv_branch2b1", out // 2, out // 4, 3)
        yield from norm(f"{name}.bn_branch2b2", out // 2)
        yield from conv(f"{name}.conv_branch2b2", out, out // 2, 1)
        yield from conv(f"{name}.conv_branch1", out, into, 1)
    yield from norm("bn7", 4096)


def auxsegnet(tags=20):
    yield from resnet38()
    yield from conv("fc8", tags, 4096, 1)
    for task, out in (("seg", tags + 1), ("sal", 1)):
        for number, into in ((1, 4096), (2, 128), (3, 128)):
            yield from conv(f"{task}_conv{number}", 128, into, 3, bias=True)
        yield from conv(f"{task}_conv4", out, 128, 1)
    for task in ("seg", "sal"):  # g and W_z are there, but only theta and phi are ever called
        yield from conv(f"{task}_att.g", 128, 128, 1, bias=True)
        yield from conv(f"{task}_att.W_z.0", 128, 128, 1, bias=True)
        yield from norm(f"{task}_att.W_z.1", 128)
        for part in ("theta", "phi"):
            yield from conv(f"{task}_att.{part}", 128, 128, 1, bias=True)
    for task in ("seg", "sal"):
        for part in ("g", "W"):
            yield from conv(f"{task}_{part}", 128, 128, 1, bias=True)
    yield from conv("cross_att.0", 2, 2, 3)
    yield from conv("cross_att.2", 2, 2, 1, bias=True)


# Group-WSSS: models/vgg_gnn.py, models/ConvGRU.py


def group_wsss(classes=20):
    place, into = 0, 3
    for width, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convolutions):
            yield from conv(f"features.{place}", width, into, 3, bias=True)
            place, into = place + 2, width  # a ReLU after each
        place += 1  # a pooling
    for place, out, kernel in ((0, 512, 3), (2, 512, 3), (4, 512, 3), (6, classes, 1)):
        yield from conv(f"extra_convs.{place}", out, 512, kernel, bias=True)
    yield from linear("extra_linear_e", classes, classes, bias=False)
    yield from conv("extra_gate", 1, classes, 1)
    for gate in ("reset", "update", "out"):
        yield from conv(f"extra_ConvGRU.{gate}_gate", classes, 2 * classes, 1, bias=True)
    yield from conv("extra_conv_fusion", classes, 2 * classes, 3, bias=True)
    for part in ("a", "b"):
        yield from conv(f"extra_proj{part}", classes // 2, classes, 1, bias=True)


# PANet: lib/modeling/{ResNet,FPN,fast_rcnn_heads,mask_rcnn_heads}.py, configs/panet/e2e_panet_R-50-FPN_2x_mask.yaml


def panet(classes=81, depth=50):
    def layer(name, out, into, kernel, bias=False):
        yield from conv(f"{name}.0", out, into, kernel, bias)
        yield from affine(f"{name}.1", out)

    body = "Conv_Body"
    yield from layer(f"{body}.conv_top", 256, 2048, 1)
    for level, into in enumerate((1024, 512, 256)):
        yield from layer(f"{body}.topdown_lateral_modules.{level}.conv_lateral", 256, into, 1)
    for level in range(4):
        yield from layer(f"{body}.posthoc_modules.{level}", 256, 256, 3)
    for number in (1, 2):
        for level in range(3):
            yield from layer(f"{body}.panet_buttomup_conv{number}_modules.{level}", 256, 256, 3, bias=True)
    yield from conv(f"{body}.conv_body.res1.conv1", 64, 3, 7)
    yield from affine(f"{body}.conv_body.res1.bn1", 64)
    yield from resnet_stages(f"{body}.conv_body.res", depth, 64, affine, first=2)
    yield from conv("RPN.FPN_RPN_conv", 256, 256, 3, bias=True)
    yield from conv("RPN.FPN_RPN_cls_score", 3, 256, 1, bias=True)
    yield from conv("RPN.FPN_RPN_bbox_pred", 12, 256, 1, bias=True)
    for place in (0, 3, 6):
        yield from conv(f"Box_Head.convs.{place}", 256, 256, 3)
        yield from affine(f"Box_Head.convs.{place + 1}", 256)
    yield from linear("Box_Head.fc", 1024, 256 * 49)
    for level in range(4):
        yield from layer(f"Box_Head.conv1_head.{level}", 256, 256, 3)
    yield from linear("Box_Outs.cls_score", classes, 1024)
    yield from linear("Box_Outs.bbox_pred", 4 * classes, 1024)
    for place in (0, 3):
        yield from conv(f"Mask_Head.conv_fcn.{place}", 256, 256, 3)
        yield from affine(f"Mask_Head.conv_fcn.{place + 1}", 256)
    for level in range(4):
        yield from layer(f"Mask_Head.mask_conv1.{level}", 256, 256, 3)
    for name, out in (("mask_conv4", 256), ("mask_conv4_fc", 256), ("mask_conv5_fc", 128)):
        yield from layer(f"Mask_Head.{name}", out, 256, 3)
    yield from linear("Mask_Head.mask_fc.0", 784, 128 * 196)
    yield from conv("Mask_Head.upconv", 256, 256, 2, bias=True)
    yield from conv("Mask_Outs.classify", classes, 256, 1, bias=True)


# KPConv-PyTorch: models/blocks.py, models/architectures.py, the architectures of train_S3DIS.py


def kpconv(classes=13, features=5, width=128, levels=5, blocks=2, deformable_from=None, points=15, modulated=False):
    def kernel(name, into, out, level):
        yield f"{name}.weights", (points, into, out)
        deformable = deformable_from is not None and level >= deformable_from
        if deformable:
            yield f"{name}.offset_bias", (points * (4 if modulated else 3),)
        yield f"{name}.kernel_points", (points, 3)
        if deformable:
            yield f"{name}.offset_conv.weights", (points, into, points * (4 if modulated else 3))
            yield f"{name}.offset_conv.kernel_points", (points, 3)

    def unary(name, into, out):
        yield from linear(f"{name}.mlp", out, into, bias=False)
        yield from norm(f"{name}.batch_norm.batch_norm", out)

    def residual(name, into, out, level):
        inner = out // 4
        if into != inner:
            yield from unary(f"{name}.unary1", into, inner)
        yield from kernel(f"{name}.KPConv", inner, inner, level)
        yield from norm(f"{name}.batch_norm_conv.batch_norm", inner)
        yield from unary(f"{name}.unary2", inner, out)
        if into != out:
            yield from unary(f"{name}.unary_shortcut", into, out)

    place, into = 0, features
    for level in range(levels):
        out = width * 2**level
        if level:  # a strided block of the level above leads down; it keeps the channels
            yield from residual(f"encoder_blocks.{place}", into, out // 2, level - 1)
            place += 1
        for _ in range(blocks):
            if place == 0:
                yield from kernel("encoder_blocks.0.KPConv", features, width // 2, level)
                yield from norm("encoder_blocks.0.batch_norm.batch_norm", width // 2)
                into = width // 2
            else:
                yield from residual(f"encoder_blocks.{place}", into, out, level)
                into = out
            place += 1
    for step in range(levels - 1):  # an upsampling, which has no tensors, before each
        out = width * 2 ** (levels - 2 - step)
        yield from unary(f"decoder_blocks.{2 * step + 1}", 2 * out + out, out)
    for name, out in (("head_mlp", width), ("head_softmax", classes)):
        yield from linear(f"{name}.mlp", out, width, bias=False)
        yield f"{name}.batch_norm.bias", (out,)


def values(table, seed=0):
    """A tensor of each name and shape, drawn by the name, so that all differ and the order does not matter.

    The stream of NumPy's RandomState is fixed for good. Sizes keep a deep network's activations within bounds: weights
    of normalisations lie around 1, some of them below 0; variances are positive.
    """
    state = {}
    for name, shape in table:
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(zlib.crc32(name.encode()) % 10_000)
            continue
        drawn = np.random.RandomState(zlib.crc32(f"{seed} {name}".encode())).random_sample(shape).astype(np.float32)
        value = torch.from_numpy(np.asarray(2 * drawn - 1))
        if len(shape) > 1 and not name.endswith("kernel_points"):
            fan = shape[1] if name.endswith("weights") else int(np.prod(shape[1:]))
            value = value * (4 / fan) ** 0.5 * (0.05 if "offset" in name else 1)
        elif name.endswith("running_var"):
            value = 1 + value / 2
        elif name.endswith(".weight") and len(shape) == 1:
            value = torch.where(value.abs() < 0.1, -1, 1) * (0.8 + 0.2 * value)
        else:
            value = value / 10
        state[name] = value
    return state


def parameters(table):
    """How many numbers are trained: no statistics and counters, no kernel points, no weights of a loss."""
    fixed = ("running_mean", "running_var", "num_batches_tracked", "kernel_points", "criterion.weight")
    return sum(int(np.prod(shape)) for name, shape in table if not name.endswith(fixed))
