"""What a street scene costs: milliseconds per image, and a batch beside a training step of the lesson network.

Run: python benchmarks/streets_speed.py [--json PATH]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from labelkit.publish.benchmarks import write
from labelkit.worlds.streets import StreetClips, Streets


def milliseconds(action: Callable[[], object], repeats: int) -> float:
    """Median wall time of one call, in milliseconds, after a call to warm up."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1000)
    return sorted(times)[len(times) // 2]


def per_image(height: int, width: int, count: int, repeats: int, keep_mib: int = 0) -> float:
    """Milliseconds per still, the mean over `count` scenes; sprites and textures are made beforehand.

    Without `keep_mib` every scene is drawn each time; with it, all but the first time it comes from memory.
    """
    world = Streets("train", 400, height, width, keep_mib=keep_mib)
    for index in range(0, 400, 400 // min(400, 6 * count)):
        world[index]
    return milliseconds(lambda: [world[index] for index in range(count)], repeats) / count


def training_step(batch: int, height: int, width: int) -> float | None:
    """Milliseconds of one training step of the lesson network on full labels; None where it is not installed."""
    try:
        from labelkit.models.lesson import LessonNet
    except ImportError:
        return None
    world = Streets("train", batch, height, width)
    images = torch.stack([world[index]["image"] for index in range(batch)])
    masks = torch.stack([world[index]["mask"] for index in range(batch)])
    network = LessonNet(len(world.classes))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), masks).backward()
        optimizer.step()

    return milliseconds(step, 7)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", help="write the results there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    drawn, kept = per_image(96, 128, 64, 5), per_image(96, 128, 64, 5, keep_mib=128)
    print(f"still  96x128   {drawn:8.2f} ms drawn, {kept:.2f} ms from memory")
    large = per_image(512, 1024, 4, 3)
    print(f"still 512x1024  {large:8.2f} ms drawn")
    clips = StreetClips("train", 8)
    clip = milliseconds(lambda: [clips[index] for index in range(8)], 3) / 8
    print(f"clip  96x128x6  {clip:8.2f} ms drawn, with flow")
    step = training_step(8, 96, 128)
    figures = {"still": drawn, "still_from_memory": kept, "still_512x1024": large, "clip": clip, "training_step": step}
    if options.json:
        write(options.json, {"milliseconds": figures}, "cpu", 1)
    if step is None:
        print("labelkit.models.lesson is missing: no ratio")
        return
    print(f"training step of the lesson network, batch of 8, one thread: {step:.1f} ms")
    # A lesson of 400 steps on 800 scenes draws each scene once and then finds it in memory.
    run = (800 * drawn + (400 * 8 - 800) * kept) / (400 * step)
    print(f"batch / step: {8 * drawn / step:.3f} drawn, {8 * kept / step:.3f} from memory, {run:.3f} over 400 steps")


if __name__ == "__main__":
    main()
