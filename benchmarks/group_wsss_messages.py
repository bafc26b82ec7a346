"""What the messages of Group-WSSS cost as a group grows, and against taking its pairs one after the other.

    python benchmarks/group_wsss_messages.py                  # 20 classes at 32 x 32, K = 3 and 6, one thread
    python benchmarks/group_wsss_messages.py --device cuda --classes 80

A group of K has K (K - 1) ordered pairs. All are computed at once, forward and backward; the time of a pair should not
depend on K. The second comparison takes the same messages pair by pair, as the released code does.
"""

import argparse
from pathlib import Path

import torch

from labelkit.models.coattention import CoAttention
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import compare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--size", type=int, default=32, help="positions of a side of the maps")
    parser.add_argument("--small", type=int, default=3, help="images of the small group")
    parser.add_argument("--large", type=int, default=6, help="images of the large group")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    block = CoAttention(args.classes).to(args.device)
    nodes = torch.rand(1, args.large, args.classes, args.size, args.size, device=args.device, requires_grad=True)

    def at_once(images: int) -> None:
        block.between(nodes[:, :images]).sum().backward()

    def one_by_one(images: int) -> None:
        pairs = [(a, b) for a in range(images) for b in range(images) if a != b]
        torch.stack([block(nodes[:, a], nodes[:, b]) for a, b in pairs]).sum().backward()

    pairs = {name: images * (images - 1) for name, images in (("small", args.small), ("large", args.large))}
    place = f"{args.classes} classes, {args.size} x {args.size} positions, {args.device}"
    growth = compare(
        {
            "large": (f"K = {args.large}, {pairs['large']} pairs", lambda: at_once(args.large)),
            "small": (f"K = {args.small}, {pairs['small']} pairs", lambda: at_once(args.small)),
        },
        args.rounds,
        args.device,
        f"Messages of all pairs, forward and backward; {place}",
    )
    growth["per_pair_ratio"] = growth["ratio"] * pairs["small"] / pairs["large"]
    print(f"{'ratio of a pair':<24} {growth['per_pair_ratio']:>9.3f}")
    batched = compare(
        {
            "at_once": (f"K = {args.small}, at once", lambda: at_once(args.small)),
            "one_by_one": (f"K = {args.small}, pair by pair", lambda: one_by_one(args.small)),
        },
        args.rounds,
        args.device,
        "The same messages, all at once and pair by pair",
    )
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        figures = {"settings": settings, "pairs": pairs, "growth": growth, "batched": batched}
        write(args.json, figures, args.device, args.threads)


if __name__ == "__main__":
    main()
