"""The picture while it is painted: single things through a `Sheet`, many small ones at once through `Stamps`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Colour = Sequence[float]
Turn = tuple[float, float]  # cosine and sine
Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Board:
    """Colours and owners of all pixels.

    Args:
        canvas: (3, H, W) float32.
        clouds, mottle, grain: (H, W) float32 in 0..1: coarse, middle and fine unevenness of every surface.
        sun: where a shadow falls, in pixels right and down for a height of one pixel.
        darkness: share of the light that a shadow takes.

    Attributes:
        owner: (H, W) int32, 0 for nobody, otherwise the number of an object.
        labels: class of object 1, 2, ...
    """

    def __init__(
        self,
        canvas: np.ndarray,
        clouds: np.ndarray,
        mottle: np.ndarray,
        grain: np.ndarray,
        sun: tuple[float, float],
        darkness: float,
    ) -> None:
        self.canvas, self.clouds, self.mottle, self.grain = canvas, clouds, mottle, grain
        self.sun, self.darkness = sun, darkness
        self.height, self.width = canvas.shape[1:]
        self.owner = np.zeros(canvas.shape[1:], np.int32)
        self.labels: list[int] = []

    def add(self, label: int) -> int:
        """The number of a new object."""
        self.labels.append(label)
        return len(self.labels)


class Sheet:
    """A window around one thing, with the thing's own axes.

    Args:
        board: painted through this sheet.
        centre: x, y of the thing's middle in pixels.
        turn: cosine and sine of the direction of its u axis; the v axis is a quarter turn clockwise from it.
        reach: half its length along u and v.
        height: over the ground in pixels; the window has room for the shadow.

    Attributes:
        u, v: coordinates of the window's pixels.
        seen: whether any pixel is in the picture.
    """

    def __init__(
        self, board: Board, centre: tuple[float, float], turn: Turn, reach: tuple[float, float], height: float = 0.0
    ) -> None:
        self.board, self.turn, self.height = board, turn, height
        cosine, sine = turn
        edges = []
        for middle, half, shadow, side in (
            (centre[1], abs(sine) * reach[0] + abs(cosine) * reach[1], board.sun[1] * height, board.height),
            (centre[0], abs(cosine) * reach[0] + abs(sine) * reach[1], board.sun[0] * height, board.width),
        ):
            low = min(max(int(middle - half + min(shadow, 0.0)) - 2, 0), side)
            edges.append(slice(low, max(min(int(middle + half + max(shadow, 0.0)) + 3, side), low)))
        self.window = tuple(edges)
        self.canvas, self.owner = board.canvas[(slice(None), *edges)], board.owner[self.window]
        y = (np.arange(edges[0].start, edges[0].stop, dtype=np.float32) + np.float32(0.5 - centre[1]))[:, None]
        x = (np.arange(edges[1].start, edges[1].stop, dtype=np.float32) + np.float32(0.5 - centre[0]))[None, :]
        self.u, self.v = x * cosine + y * sine, y * cosine - x * sine
        self.seen = self.u.size > 0

    def fill(self, alpha: np.ndarray, colour: Colour, tone: np.ndarray | float = 1.0) -> None:
        """Paint with a colour times a tone."""
        for channel in range(3):
            below = self.canvas[channel]
            below += (tone * float(colour[channel]) - below) * alpha

    def darken(self, alpha: np.ndarray, share: float) -> None:
        """Take away a share of the light."""
        self.canvas *= 1 - alpha * share

    def cast(self, shape: Shape) -> None:
        """Paint the shadow of an upright thing with the given outline."""
        along, down = self.board.sun[0] * self.height, self.board.sun[1] * self.height
        steps = max(1, int(max(abs(along), abs(down)) / 3))
        shade = None
        for step in range(1, steps + 1):
            x, y = along * step / steps, down * step / steps
            at = shape(self.u - (x * self.turn[0] + y * self.turn[1]), self.v - (y * self.turn[0] - x * self.turn[1]))
            shade = at if shade is None else np.maximum(shade, at)
        self.darken(shade, self.board.darkness)

    def claim(self, alpha: np.ndarray, number: int) -> None:
        """Say whose the pixels are that are covered by half."""
        self.owner[alpha >= 0.5] = number

    def rough(self, clouds: float, mottle: float, grain: float) -> np.ndarray:
        """Tone of an uneven surface around 1."""
        board, window = self.board, self.window
        tone = board.clouds[window] * clouds
        tone += board.mottle[window] * mottle
        tone += board.grain[window] * grain
        tone += 1 - (clouds + mottle + grain) / 2
        return tone


class Stamps:
    """Many small things at once: arrays of (N, pixels of a window).

    Things may touch; where two cover the same pixel, the later one counts.

    Args:
        board: painted through these.
        centres: N places x, y.
        turns: N directions.
        reach: half the side of a window in pixels.
    """

    def __init__(self, board: Board, centres: Sequence[tuple[float, float]], turns: Sequence[Turn], reach: int) -> None:
        self.board, self.count = board, len(centres)
        middle = np.array(centres, np.float32).reshape(-1, 2)
        self.cosine, self.sine = (np.array([turn[i] for turn in turns], np.float32)[:, None] for i in (0, 1))
        base = np.floor(middle).astype(np.int64)
        steps = np.arange(-reach, reach + 1)
        across, down = (grid.ravel()[None, :] for grid in np.meshgrid(steps, steps))
        x, y = base[:, :1] + across, base[:, 1:] + down
        self.valid = (x >= 0) & (y >= 0) & (x < board.width) & (y < board.height)
        self.place = np.where(self.valid, y * board.width + x, 0)
        dx, dy = x.astype(np.float32) + 0.5 - middle[:, :1], y.astype(np.float32) + 0.5 - middle[:, 1:]
        self.u, self.v = dx * self.cosine + dy * self.sine, dy * self.cosine - dx * self.sine

    def shifted(self, height: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates seen from the shadow of things of a height."""
        x, y = self.board.sun[0] * height, self.board.sun[1] * height
        return self.u - (x * self.cosine + y * self.sine), self.v - (y * self.cosine - x * self.sine)

    def fill(self, alpha: np.ndarray, colour: Colour | np.ndarray, tone: np.ndarray | float = 1.0) -> None:
        """Paint; `colour` is one for all, or (N, 3)."""
        chosen = self.valid & (alpha > 0)
        place, share = self.place[chosen], alpha[chosen]
        own = np.asarray(colour, np.float32)
        light = np.broadcast_to(np.asarray(tone, np.float32), chosen.shape)[chosen]
        rows = np.nonzero(chosen)[0] if own.ndim == 2 else None
        for channel in range(3):
            flat = self.board.canvas[channel].reshape(-1)
            below = flat[place]
            value = own[channel] if rows is None else own[rows, channel]
            flat[place] = below + (light * value - below) * share

    def darken(self, alpha: np.ndarray, share: float) -> None:
        """Take away a share of the light."""
        chosen = self.valid & (alpha > 0)
        place, light = self.place[chosen], 1 - alpha[chosen] * np.float32(share)
        for channel in range(3):
            flat = self.board.canvas[channel].reshape(-1)
            flat[place] = flat[place] * light

    def claim(self, alpha: np.ndarray, numbers: np.ndarray) -> None:
        """Say whose the pixels are that are covered by half; `numbers` (N,), 0 for nobody."""
        chosen = self.valid & (alpha >= 0.5)
        self.board.owner.reshape(-1)[self.place[chosen]] = numbers[np.nonzero(chosen)[0]]
