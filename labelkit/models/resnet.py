"""ResNet-50 and -101 (He et al., CVPR 2016) with a deep stem, free strides and a dilation for every block."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
STAGE_CHANNELS = (256, 512, 1024, 2048)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut; the 3x3 carries stride and dilation.

    Args:
        in_channels: input width.
        channels: inner width; the output has four times as many.
        stride: of the 3x3 convolution and the shortcut.
        dilation: of the 3x3 convolution.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        out_channels = 4 * channels
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, eps=1e-5)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(channels, eps=1e-5)
        self.conv3 = nn.Conv2d(channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels, eps=1e-5)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels, eps=1e-5),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, 4 * channels, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return F.relu(self.bn3(self.conv3(x)) + shortcut, inplace=True)


class ResNet(nn.Module):
    """Feature extractor: images to the outputs of the four stages.

    The stem is deep: three 3x3 convolutions, 64, 64 and 128 wide, the first with stride 2. Names of the weights are
    those of torchvision and timm, so that their ImageNet weights load directly. 23,631,808 parameters at depth 50 and
    42,623,936 at depth 101.

    Args:
        depth: 50 or 101.
        strides: of the four stages; (1, 2, 2, 2) gives output stride 32.
        dilations: of the 3x3 convolutions, per stage: one number for all its blocks, or one number a block.
        ceil_pool: round up in the stem's max-pooling (openseg does): one more row and column where the stem's output
            has even sizes, such as a 65 x 129 grid at stride 8 for a 512 x 1024 crop.

    Raises:
        ValueError: the depth is unknown, or a stage's dilations do not match its blocks.
    """

    def __init__(
        self,
        depth: int = 50,
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int | Sequence[int]] = (1, 1, 1, 1),
        ceil_pool: bool = False,
    ) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"depth is {depth}; expected one of {', '.join(map(str, BLOCKS))}.")
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(64, eps=1e-5),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 64, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(64, eps=1e-5),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 128, kernel_size=3, padding=1, bias=False),
        )
        self.bn1 = nn.BatchNorm2d(128, eps=1e-5)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1, ceil_mode=ceil_pool)
        in_channels = 128
        for stage, blocks in enumerate(BLOCKS[depth]):
            dilation = dilations[stage]
            per_block = [dilation] * blocks if isinstance(dilation, int) else list(dilation)
            if len(per_block) != blocks:
                raise ValueError(f"Stage {stage + 1} has {blocks} blocks but {len(per_block)} dilations were given.")
            layers = []
            for i in range(blocks):
                layers.append(Bottleneck(in_channels, 64 * 2**stage, strides[stage] if i == 0 else 1, per_block[i]))
                in_channels = STAGE_CHANNELS[stage]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) -> four maps of 256, 512, 1024 and 2048 channels; the first at stride 4."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        stages = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            stages.append(x)
        return stages
