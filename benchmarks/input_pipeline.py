"""Our input pipeline against torchvision's transforms v2, straightforwardly composed, on one core, as a ratio.

    python benchmarks/input_pipeline.py                     # PNG of 1024 x 2048, crop 800; JPEG of 375 x 500, crop 512
    python benchmarks/input_pipeline.py --step-seconds 0.25 --batch 8    # and the loader cores that one GPU then needs

Both sides read a picture and its mask from files, resize by a factor of 0.5 to 2, crop (padding where the picture is
smaller), flip and normalise. Ours: a data set, `RandomScaleCropFlip`, mean and standard deviation. Theirs: Pillow,
`ToImage`, `ScaleJitter`, `RandomCrop`, `RandomHorizontalFlip`, `ToDtype`, `Normalize` in one `Compose`. Theirs
antialiases where it shrinks a picture, which is the default; with ``--no-antialias`` it interpolates as ours does. Both
sides see the same pictures in the same order, and draw factors of one distribution; a round is all pictures once.

The pictures are drawn: smooth shading, edges and grain, so that files have about the length of a camera's.
"""

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.folder import ImageMaskFolder
from labelkit.datasets.memory import as_bytes
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import compare

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES = tuple(f"class {number}" for number in range(19))
KINDS = {"cityscapes": (1024, 2048, 800, "png"), "voc": (375, 500, 512, "jpg")}  # rows, columns, crop, format
SCALES = (0.5, 2.0)


def picture(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A picture with shading, thirty shapes with edges, and grain, (H, W, 3) uint8."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    shade = 90 + 60 * np.sin(rows / height * 3 + rng.random()) + 30 * np.cos(columns / width * 5 + rng.random())
    drawn = np.repeat(shade[..., None], 3, axis=2)
    for _ in range(30):
        y, x = rng.integers(0, height), rng.integers(0, width)
        h, w = rng.integers(height // 40, height // 3), rng.integers(width // 40, width // 4)
        drawn[y : y + h, x : x + w] = 0.4 * drawn[y : y + h, x : x + w] + rng.integers(0, 150, 3)
    drawn += rng.normal(0, 2.0, (height, width, 1)) + rng.normal(0, 0.7, drawn.shape)
    return drawn.clip(0, 255).astype(np.uint8)


def mask(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Labels in thirty shapes, (H, W) uint8."""
    drawn = np.zeros((height, width), np.uint8)
    for _ in range(30):
        y, x = rng.integers(0, height), rng.integers(0, width)
        drawn[y : y + height // 4, x : x + width // 6] = rng.integers(0, len(CLASSES))
    drawn[:5] = 255
    return drawn


def files(folder: Path, kind: str, count: int) -> Path:
    """Write pictures and masks of a kind; gives the folder."""
    height, width, _, form = KINDS[kind]
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        Image.fromarray(picture(height, width, rng)).save(folder / "images" / f"{number:03d}.{form}")
        Image.fromarray(mask(height, width, rng)).save(folder / "masks" / f"{number:03d}.png")
    return folder


def ours(folder: Path, crop: int):
    """A function of the index of a picture: image (3, crop, crop) normalised, mask (crop, crop)."""
    dataset = as_bytes(ImageMaskFolder(folder, classes=CLASSES, ignore_values=(255,), cache=False))
    augment = RandomScaleCropFlip(crop, crop, SCALES, continuous=True)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))

    def sample(index: int) -> tuple[torch.Tensor, torch.Tensor]:
        cut = augment(dataset[index], np.random.default_rng([0, index]))
        return cut["image"].sub_(mean).div_(std), cut["mask"]

    return sample


def theirs(folder: Path, kind: str, antialias: bool):
    """The same, with transforms v2."""
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    height, width, crop, _ = KINDS[kind]
    transform = v2.Compose(
        [
            v2.ScaleJitter((height, width), SCALES, antialias=antialias),
            v2.RandomCrop((crop, crop), pad_if_needed=True, fill={tv_tensors.Image: 124, tv_tensors.Mask: 255}),
            v2.RandomHorizontalFlip(),
            v2.ToDtype({tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64, "others": None}, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    pairs = [(path, folder / "masks" / f"{path.stem}.png") for path in sorted((folder / "images").iterdir())]
    to_image = v2.ToImage()

    def sample(index: int) -> tuple[torch.Tensor, torch.Tensor]:
        with Image.open(pairs[index][0]) as opened:
            image = to_image(opened.convert("RGB"))
        with Image.open(pairs[index][1]) as opened:
            labels = tv_tensors.Mask(torch.from_numpy(np.array(opened)))
        return transform(image, labels)

    return sample


def cores(images_a_second: float, batch: int, step_seconds: float) -> int:
    """Loader cores that keep up with a GPU: images that a step consumes over what a core delivers in that time."""
    return math.ceil(batch / step_seconds / images_a_second)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kind", choices=(*KINDS, "all"), default="all")
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--no-antialias", action="store_true", help="theirs interpolates as ours does")
    parser.add_argument("--step-seconds", type=float, help="time of a training step on the GPU")
    parser.add_argument("--batch", type=int, default=16, help="images that a step consumes")
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    torch.set_num_threads(1)
    found: dict[str, float] = {}
    for kind in KINDS if args.kind == "all" else (args.kind,):
        height, width, crop, form = KINDS[kind]
        with tempfile.TemporaryDirectory() as temporary:
            folder = files(Path(temporary) / "data", kind, args.pictures)
            one, other = ours(folder, crop), theirs(folder, kind, not args.no_antialias)
            shapes = [[tuple(part.shape) for part in side(0)] for side in (one, other)]
            assert shapes[0] == shapes[1] == [(3, crop, crop), (crop, crop)], shapes
            sides = {
                "ours": ("ours", lambda one=one: [one(index) for index in range(args.pictures)]),
                "theirs": ("transforms v2", lambda other=other: [other(index) for index in range(args.pictures)]),
            }
            title = f"{args.pictures} {form.upper()} of {height} x {width}, crop {crop}, one core"
            figures = compare(sides, args.rounds, "cpu", title, warm_up=1)
        rate = args.pictures / figures["ours_seconds"]
        print(f"{'ours':<24} {rate:>9.1f} images/s a core")
        found |= {f"{kind}_{key}": value for key, value in figures.items()} | {f"{kind}_images_a_second": rate}
        if args.step_seconds:
            needed = cores(rate, args.batch, args.step_seconds)
            found[f"{kind}_loader_cores"] = needed
            print(f"one GPU at {args.step_seconds} s a step of {args.batch} images needs {needed} loader cores")
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        write(args.json, {"settings": settings} | found, "cpu", 1)


if __name__ == "__main__":
    main()
