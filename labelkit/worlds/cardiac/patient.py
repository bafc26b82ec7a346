"""What is fixed for one patient: pose, contrast, heart, and the organs around it.

Lengths are shares of the shorter image side before the patient's own scale. The heart's middle is the origin, x points
right and y down; the chest wall lies to the left, the belly below.
"""

from __future__ import annotations

from dataclasses import dataclass

ROUND = (0.0, 0.0, 0.0, 0.0)


@dataclass(slots=True)
class Shape:
    """A deformed ellipse.

    Attributes:
        x, y: its middle.
        rx, ry: half axes.
        cos, sin: direction of the first axis.
        waves: how the radius varies with the angle: cosine and sine of twice, then of three times the angle.
        value: signal of its tissue.
    """

    x: float
    y: float
    rx: float
    ry: float
    value: float
    cos: float = 1.0
    sin: float = 0.0
    waves: tuple[float, float, float, float] = ROUND


@dataclass(slots=True)
class Heart:
    """Left and right ventricle at the base, relaxed.

    Attributes:
        cavity: radius of the left cavity; wall: thickness of its muscle.
        squeeze: radius of the left cavity at the end of systole, as a share of the relaxed one.
        scar: how much thinner one side of the wall is, 0..1, and (scar_cos, scar_sin) where.
        right: size of the right ventricle relative to the left; long: how much longer than usual; right_end: level
            at which it ends.
        cos, sin: direction from the left to the right ventricle.
        bend: deformations of cavity, outer wall and right ventricle.
        papillary: (x, y, size) of the papillary muscles, relative to the cavity.
        start: level of the first slice, in steps between slices.
        blood, muscle: signal; faint: signal of the right ventricle's blood relative to the left's.
    """

    cavity: float
    wall: float
    squeeze: float
    scar: float
    scar_cos: float
    scar_sin: float
    right: float
    long: float
    right_end: float
    cos: float
    sin: float
    bend: tuple[tuple[float, float, float, float], ...]
    papillary: tuple[tuple[float, float, float], ...]
    start: float
    blood: float
    muscle: float
    faint: float


@dataclass(slots=True)
class Patient:
    """Everything that the slices of one patient share.

    Attributes:
        x, y: where the heart lies in the image, in shares of the shorter side, from the middle.
        scale: of all lengths; cos, sin: of the patient's rotation.
        heart: the heart.
        fat, lung: signal; rim, flesh: thickness of the fat below the skin and of the chest wall.
        body, belly, bed: outlines of the chest, of what lies below the diaphragm, and of the fat around the heart.
        ribs: in the chest wall.
        organs: below the diaphragm, painted in this order; vessels: (x, y, radius, signal) in the lung.
        aorta: a vessel as bright as the cavities; atria: likewise, seen in basal slices only.
        coil_x, coil_y, coil: place and strength of the receiving coil's shading.
        gain, noise, blur: of the image.
    """

    x: float
    y: float
    scale: float
    cos: float
    sin: float
    heart: Heart
    fat: float
    lung: float
    rim: float
    flesh: float
    body: Shape
    belly: Shape
    bed: Shape
    ribs: list[Shape]
    organs: list[Shape]
    vessels: list[tuple[float, float, float, float]]
    aorta: Shape
    atria: list[Shape]
    coil_x: float
    coil_y: float
    coil: float
    gain: float
    noise: float
    blur: float
