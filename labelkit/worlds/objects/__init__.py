"""Toy animals on floors, for learning masks from image tags: up to 20 classes, one to three toys a picture.

A class is known by its head, which is small; its body comes from a box of forms and coats that all classes share, and
says little. So a classifier of tags needs only the heads. Toys lie on some floors, and beside some other toys, more
often than on or beside others; they hide one another, and balls, blocks and sticks in the same coats lie about.

A sample holds the picture, its tags, the exact mask, the parts (head or body) and a saliency map as an off-the-shelf
detector would give it (`saliency`): blurred, with misses and false alarms.

Every number that decides a pixel comes from `Generator.random` of a seeded PCG64, or from single IEEE operations
(+ - * / sqrt, comparisons) in a fixed order, so the samples are the same on every machine. Places and lengths are in
units of the picture's shorter side: the same scene at every size.
"""

from labelkit.worlds.objects.classes import HEADS, PALETTE
from labelkit.worlds.objects.dataset import WORLD_VERSION, Objects, parts
from labelkit.worlds.objects.saliency import LEVELS

__all__ = ["HEADS", "LEVELS", "PALETTE", "WORLD_VERSION", "Objects", "parts"]
