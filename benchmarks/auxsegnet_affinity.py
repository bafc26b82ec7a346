"""AuxSegNet's affinity, forward and backward, against two plain matrix products of its size, as ratios of one run.

    python benchmarks/auxsegnet_affinity.py              # N = 1681 positions (a crop of 321), 128 channels, one thread
    python benchmarks/auxsegnet_affinity.py --device cuda --batch 4

Two plain products: Q K^T (N x 128 by 128 x N) and that times V, with gradients of Q, K and V and nothing between them.

- ``attention``: the same with the softmax, which is one task's affinity applied to its features.
- ``block``: :class:`labelkit.models.cross_task_affinity.AffinityBlock`, with its four 1x1 convolutions and shortcut.
- ``whole``: both blocks, their fusion (a 3x3 convolution over the N x N matrix) and the refinement of 21 + 1 logits,
  against four plain products, two a task.
- ``whole_plainly_written``: the same with the fusion as a softmax over two channels, as one would first write it.

Rounds alternate; a ratio is the median over rounds.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from labelkit.models.affinity_propagation import propagate
from labelkit.models.cross_task_affinity import AffinityBlock, CrossTaskFusion
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import seconds

LOGITS = 22  # 21 classes and saliency


def plainly_written(fusion: CrossTaskFusion, segmentation: Tensor, saliency: Tensor) -> Tensor:
    """The fusion channel by channel: (B, N, N) twice -> (B, N, N)."""
    both = torch.stack((segmentation, saliency), 1)
    return (fusion.weigh(F.relu(fusion.mix(both))).softmax(1) * both).sum(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=41, help="of the feature map; N is its square")
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    n, width = args.side**2, args.channels
    shape = (args.batch, n, width)
    q, k, v = ((0.3 * torch.randn(shape, device=args.device)).requires_grad_() for _ in range(3))
    features = [torch.randn(args.batch, width, args.side, args.side, device=args.device) for _ in range(2)]
    features = [0.3 * each for each in features]
    for each in features:
        each.requires_grad_()
    logits = torch.randn(args.batch, LOGITS, args.side, args.side, device=args.device, requires_grad=True)
    blocks = [AffinityBlock(width).to(args.device) for _ in range(2)]
    fusion = CrossTaskFusion().to(args.device)
    upstream = torch.randn(shape, device=args.device)

    def whole(fuse: Callable[[Tensor, Tensor], Tensor]) -> None:
        (first, a), (second, b) = (block(each) for block, each in zip(blocks, features))
        refined = propagate(logits, fuse(a, b))
        torch.autograd.backward(
            (first, second, refined),
            (torch.ones_like(first), torch.ones_like(second), torch.ones_like(refined)),
        )

    sides: dict[str, Callable[[], None]] = {
        "plain": lambda: ((q @ k.transpose(1, 2)) @ v).backward(upstream),
        "attention": lambda: ((q @ k.transpose(1, 2)).softmax(-1) @ v).backward(upstream),
        "block": lambda: blocks[0](features[0])[0].backward(torch.ones_like(features[0])),
        "whole": lambda: whole(fusion),
        "whole_plainly_written": lambda: whole(lambda a, b: plainly_written(fusion, a, b)),
    }

    def timed(name: str) -> float:
        for tensor in (q, k, v, logits, *features):
            tensor.grad = None
        return seconds(sides[name], args.device)

    for name in [*sides] * 2:
        timed(name)
    times = []
    for index in range(args.rounds):  # every second round in the other order
        order = list(sides) if index % 2 else list(reversed(sides))
        times.append({name: timed(name) for name in order})
    result: dict[str, object] = {"settings": {key: value for key, value in vars(args).items() if key != "json"}}
    print(f"N = {n}, {width} channels, batch {args.batch}, {args.device}; forward and backward")
    for name in sides:
        middle = statistics.median(each[name] for each in times)
        products = 4 if name.startswith("whole") else 2
        ratio = statistics.median(each[name] / each["plain"] * 2 / products for each in times)
        print(f"{name:<24} {1e3 * middle:>9.1f} ms  {ratio:>7.2f} times {products} plain products")
        result[name] = {"seconds": middle, "plain_products": products, "ratio": ratio}
    if args.json:
        write(args.json, result, args.device, args.threads, part="affinity")


if __name__ == "__main__":
    main()
