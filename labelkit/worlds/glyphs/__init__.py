"""Small pictures of things that stand on the ground, for classification: 20 classes in five families of four.

A picture is a background (`backdrops`), a shadow, and one object built of polygons and ellipses (`board`, and a file of
shapes for each family). Light falls from above and things stand upright, give or take a small tilt: so a picture has a
right way up, which a rotation destroys. Colour tells nothing about the class.

Every number that decides a pixel comes from `Generator.random` of a seeded PCG64, or from single IEEE operations
(+ - * / sqrt, comparisons) in a fixed order. No sine, exponential, matrix product or reordered sum is used, so the
samples are the same on every machine.
"""

from labelkit.worlds.glyphs.classes import CLASSES, FAMILIES, PALETTE
from labelkit.worlds.glyphs.dataset import WORLD_VERSION, Glyphs, parts

__all__ = ["CLASSES", "FAMILIES", "PALETTE", "WORLD_VERSION", "Glyphs", "parts"]
