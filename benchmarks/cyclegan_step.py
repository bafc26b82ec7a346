"""A CycleGAN step against a supervised step of its segmentation network, as a ratio of one run.

    python benchmarks/cyclegan_step.py    # lesson size: 4 + 4 images of 32 x 32, one thread
    python benchmarks/cyclegan_step.py --generator 64 --blocks 9 --discriminator 64 --classes 21 \\
        --batch 5 --height 200 --width 200 --device cuda

Both see the same labelled batch. The ratio is what "equal compute" means in the chapter. Rounds alternate; the ratio
is the median over rounds.
"""

import argparse
from pathlib import Path

import torch

from labelkit.methods.cyclegan import CycleGAN, SupervisedSegmenter
from labelkit.models.cyclegan import ImageGenerator, PixelDiscriminator, SegmentationGenerator
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import compare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--generator", type=int, default=8, help="channels of the generators' first convolution")
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--discriminator", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4, help="labelled images, and as many unlabelled")
    parser.add_argument("--height", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    size = (args.classes, args.generator, args.blocks)
    method = CycleGAN(
        SegmentationGenerator(*size),
        ImageGenerator(*size),
        PixelDiscriminator(3, args.discriminator),
        PixelDiscriminator(1, args.discriminator),
        args.classes,
    ).to(args.device)
    baseline = SupervisedSegmenter(SegmentationGenerator(*size)).to(args.device)
    images = torch.rand(2, args.batch, 3, args.height, args.width, device=args.device)
    masks = torch.randint(0, args.classes, (args.batch, args.height, args.width), device=args.device)
    batch = {"labelled": {"image": images[0], "mask": masks}, "unlabelled": {"image": images[1]}}
    optimizers = {m: torch.optim.Adam(m.parameters(), lr=2e-4, betas=(0.5, 0.999)) for m in (method, baseline)}

    def step(trained: torch.nn.Module) -> None:
        optimizers[trained].zero_grad(set_to_none=True)
        trained.training_step(batch)["loss"].backward()
        optimizers[trained].step()

    sides = {
        "cyclegan": ("CycleGAN step", lambda: step(method)),
        "supervised": ("supervised step", lambda: step(baseline)),
    }
    title = f"width {args.generator}, {args.blocks} blocks, {args.batch} + {args.batch} images, {args.device}"
    figures = compare(sides, args.rounds, args.device, title)
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        write(args.json, {"settings": settings} | figures, args.device, args.threads)


if __name__ == "__main__":
    main()
