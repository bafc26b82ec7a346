"""Video panoptic quality, streaming, against the same numbers counted segment by segment with masks.

    python benchmarks/video_vpq.py    # 100 clips of 6 frames of 1024 x 2048, 19 classes, about 40 segments a frame
    python benchmarks/video_vpq.py --clips 4 --loop-clips 1

The clips are drawn one at a time, as a model would give them, and only the metric is timed. The loop is the oracle of
the tests; it runs on the first clips only, and its time for all is scaled by the number of clips, which are alike. On
these clips the two must give equal counts. Memory is the process's peak, drawing included.
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

from labelkit.metrics.panoptic_tubes import VideoPanopticQuality
from labelkit.publish.benchmarks import write

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "metrics"))
from panoptic_loop import loop_counts

CLASSES, WINDOWS = 19, (1, 2, 3, 4)


def draw(seed, frames, height, width, segments):
    """A clip: ids (T, H, W) of truth and prediction, int32, and one table of id to class.

    Bands of ground, buildings and sky, moving ellipses on them, and a void strip; the prediction shifts everything by
    some pixels, mislabels some things and roughens the edges.
    """
    rng = np.random.default_rng(seed)
    bands = 11  # stuff, as in Cityscapes
    classes = {each: each - 1 for each in range(1, bands + 1)}
    classes |= {bands + 1 + i: bands + i % (CLASSES - bands) for i in range(2 * segments)}
    edges = np.sort(rng.integers(0, height, bands - 1))
    things = segments - bands
    centres, speeds = rng.random((things, 2)) * (height, width), rng.normal(0, 12, (things, 2))
    radii = 12 + rng.random((things, 2)) * 90
    maps = np.zeros((2, frames, height, width), np.int32)
    for side in (0, 1):
        shift = 3 * side
        for t in range(frames):
            rows = np.searchsorted(edges, np.arange(height) + shift, side="right") + 1
            maps[side, t] = rows[:, None]
            for i in range(things):
                y, x = centres[i] + speeds[i] * t + shift
                top, bottom = (int(np.clip(y + d * radii[i, 0], 0, height)) for d in (-1, 1))
                left, right = (int(np.clip(x + d * radii[i, 1], 0, width)) for d in (-1, 1))
                yy, xx = np.ogrid[top:bottom, left:right]
                inside = ((yy - y) / radii[i, 0]) ** 2 + ((xx - x) / radii[i, 1]) ** 2 < 1
                swapped = side and rng.random() < 0.1  # an identity switch
                maps[side, t, top:bottom, left:right][inside] = bands + 1 + i + swapped * segments
    maps[0, :, -height // 16 :] = 0
    jitter = rng.integers(0, 3, (frames, height, 1))
    columns = np.clip(np.arange(width) + jitter, 0, width - 1)  # ragged edges
    maps[1] = np.take_along_axis(maps[1], columns, 2)
    return maps[0], maps[1], classes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--loop-clips", type=int, default=2, help="clips that the loop counts too")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--height", type=int, default=1024)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--segments", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    metric = VideoPanopticQuality(CLASSES, WINDOWS, frames=options.frames)
    ours = first_clips = loop = 0.0
    expected = {window: 0 for window in WINDOWS}
    found = []
    for clip in range(options.clips):
        truth, guess, classes = draw(clip, options.frames, options.height, options.width, options.segments)
        found.append(np.mean([np.unique(frame).size for frame in guess]))
        started = time.perf_counter()
        metric.update(truth, classes, guess, classes)
        ours += time.perf_counter() - started
        if clip == options.loop_clips - 1:
            first_clips = ours
        if clip < options.loop_clips:
            started = time.perf_counter()
            tables, crowds = [classes] * options.frames, [()] * options.frames
            for window in WINDOWS:
                counts = loop_counts(truth, tables, guess, tables, CLASSES, crowds, window)
                expected[window] = expected[window] + np.array(counts)
            loop += time.perf_counter() - started
            for window, counts in metric.counts.items():
                same = np.stack([counts.iou, counts.tp, counts.fp, counts.fn])
                if not np.allclose(same, expected[window], rtol=0, atol=1e-9):
                    raise SystemExit(f"clip {clip}: the counts of windows of {window} frames differ from the loop's.")
    ratio = loop / first_clips
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**10 if sys.platform != "darwin" else 2**20)
    scaled = loop / options.loop_clips * options.clips
    print(
        f"{options.clips} clips of {options.frames} frames of {options.height} x {options.width}, {CLASSES} classes, "
        f"{np.mean(found):.0f} predicted segments a frame; VPQ {metric.vpq():.4f}"
    )
    print(f"labelkit                 {ours:>9.2f} s   {1e3 * ours / options.clips:>9.1f} ms a clip")
    print(
        f"loop over segments       {scaled:>9.2f} s   {1e3 * loop / options.loop_clips:>9.1f} ms a clip   "
        f"(measured on {options.loop_clips} clips, scaled to {options.clips})"
    )
    print(f"ratio, on those clips    {ratio:>9.1f}")
    print(f"peak memory              {peak:>9.0f} MiB")
    if options.json:
        figures = {
            "settings": {key: value for key, value in vars(options).items() if key != "json"},
            "segments_a_frame": float(np.mean(found)),
            "labelkit_seconds": ours,
            "loop_seconds_scaled": scaled,
            "speedup": ratio,
            "peak_mib": peak,
        }
        write(options.json, figures, "cpu", 1, part="panoptic")


if __name__ == "__main__":
    main()
