"""Saliency maps such as an off-the-shelf detector would give: blurred, with misses and false alarms, never the mask.

The detector sees the scene on a coarse grid. It finds each toy, or misses it; sometimes it finds only one end of it; it
takes things on the floor, or the bare floor, for objects; then everything is blurred and a smooth error is added. Three
levels say how bad it is. Level and picture size change neither the picture nor its labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelkit.worlds.objects.draw import Draw, cloud, ramp
from labelkit.worlds.objects.picture import Picture, extent

GRID = 32  # cells of the detector in a scene unit


@dataclass(frozen=True)
class Level:
    """How good the detector is.

    Attributes:
        miss: chance that a whole toy is missed.
        half: chance that of a toy that is not missed only one end is found.
        false_alarm: chance that a picture has a false alarm, on a thing or on the bare floor.
        blurs: number of times that the map is blurred by a quarter, a half and a quarter of neighbouring cells.
        noise: largest smooth error, up or down, where something is found; three tenths of it elsewhere.
    """

    miss: float
    half: float
    false_alarm: float
    blurs: int
    noise: float


LEVELS = {
    1: Level(miss=0.03, half=0.10, false_alarm=0.15, blurs=2, noise=0.10),
    2: Level(miss=0.10, half=0.20, false_alarm=0.30, blurs=3, noise=0.16),
    3: Level(miss=0.25, half=0.35, false_alarm=0.60, blurs=6, noise=0.25),
}


def saliency_map(draw: Draw, picture: Picture, level: int) -> np.ndarray:
    """What the detector says about a picture.

    Args:
        draw: the detector's numbers. The same stream serves every level: what a good detector misses, a worse one
            misses, too.
        picture: what it looks at.
        level: a key of `LEVELS`.

    Returns:
        (H, W) float32 in whole 255ths.
    """
    how, (height, width) = LEVELS[level], picture.mask.shape
    wide, tall = extent(height, width)
    columns, rows = int(GRID * wide + 0.5), int(GRID * tall + 0.5)
    x, y = ramp(columns, wide), ramp(rows, tall)
    seen = picture.owner[
        np.ix_((y * np.float32(height / tall)).astype(np.intp), (x * np.float32(width / wide)).astype(np.intp))
    ]
    found = np.zeros((rows, columns), np.float32)
    for number, toy in enumerate(picture.scene.toys, start=1):
        missed, halved, strength = draw.unit() < how.miss, draw.unit() < how.half, draw.between(0.75, 1)
        behind, share = draw.chance(0.5), draw.between(-0.1, 0.1)
        if missed:
            continue
        own = seen == number
        if halved:  # only what lies on one side of a line across the toy
            along = ((x - np.float32(toy.centre[0])) * np.float32(-1 if toy.mirrored else 1))[None, :]
            own &= (along < np.float32(share)) if behind else (along > np.float32(share))
        found[own] = strength
    _false_alarm(draw, how, picture, seen, found, x, y)
    for _ in range(how.blurs):
        found = _blur(_blur(found).T).T
    error = cloud(draw.grid(8, 8), x, y, 5) * 2 - 1
    found = found + np.float32(how.noise) * error * (np.float32(0.3) + np.float32(0.7) * found)
    cells = np.minimum(np.maximum(found, 0), 1)
    full = _enlarge(_enlarge(cells, height).T, width).T
    return np.floor(full * 255 + np.float32(0.5)) / np.float32(255)


def _false_alarm(
    draw: Draw, how: Level, picture: Picture, seen: np.ndarray, found: np.ndarray, x: np.ndarray, y: np.ndarray
) -> None:
    """Mark a place away from the toys as found: of eight, things first, the one that toys cover least."""
    wrong, strength, size = draw.unit() < how.false_alarm, draw.between(0.7, 1), draw.between(0.1, 0.16)
    places = [(thing.centre, 0.5 * thing.size) for thing in picture.scene.behind]
    places += [((draw.between(0, float(x[-1])), draw.between(0, float(y[-1]))), size) for _ in range(8)]
    if not wrong:
        return
    best: tuple[float, np.ndarray] | None = None
    for centre, radius in places[:8]:
        across, down = (x - np.float32(centre[0]))[None, :], (y - np.float32(centre[1]))[:, None]
        reach = max(radius, 0.09)
        inside = across * across + down * down < np.float32(reach * reach)
        covered = float((inside & (seen > 0)).sum()) / max(1, int(inside.sum()))
        if inside.any() and (best is None or covered < best[0]):
            best = covered, inside
    if best is not None:
        found[best[1]] = np.maximum(found[best[1]], np.float32(strength))


def _blur(values: np.ndarray) -> np.ndarray:
    """A quarter, a half and a quarter of neighbouring rows."""
    wide = np.concatenate([values[:1], values, values[-1:]])
    return (wide[:-2] + wide[2:]) * np.float32(0.25) + values * np.float32(0.5)


def _enlarge(values: np.ndarray, length: int) -> np.ndarray:
    """Stretch the rows to another number, blended in between."""
    place = ramp(length, float(len(values))) - np.float32(0.5)
    place = np.minimum(np.maximum(place, 0), np.float32(len(values) - 1))
    first = np.minimum(place.astype(np.intp), len(values) - 2)
    share = (place - first.astype(np.float32))[:, None]
    return values[first] * (1 - share) + values[first + 1] * share
