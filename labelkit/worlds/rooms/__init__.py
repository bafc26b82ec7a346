"""Furnished rooms as point clouds, with the 13 classes of S3DIS: coloured, occluded, thinner with distance.

A room of one of five kinds is laid out in metres (`layout`, `plan`) with boxes, upright cylinders and balls
(`furniture`, `solids`); windows and doors lie a little behind the walls, boards a little before them, columns and beams
often have the walls' colour. One or two scanners stand in it and see the first surface along each ray (`scanner`).
Which classes meet in a room is controlled by a table (`classes`).

Every number that decides a point comes from `Generator.random` of a seeded PCG64, or from single IEEE operations
(+ - * / sqrt, comparisons) in a fixed order, and places are rounded to millimetres: the samples are the same on every
machine. No mesh library is needed: rays meet these few solids exactly.
"""

from labelkit.worlds.rooms.classes import CLASSES, KINDS, PALETTE
from labelkit.worlds.rooms.dataset import WORLD_VERSION, Rooms, parts

__all__ = ["CLASSES", "KINDS", "PALETTE", "WORLD_VERSION", "Rooms", "parts"]
