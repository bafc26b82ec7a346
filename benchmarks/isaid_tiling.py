"""A large aerial image cut into patches with a COCO file, by the rules of iSAID's devkit.

    python benchmarks/isaid_tiling.py    # 4,000 x 13,000 pixels, 5,000 instances, 800 / 200, one thread

The image is a mosaic of drawn scenes, written as three PNG files like those of iSAID before the clock starts. Timed is
everything from these files to the patches' files and the JSON file: decoding, cutting, three PNG files a patch,
classes, drop rules, run lengths. Beside the wall time stands the processor's, which other work does not disturb.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from labelkit.datasets.isaid_coco import to_coco
from labelkit.datasets.isaid_colours import PALETTE
from labelkit.datasets.isaid_files import COLOURS, IDS, SceneFiles
from labelkit.datasets.isaid_tiling import tile_image
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import seconds
from labelkit.worlds.aerial import Aerial

SCENE = 1000  # side of a drawn scene


def mosaic(height: int, width: int, instances: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture (H, W, 3) uint8, instance map (H, W) int32 and classes (instances,), instances spread evenly."""
    rows, columns = -(-height // SCENE), -(-width // SCENE)
    world = Aerial("train", 6, SCENE, SCENE)
    drawn = [world.picture(index) for index in range(6)]
    picture = np.empty((rows * SCENE, columns * SCENE, 3), np.uint8)
    numbers = np.zeros(picture.shape[:2], np.int32)
    labels: list[int] = []
    places = [(row, column) for row in range(rows) for column in range(columns)]
    for done, (row, column) in enumerate(places):
        scene = drawn[(row * 5 + column) % 6]
        share = min(-(-(instances - len(labels)) // (len(places) - done)), len(scene.labels))
        window = slice(row * SCENE, (row + 1) * SCENE), slice(column * SCENE, (column + 1) * SCENE)
        picture[window] = scene.image.transpose(1, 2, 0)
        chosen = np.linspace(0, len(scene.labels) - 1, share).astype(int)
        table = np.zeros(len(scene.labels) + 1, np.int32)
        table[chosen + 1] = np.arange(1, share + 1) + len(labels)
        numbers[window] = table[scene.instances]
        labels += scene.labels[chosen].tolist()
    return picture[:height, :width], numbers[:height, :width], np.array(labels)


def coded(codes: np.ndarray) -> np.ndarray:
    """Integer codes as a picture, R + 256 G + 65,536 B."""
    return np.stack([codes & 255, (codes >> 8) & 255, codes >> 16], axis=-1).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--height", type=int, default=4000)
    parser.add_argument("--width", type=int, default=13000)
    parser.add_argument("--instances", type=int, default=5000)
    parser.add_argument("--patch", type=int, default=800)
    parser.add_argument("--overlap", type=int, default=200)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    picture, numbers, labels = mosaic(args.height, args.width, args.instances)
    with tempfile.TemporaryDirectory() as name:
        folder, counts = Path(name), {}
        files = SceneFiles("P0001", *(folder / f"P0001{kind}.png" for kind in ("", COLOURS, IDS)))
        codes = np.concatenate([[0], 1000 + 37 * np.arange(1, len(labels) + 1)]).astype(np.int32)
        classes = np.concatenate([[0], labels])[numbers]
        for array, path in zip((picture, PALETTE[classes], coded(codes[numbers])), files[1:]):
            Image.fromarray(array).save(path, compress_level=1)
        del picture, numbers, classes

        def cut() -> None:
            target = folder / "patches"
            target.mkdir()
            coco = to_coco(tile_image(files, target, args.patch, args.overlap))
            (folder / "instances.json").write_text(json.dumps(coco))
            counts.update(patches=len(coco["images"]), annotations=len(coco["annotations"]))

        busy = time.process_time()
        took = seconds(cut)
        busy = time.process_time() - busy
    print(f"{args.height} x {args.width} pixels, {args.instances} instances")
    print(f"{counts['patches']} patches, {counts['annotations']} annotations: {took:.1f} s, {busy:.1f} s of one core")
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        figures = {"settings": settings, "tiling_seconds": took, "tiling_cpu_seconds": busy, **counts}
        write(args.json, figures, "cpu", 1, ("pycocotools",), part="tiling")


if __name__ == "__main__":
    main()
