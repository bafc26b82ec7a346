"""Drawing one patient: which heart, which body, which organs beside it."""

from __future__ import annotations

from math import sqrt

from labelkit.worlds.cardiac.patient import Heart, Patient, Shape
from labelkit.worlds.draw import Draw


def turn(draw: Draw, most: float) -> tuple[float, float]:
    """Cosine and sine of a random angle; `most` is the tangent of half the greatest one."""
    half = draw.between(-most, most)
    return (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)


def _waves(draw: Draw, most: float) -> tuple[float, float, float, float]:
    a, b, c, d = (draw.between(-most, most) for _ in range(4))
    return a, b, c * 0.6, d * 0.6


def _heart(draw: Draw) -> Heart:
    kind = draw.pick(("normal", "normal", "thick", "dilated", "infarct", "right"))
    cavity, wall = draw.between(0.082, 0.106), draw.between(0.033, 0.044)
    squeeze, right, scar = draw.between(0.62, 0.74), draw.between(0.90, 1.10), draw.between(0.0, 0.15)
    if kind == "thick":
        cavity, wall, squeeze = cavity * 0.86, wall * draw.between(1.35, 1.75), draw.between(0.48, 0.62)
    elif kind == "dilated":
        cavity, wall, squeeze = cavity * draw.between(1.20, 1.42), wall * 0.85, draw.between(0.84, 0.93)
    elif kind == "infarct":
        cavity, squeeze, scar = cavity * 1.10, draw.between(0.76, 0.88), draw.between(0.35, 0.60)
    elif kind == "right":
        cavity, right = cavity * 0.92, draw.between(1.20, 1.45)
    outer = _waves(draw, 0.06)
    # The cavity follows the outer wall, so that the muscle stays a closed ring.
    inner = tuple(wave + own for wave, own in zip(outer, _waves(draw, 0.025), strict=True))
    scar_cos, scar_sin = turn(draw, 1.0)
    if draw.chance(0.5):
        scar_cos, scar_sin = -scar_cos, -scar_sin
    tilt_cos, tilt_sin = turn(draw, 0.22)
    papillary = tuple(
        (x + draw.between(-0.15, 0.15), y + draw.between(-0.15, 0.15), size * draw.between(0.7, 1.3))
        for x, y, size in ((0.50, 0.52, 0.24), (0.20, -0.64, 0.24), (0.80, -0.20, 0.15), (-0.20, 0.85, 0.15))
    )
    return Heart(
        cavity=cavity,
        wall=wall,
        squeeze=squeeze,
        scar=scar,
        scar_cos=scar_cos,
        scar_sin=scar_sin,
        right=right,
        long=draw.between(0.92, 1.30),
        right_end=draw.between(0.78, 0.98),
        cos=-tilt_cos,  # the right ventricle lies on the left of the image
        sin=tilt_sin,
        bend=(inner, outer, _waves(draw, 0.12)),
        papillary=papillary,
        start=draw.between(0.05, 0.80),
        blood=draw.between(0.56, 0.86),
        muscle=draw.between(0.17, 0.30),
        faint=draw.between(0.62, 1.0),
    )


def _organs(draw: Draw, heart: Heart) -> list[Shape]:
    """Liver, stomach (a ring, as the left ventricle is), spleen, bowel: tissue as dark or as bright as the heart's."""

    def organ(x: float, y: float, rx: float, ry: float, value: float, most: float = 0.10) -> Shape:
        cos, sin = turn(draw, 0.35)
        grow, stretch = draw.between(0.82, 1.2), draw.between(0.85, 1.18)
        x, y = x + draw.between(-0.05, 0.05), y + draw.between(-0.03, 0.03)
        return Shape(x, y, rx * grow * stretch, ry * grow / stretch, value, cos, sin, _waves(draw, most))

    liver = heart.muscle * draw.between(0.85, 1.7)
    made = [organ(-0.16, 0.32, 0.19, 0.09, liver), organ(0.10, 0.25, 0.13, 0.05, liver)]
    stomach = organ(0.23, 0.36, 0.10, 0.085, heart.muscle * draw.between(0.8, 1.2))
    hollow = heart.blood * draw.between(0.75, 1.05) if draw.chance(0.6) else 0.05
    made.append(stomach)
    made.append(
        Shape(
            stomach.x, stomach.y, stomach.rx * 0.68, stomach.ry * 0.66, hollow, stomach.cos, stomach.sin, stomach.waves
        )
    )
    made.append(organ(0.40, 0.30, 0.09, 0.12, heart.blood * draw.between(0.4, 0.8)))
    for _ in range(6 + draw.below(3)):
        value = draw.pick((heart.muscle, heart.muscle, heart.blood, 0.4)) * draw.between(0.6, 1.1)
        made.append(organ(draw.between(-0.30, 0.45), draw.between(0.30, 0.50), 0.05, 0.036, value, 0.14))
    for _ in range(5):  # vessels of the liver
        x, y = draw.between(-0.28, 0.10), draw.between(0.26, 0.42)
        made.append(Shape(x, y, draw.between(0.008, 0.026), draw.between(0.008, 0.020), heart.blood * 0.85))
    return made


def draw_patient(draw: Draw) -> Patient:
    """Draw a patient.

    Args:
        draw: the patient's stream of random numbers.

    Returns:
        The patient.
    """
    heart = _heart(draw)
    cos, sin = turn(draw, 0.36)
    outer = heart.cavity + heart.wall
    blood = heart.blood
    body_x, half = draw.between(0.12, 0.24), draw.between(0.52, 0.66)
    body = Shape(body_x, 0.08, half, draw.between(0.56, 0.84), 0.0, 1.0, 0.0, _waves(draw, 0.035))
    rim, flesh = draw.between(0.02, 0.07), draw.between(0.025, 0.055)
    ribs = []
    for step in range(6):  # along the left side of the body's outline
        up = -0.75 + 0.28 * step + draw.between(-0.06, 0.06)
        side = sqrt(1 - up * up)
        inwards = 1 - (rim + flesh * draw.between(0.4, 0.7)) / half
        ribs.append(
            Shape(
                body.x - side * half * inwards, body.y + up * body.ry * inwards, draw.between(0.010, 0.020),
                draw.between(0.020, 0.040), draw.pick((0.08, 0.5, 0.7)), side, up, _waves(draw, 0.1),
            )
        )  # fmt: skip
    belly = Shape(
        draw.between(0.0, 0.16), draw.between(0.42, 0.54), draw.between(0.54, 0.70), draw.between(0.29, 0.36), 0.0,
        1.0, 0.0, _waves(draw, 0.06),
    )  # fmt: skip
    # Not centred on the heart: thick on one side, absent on another.
    bed = Shape(
        draw.between(-0.10, 0.0), draw.between(-0.05, 0.08), outer * draw.between(1.25, 1.75),
        outer * draw.between(1.0, 1.55), draw.between(0.35, 0.75), *turn(draw, 0.6), _waves(draw, 0.14),
    )  # fmt: skip
    vessels = [
        (draw.between(-0.15, 0.50), draw.between(-0.50, 0.14), draw.between(0.005, 0.017), draw.between(0.2, 0.75))
        for _ in range(22)
    ]
    size = draw.between(0.030, 0.052)
    aorta = Shape(draw.between(0.20, 0.30), draw.between(0.08, 0.20), size, size * draw.between(0.85, 1.1), blood)
    atria = []
    for x, y, share in ((-0.5, -1.45, 0.75), (0.45, -1.5, 0.6), (1.5, -0.4, 0.45)):
        size = outer * share * draw.between(0.75, 1.2)
        x, y = outer * (x + draw.between(-0.4, 0.4)), outer * (y + draw.between(-0.25, 0.15))
        value = blood * draw.between(0.7, 1.05)
        if draw.chance(0.75):
            atria.append(Shape(x, y, size, size * draw.between(0.7, 1.1), value, 1.0, 0.0, _waves(draw, 0.12)))
    return Patient(
        x=draw.between(-0.09, 0.07),
        y=draw.between(-0.09, 0.06),
        scale=sqrt(draw.between(1.1, 2.1)),
        cos=cos,
        sin=sin,
        heart=heart,
        fat=draw.between(0.60, 0.95),
        lung=draw.between(0.03, 0.10),
        rim=rim,
        flesh=flesh,
        body=body,
        belly=belly,
        bed=bed,
        ribs=ribs,
        organs=_organs(draw, heart),
        vessels=vessels,
        aorta=aorta,
        atria=atria,
        coil_x=draw.between(-0.55, -0.25),
        coil_y=draw.between(-0.40, 0.25),
        coil=draw.between(0.3, 1.8),
        gain=draw.between(0.60, 1.05),
        noise=draw.between(0.010, 0.042),
        blur=draw.between(0.02, 0.14),
    )
