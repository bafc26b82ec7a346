"""Shapes with soft edges: how much of each pixel they cover, 0..1, from coordinates in pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]


def cover(inside: np.ndarray) -> np.ndarray:
    """Coverage of pixels from their distance inside an edge, in pixels."""
    return np.minimum(np.maximum(inside + 0.5, 0), 1)


def box(u: np.ndarray, v: np.ndarray, half_u: float, half_v: float, at: Point = (0.0, 0.0)) -> np.ndarray:
    """A rectangle around a place."""
    return cover(np.minimum(half_u - np.abs(u - at[0]), half_v - np.abs(v - at[1])))


def frame(
    u: np.ndarray, v: np.ndarray, half_u: float, half_v: float, line: float, at: Point = (0.0, 0.0)
) -> np.ndarray:
    """The outline of a rectangle, `line` pixels wide, inside its edge."""
    inside = np.minimum(half_u - np.abs(u - at[0]), half_v - np.abs(v - at[1]))
    return np.minimum(cover(inside), cover(line - inside))


def distance(u: np.ndarray, v: np.ndarray, at: Point = (0.0, 0.0)) -> np.ndarray:
    """Distance from a place."""
    du, dv = u - at[0], v - at[1]
    return np.sqrt(du * du + dv * dv)


def disc(u: np.ndarray, v: np.ndarray, radius: float, at: Point = (0.0, 0.0)) -> np.ndarray:
    """A disc around a place."""
    return cover(radius - distance(u, v, at))


def ring(u: np.ndarray, v: np.ndarray, radius: float, line: float, at: Point = (0.0, 0.0)) -> np.ndarray:
    """A circle line of `line` pixels inside the radius."""
    inside = radius - distance(u, v, at)
    return np.minimum(cover(inside), cover(line - inside))


def ellipse(u: np.ndarray, v: np.ndarray, half_u: float, half_v: float, at: Point = (0.0, 0.0)) -> np.ndarray:
    """An ellipse along the axes."""
    du, dv = (u - at[0]) / half_u, (v - at[1]) / half_v
    return cover((1 - np.sqrt(du * du + dv * dv)) * min(half_u, half_v))


def capsule(u: np.ndarray, v: np.ndarray, half_length: float, radius: float) -> np.ndarray:
    """All places at most `radius` away from a stretch of the u axis, as distance inside the edge."""
    du = np.maximum(np.abs(u) - half_length, 0)
    return radius - np.sqrt(du * du + v * v)


def polygon(u: np.ndarray, v: np.ndarray, points: Sequence[Point]) -> np.ndarray:
    """A convex polygon."""
    area = sum(ua * vb - ub * va for (ua, va), (ub, vb) in zip(points, [*points[1:], points[0]]))
    sign = 1.0 if area >= 0 else -1.0
    inside = None
    for (ua, va), (ub, vb) in zip(points, [*points[1:], points[0]]):
        du, dv = sign * (ub - ua), sign * (vb - va)
        length = float(np.sqrt(du * du + dv * dv))
        edge = (v - va) * (du / length) - (u - ua) * (dv / length)
        inside = edge if inside is None else np.minimum(inside, edge)
    return cover(inside)
