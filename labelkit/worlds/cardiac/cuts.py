"""The heart of a patient cut at one level, in one phase."""

from __future__ import annotations

from math import sqrt

from labelkit.worlds.cardiac.patient import Patient, Shape

LEVELS = 4  # slices between base and apex in each phase


def level_of(patient: Patient, step: int) -> float:
    """Where slice `step` (0..LEVELS-1) lies: 0 is the base, 1 the apex."""
    return (step + patient.heart.start) / LEVELS


def _taper(level: float, end: float) -> float:
    share = level / end
    return sqrt(1 - share * share) if share < 1 else 0.0


def ventricles(patient: Patient, level: float, systole: bool) -> tuple[Shape, Shape, Shape | None]:
    """Shapes of the heart at one level.

    Args:
        patient: the patient.
        level: 0 (base) to 1 (apex).
        systole: contracted (end of systole) or relaxed (end of diastole).

    Returns:
        Right ventricle, which the outer outline of the muscle cuts off; that outline; and the left cavity, or None
        where only muscle is left.
    """
    heart = patient.heart
    cavity, wall, right = heart.cavity, heart.wall, heart.right
    if systole:  # the muscle keeps its volume: thicker where the cavity is smaller
        area = (cavity + wall) * (cavity + wall) - cavity * cavity
        cavity = cavity * heart.squeeze
        wall = sqrt(cavity * cavity + area * 0.97) - cavity
        right = right * (0.80 if heart.squeeze < 0.8 else 0.92)
    outer = (cavity + wall) * _taper(level, 1.16)
    inner = cavity * _taper(level, 0.97 if systole else 1.03)
    muscle = Shape(0.0, 0.0, outer, outer, heart.muscle, 1.0, 0.0, heart.bend[1])
    left = None
    if inner > 0.012:
        # Off the middle, so that the wall is thinner on the side of the scar.
        shift = (outer - inner) * 0.75 * heart.scar
        x, y = shift * heart.scar_cos, shift * heart.scar_sin
        left = Shape(x, y, inner, inner * 0.97, heart.blood, 1.0, 0.0, heart.bend[0])
    # Where it has ended, the right ventricle is a speck behind the muscle.
    size = max(right * _taper(level, heart.right_end) * (heart.cavity * 0.75 + 0.06), 0.004)
    along, across = size * 0.88, size * heart.long * (1.15 - 0.35 * level)
    distance = outer * 0.62 + along * 0.62
    a, b, c, d = heart.bend[2]
    free = Shape(
        distance * heart.cos - 0.25 * across * heart.sin * (1 - level),
        distance * heart.sin - 0.18 * across * (1 - level),
        along,
        across,
        heart.blood * heart.faint,
        heart.cos,
        heart.sin,
        (a, b, c - 0.12, d),
    )
    return free, muscle, left
