"""Aerial scenes drawn from a seed, with the instances of iSAID's 15 classes [zamir2019isaid].

A scene is a piece of a town, of works, of an airport or of a coast, seen from above: roads across it (`roads`), blocks
between them (`scene`), and in each block a district (`districts`, `waters`). Vehicles of 6 to 14 pixels stand in their
hundreds beside planes of 40 to 220 and harbours of 150 to 560. Containers, machines on roofs and round fields look like
objects and are none; trees hide objects in part.

Every number that decides a pixel comes from integers, from `Generator.random` of a seeded PCG64, or from single IEEE
operations (+ - * / sqrt, comparisons) in a fixed order. No sine, exponential, matrix product or reordered sum is used,
so the samples are the same on every machine.
"""

from labelkit.worlds.aerial.classes import CLASSES, PALETTE
from labelkit.worlds.aerial.dataset import WORLD_VERSION, Aerial, parts
from labelkit.worlds.aerial.scene import THEMES

__all__ = ["CLASSES", "PALETTE", "THEMES", "WORLD_VERSION", "Aerial", "parts"]
