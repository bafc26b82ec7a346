"""Many random maps of one image, and one training step of the last layer: four forms of stochastic selection.

    python benchmarks/ficklenet_selection.py                 # 41 x 41 x 512 features, kernel 9, 20 classes, one thread
    python benchmarks/ficklenet_selection.py --device cuda

Maps: the localisation maps of the classes that an image shows (3 of 20), for 200 draws. The forms that need a backward
pass for every draw and class (loop over windows, expanded map, unfold) are timed for ``--draws`` draws and counted up
to 200, since their time is a multiple of that of one draw; ``products`` makes all 200. Training: forward and backward
of the 20 class logits. Peak memory of each is that of a process of its own, above what it held before (on CUDA, that of
torch's allocator), beside one deterministic pass; VGG-16 on a 321 x 321 image stands there for scale. On the CPU it is
read from Linux and left out elsewhere.
"""

import argparse
import multiprocessing
import statistics
from pathlib import Path

import torch

from labelkit.models.selection_maps import random_maps
from labelkit.models.stochastic_selection import FORMS, SCORES, StochasticSelection
from labelkit.models.vgg import VGG16Trunk
from labelkit.pseudo_labels.activation_maps import grad_cam
from labelkit.pseudo_labels.stochastic_union import StochasticUnion
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import seconds


class Sides:
    """What is timed: the same features, weights and numbers of draws for all."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(args.threads)
        self.args = args
        self.head = StochasticSelection(args.channels, args.classes, args.kernel, args.rate).to(args.device)
        self.x = torch.rand(1, args.channels, args.side, args.side, device=args.device)
        self.shown = torch.arange(args.shown, device=args.device)

    def maps(self, form: str, draws: int) -> None:
        """Maps of some draws, united."""
        union = StochasticUnion()
        if form == "products":
            for maps in random_maps(self.head, self.x[0], self.shown, draws, at_a_time=self.args.at_a_time):
                union.add(maps)
            return
        weight, bias = (value[: self.args.shown] for value in (self.head.conv.weight, self.head.conv.bias))
        for _ in range(draws):
            factors = self.head.factors(self.head.draw(1, *self.x.shape[2:], device=self.x.device))
            score = lambda x, factors=factors: SCORES[form](x, weight.detach(), bias, factors).mean((2, 3))  # noqa: E731
            union.add(grad_cam(score, self.x, elementwise=True))

    def deterministic(self) -> None:
        """One pass without masks and the maps of the shown classes, by autograd."""
        weight, bias = (value[: self.args.shown].detach() for value in (self.head.conv.weight, self.head.conv.bias))
        convolve = torch.nn.functional.conv2d
        grad_cam(
            lambda x: convolve(x, weight, bias, padding=self.args.kernel // 2).mean((2, 3)), self.x, elementwise=True
        )

    def train(self, form: str) -> None:
        """Forward and backward of the class logits, with gradients of features and weights."""
        self.head.form = form
        self.head.zero_grad()
        self.head.logits(self.x.clone().requires_grad_()).sum().backward()

    def trunk(self) -> None:
        """VGG-16 without gradients: what an inference pass needs before the last layer."""
        with torch.no_grad():
            VGG16Trunk().to(self.args.device)(torch.rand(1, 3, 321, 321, device=self.args.device))


def peak(args: argparse.Namespace, action: str, values: tuple, answer: "multiprocessing.Queue") -> None:
    """Peak memory of one action in MiB, in a process of its own."""
    sides = Sides(args)
    if args.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        getattr(sides, action)(*values)
        answer.put((torch.cuda.max_memory_allocated() - before) / 2**20)
        return
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is held now
    before = resident("VmRSS")
    getattr(sides, action)(*values)
    answer.put((resident("VmHWM") - before) / 2**10)


def resident(name: str) -> int:
    """A line of Linux's account of this process, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def peaks(args: argparse.Namespace) -> dict[str, float]:
    """Peak memory of every action, MiB."""
    actions = {"deterministic": ("deterministic", ()), "VGG-16": ("trunk", ())}
    actions |= {form: ("maps", (form, args.total if form == "products" else 1)) for form in FORMS}
    found, context = {}, multiprocessing.get_context("spawn")
    for name, (action, values) in actions.items():
        answer = context.Queue()
        process = context.Process(target=peak, args=(args, action, values, answer))
        process.start()
        found[name] = answer.get(timeout=600)
        process.join()
        print(f"peak memory, {name:<24} {found[name]:>9.0f} MiB")
    return found


def times(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Seconds of all maps and of a training step by form, and how many times as fast as the loop each form is."""
    sides = Sides(args)
    rounds: list[dict[str, dict[str, float]]] = []
    for form in FORMS:  # not counted: the first call of each pays for memory and for choosing kernels
        sides.maps(form, 1)
        sides.train(form)
    for index in range(args.rounds):
        each: dict[str, dict[str, float]] = {"maps": {}, "training": {}}
        for form in reversed(FORMS) if index % 2 else FORMS:
            draws = args.total if form == "products" else args.draws
            taken = seconds(lambda form=form, draws=draws: sides.maps(form, draws), args.device)
            each["maps"][form] = taken * args.total / draws
            each["training"][form] = seconds(lambda form=form: sides.train(form), args.device)
        rounds.append(each)
    found: dict[str, dict[str, float]] = {}
    for what in ("maps", "training"):
        for form in FORMS:
            taken = statistics.median(each[what][form] for each in rounds)
            ratio = statistics.median(each[what]["windows"] / each[what][form] for each in rounds)
            found.setdefault(f"{what}_seconds", {})[form] = taken
            found.setdefault(f"{what}_times", {})[form] = ratio
            print(f"{what}, {form:<24} {taken:>10.3f} s {ratio:>9.1f} times")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=41, help="of the features, in positions")
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--kernel", type=int, default=9)
    parser.add_argument("--rate", type=float, default=0.9)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--shown", type=int, default=3, help="classes that the image shows, of which maps are made")
    parser.add_argument("--total", type=int, default=200, help="draws that are united")
    parser.add_argument("--draws", type=int, default=1, help="draws that are timed, of the forms with a backward pass")
    parser.add_argument("--at-a-time", type=int, default=50, help="draws that lie in memory together")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()
    print(f"{args.side} x {args.side} x {args.channels}, kernel {args.kernel}, {args.total} draws, {args.device}")
    figures = {"settings": {k: v for k, v in vars(args).items() if k != "json"}} | times(args)
    if args.device.startswith("cuda") or Path("/proc/self/clear_refs").exists():
        figures["peak_mib"] = peaks(args)
    if args.json:
        write(args.json, figures, args.device, args.threads, part=args.device.partition(":")[0])


if __name__ == "__main__":
    main()
