"""Driving scenes drawn from a seed: stills, clips, exact masks, instances, optical flow and occlusion.

A scene is laid out in metres (`scene`, `furniture`, `traffic`), seen through a pinhole camera (`camera`), and drawn
into an image, a surface map and an inverse-depth map (`ground`, `facades`, `things`, together `paint`). The surface
map gives masks and instances; the inverse depth gives flow (`clips`). How a material looks, and what the weather and
the lens do to it, is decided apart from the layout (`domains`, `lens`).

Every number that decides a pixel comes from integers, from `Generator.random` of a seeded PCG64, or from single
IEEE operations (+ - * / sqrt, comparisons) in a fixed order. No sine, exponential, matrix product or reordered sum
is used, so the samples are the same on every machine.
"""

from labelkit.worlds.streets.classes import CLASSES, PALETTE
from labelkit.worlds.streets.dataset import WORLD_VERSION, StreetClips, Streets, parts

__all__ = ["CLASSES", "PALETTE", "WORLD_VERSION", "StreetClips", "Streets", "parts"]
