"""How a scene looks: materials, light and weather, in the two domains `sim` and `real`.

The domains share the layout, and with it every label; they differ in palette, texture, weather, blur and noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelkit.worlds.draw import Draw
from labelkit.worlds.streets.classes import BUILDING, FENCE, ROAD, SIDEWALK, TERRAIN, VEGETATION
from labelkit.worlds.streets.scene import Block, Scene

DOMAINS = ("sim", "real")
Colour = tuple[float, float, float]

_WALLS = {
    "sim": (
        (0.86, 0.62, 0.42),
        (0.80, 0.45, 0.36),
        (0.90, 0.80, 0.58),
        (0.62, 0.70, 0.78),
        (0.93, 0.90, 0.84),
        (0.72, 0.56, 0.62),
        (0.66, 0.76, 0.62),
    ),
    "real": (
        (0.66, 0.58, 0.48),
        (0.58, 0.42, 0.35),
        (0.72, 0.67, 0.57),
        (0.52, 0.52, 0.52),
        (0.76, 0.74, 0.70),
        (0.60, 0.50, 0.42),
        (0.47, 0.45, 0.42),
    ),
}
_LEAVES = {
    "sim": ((0.42, 0.72, 0.26), (0.34, 0.64, 0.30), (0.52, 0.74, 0.28), (0.30, 0.58, 0.24)),
    "real": ((0.40, 0.50, 0.24), (0.34, 0.43, 0.24), (0.50, 0.52, 0.25), (0.30, 0.40, 0.25), (0.60, 0.47, 0.22)),
}
_CARS = {
    "sim": (
        (0.82, 0.14, 0.12),
        (0.14, 0.32, 0.75),
        (0.95, 0.95, 0.95),
        (0.92, 0.70, 0.12),
        (0.18, 0.19, 0.21),
        (0.16, 0.52, 0.38),
        (0.70, 0.73, 0.77),
    ),
    "real": (
        (0.52, 0.10, 0.10),
        (0.16, 0.22, 0.36),
        (0.84, 0.84, 0.83),
        (0.58, 0.59, 0.60),
        (0.12, 0.12, 0.13),
        (0.10, 0.10, 0.11),
        (0.34, 0.35, 0.37),
        (0.55, 0.52, 0.46),
    ),
}
_CLOTHES = {
    "sim": (
        (0.85, 0.22, 0.20),
        (0.20, 0.42, 0.80),
        (0.95, 0.80, 0.25),
        (0.92, 0.92, 0.92),
        (0.30, 0.62, 0.40),
        (0.60, 0.30, 0.62),
    ),
    "real": (
        (0.48, 0.16, 0.16),
        (0.18, 0.24, 0.38),
        (0.16, 0.16, 0.17),
        (0.72, 0.71, 0.68),
        (0.34, 0.32, 0.28),
        (0.30, 0.36, 0.30),
        (0.62, 0.52, 0.30),
    ),
}
_ROOFS = {
    "sim": ((0.70, 0.32, 0.22), (0.50, 0.24, 0.20)),
    "real": ((0.46, 0.27, 0.21), (0.30, 0.27, 0.26), (0.38, 0.24, 0.20)),
}


def _column(colour: Colour) -> np.ndarray:
    return np.array(colour, np.float32).reshape(3, 1, 1)


def _times(a: Colour, b: Colour) -> Colour:
    return (a[0] * b[0], a[1] * b[1], a[2] * b[2])


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


@dataclass(slots=True)
class Look:
    """Materials and light of one scene, in the form the painters use."""

    domain: str
    weather: str
    dirty: bool
    light: Colour
    shade: float  # light in a shadow, 1 in the sun
    facade_shade: float
    shadow_edge: float
    ground: dict[int, np.ndarray]  # (4,): colour and strength of texture
    marking: np.ndarray
    kerb: np.ndarray
    sky_top: np.ndarray
    sky_low: np.ndarray
    cloud: np.ndarray
    cloud_cover: float
    cloud_shift: float
    backdrop: np.ndarray
    haze: np.ndarray
    haze_density: float  # per metre
    glass: Colour
    pole: Colour
    wet: float
    blur: float
    grain: float
    vignette: float
    gain: float
    lift: float
    rain: float
    lamps: float  # how much brighter lamps are than what they light

    def box_colours(self, block: Block) -> tuple[float, ...]:
        """Colour of wall, glass and roof of a box, nine numbers."""
        if block.label == VEGETATION:
            leaves = _LEAVES[self.domain]
            wall = leaves[int(block.hue * len(leaves))]
        elif block.label == FENCE:
            wall = (
                (0.50, 0.38, 0.26)
                if block.hue < 0.35
                else (0.78, 0.78, 0.76)
                if block.hue < 0.6
                else (0.42, 0.44, 0.45)
            )
        else:
            # Walls take the colours of buildings: only place and shape tell them apart.
            walls = _WALLS[self.domain]
            wall = walls[int(block.hue * len(walls))]
        tone = 0.82 + 0.32 * block.shade
        roofs = _ROOFS[self.domain]
        roof = roofs[int(block.shade * len(roofs))]
        return (*(value * tone for value in _times(wall, self.light)), *self.glass, *_times(roof, self.light))

    def tint(self, kind: str, hue: float, shade: float) -> Colour:
        """Colour of a thing's painted parts."""
        tone = 0.80 + 0.34 * shade
        if kind in ("tree", "bush"):
            palette = _LEAVES[self.domain]
        elif kind in ("person", "rider"):
            palette = _CLOTHES[self.domain]
        elif kind == "bar":
            return tuple(value * (0.6 + 0.7 * shade) for value in _times(self.pole, self.light))
        else:
            palette = _CARS[self.domain]
        return tuple(value * tone for value in _times(palette[int(hue * len(palette))], self.light))


def look_of(draw: Draw, domain: str, scene: Scene) -> Look:
    """Draw weather, light and materials of a scene in one of the domains."""
    real = domain == "real"
    lottery = draw.unit()
    if real:
        weather = (
            "sun"
            if lottery < 0.36
            else "overcast"
            if lottery < 0.68
            else "rain"
            if lottery < 0.80
            else ("fog" if lottery < 0.88 else "dusk")
        )
    else:
        weather = "sun" if lottery < 0.75 else "overcast"
    warm = draw.unit()
    light, shade, density = (1.0, 1.0, 1.0), 1.0, 0.0015
    sky_top, sky_low, cloud, cover = (0.30, 0.52, 0.86), (0.72, 0.84, 0.96), (0.97, 0.97, 0.98), draw.between(0.0, 0.9)
    lamps = 1.0
    if weather == "sun":
        light, shade = _mix((1.08, 1.06, 1.03), (1.15, 1.03, 0.86), warm * warm), draw.between(0.46, 0.60)
        sky_low = _mix(sky_low, (0.98, 0.88, 0.72), warm * warm)
        if real:
            sky_top, density = _mix((0.36, 0.52, 0.74), (0.55, 0.66, 0.80), draw.unit()), draw.between(0.002, 0.006)
    elif weather == "overcast":
        light, shade, density = (0.94, 0.95, 0.96), 0.93, draw.between(0.003, 0.008)
        sky_top, sky_low, cloud = (0.66, 0.70, 0.75), (0.84, 0.86, 0.88), (0.90, 0.91, 0.92)
    elif weather == "rain":
        light, shade, density = (0.76, 0.78, 0.82), 0.96, draw.between(0.006, 0.013)
        sky_top, sky_low, cloud = (0.52, 0.55, 0.60), (0.72, 0.74, 0.77), (0.66, 0.68, 0.72)
    elif weather == "fog":
        light, shade, density = (0.80, 0.81, 0.82), 0.97, draw.between(0.018, 0.040)
        sky_top, sky_low, cloud, cover = (0.76, 0.77, 0.78), (0.82, 0.82, 0.82), (0.82, 0.82, 0.82), 0.2
    else:
        light, shade, density, lamps = (0.56, 0.51, 0.57), 0.95, draw.between(0.004, 0.010), 1.9
        sky_top, sky_low = (0.22, 0.26, 0.42), _mix((0.86, 0.55, 0.38), (0.62, 0.48, 0.55), warm)
        cloud = (0.50, 0.38, 0.44)
    wet = draw.between(0.15, 0.35) if weather == "rain" else 0.0
    haze = _mix(sky_low, light, 0.25)

    tone = draw.between(0.88, 1.12)
    if real:
        # Pavement is as grey as the road, sometimes lighter, sometimes not.
        road = _mix((0.36, 0.36, 0.37), (0.46, 0.44, 0.42), draw.unit())
        walk = _mix(road, (0.58, 0.55, 0.51), draw.unit() * draw.unit())
        grass = _mix((0.34, 0.42, 0.20), (0.50, 0.46, 0.28), draw.unit())
        marking = _mix((0.80, 0.80, 0.78), road, draw.between(0.05, 0.6))
        kerb = _mix((0.60, 0.59, 0.57), walk, draw.between(0.1, 0.8))
        strengths = (0.30, 0.26, 0.55)
    else:
        road = _mix((0.33, 0.34, 0.37), (0.42, 0.42, 0.44), draw.unit())
        walk = _mix((0.60, 0.58, 0.57), road, 0.25 + 0.6 * draw.unit() * draw.unit())
        grass = _mix((0.38, 0.62, 0.24), (0.48, 0.66, 0.28), draw.unit())
        marking, kerb = (0.94, 0.94, 0.92), (0.72, 0.72, 0.71)
        strengths = (0.13, 0.18, 0.35)
    dark = 1 - 0.45 * wet
    ground = {}
    for label, colour, strength in (
        (ROAD, road, strengths[0]),
        (SIDEWALK, walk, strengths[1]),
        (TERRAIN, grass, strengths[2]),
    ):
        factor = tone * (dark if label != TERRAIN else 1.0)
        ground[label] = np.array([*(value * factor for value in _times(colour, light)), strength], np.float32)

    label, _, _ = scene.backdrop
    far = (0.30, 0.38, 0.28) if label == VEGETATION else (0.50, 0.48, 0.48)
    assert label in (VEGETATION, BUILDING)
    glass = _mix(_times((0.42, 0.52, 0.62), light), sky_low, 0.25)
    if weather == "dusk":
        glass = (0.95, 0.72, 0.38)
    return Look(
        domain=domain,
        weather=weather,
        dirty=real,
        light=light,
        shade=shade,
        facade_shade=0.66 if weather == "sun" else 0.88,
        shadow_edge=1.6 if weather == "sun" else 0.25,
        ground=ground,
        marking=np.array([*_times(marking, light), 0.12 if real else 0.03], np.float32),
        kerb=np.array([*_times(kerb, light), 0.15], np.float32),
        sky_top=_column(sky_top),
        sky_low=_column(sky_low),
        cloud=_column(cloud),
        cloud_cover=cover,
        cloud_shift=draw.unit(),
        backdrop=_column(_mix(_times(far, light), haze, min(0.85, 0.45 + 15 * density))).reshape(3, 1, 1),
        haze=_column(haze),
        haze_density=density,
        glass=glass,
        pole=_mix((0.42, 0.43, 0.43), (0.30, 0.33, 0.32), draw.unit()),
        wet=wet,
        blur=draw.between(0.0, 0.16) if real else 0.0,
        grain=(draw.between(0.006, 0.018) * (1.5 if weather == "dusk" else 1.0)) if real else 0.0,
        vignette=draw.between(0.1, 0.35) if real else 0.0,
        gain=draw.between(0.88, 1.12) if real else 1.0,
        lift=draw.between(-0.01, 0.03) if real else 0.0,
        rain=wet * 0.35,
        lamps=lamps,
    )
