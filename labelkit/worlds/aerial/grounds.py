"""What the ground is made of."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.board import Sheet
from labelkit.worlds.aerial.draw import Draw
from labelkit.worlds.aerial.shapes import box
from labelkit.worlds.aerial.site import Site

# Colour, and how uneven it is: coarse, middle and fine.
GROUNDS = {
    "asphalt": ((0.37, 0.37, 0.39), (0.16, 0.08, 0.12)),
    "worn": ((0.50, 0.49, 0.47), (0.22, 0.12, 0.12)),
    "concrete": ((0.66, 0.65, 0.61), (0.14, 0.08, 0.07)),
    "pavement": ((0.60, 0.57, 0.52), (0.10, 0.08, 0.14)),
    "grass": ((0.34, 0.41, 0.22), (0.42, 0.28, 0.22)),
    "lawn": ((0.30, 0.45, 0.22), (0.18, 0.14, 0.14)),
    "dry": ((0.57, 0.51, 0.35), (0.32, 0.24, 0.18)),
    "dirt": ((0.57, 0.46, 0.35), (0.30, 0.26, 0.20)),
    "gravel": ((0.62, 0.59, 0.54), (0.16, 0.16, 0.24)),
    "forest": ((0.17, 0.24, 0.12), (0.30, 0.60, 0.40)),
    "sea": ((0.11, 0.24, 0.31), (0.40, 0.16, 0.16)),
    "river": ((0.20, 0.28, 0.24), (0.24, 0.10, 0.10)),
}


def paint_ground(sheet: Sheet, alpha: np.ndarray, ground: str, draw: Draw) -> None:
    """Cover a part of a window, and all objects in it, with a ground in a shade of its own."""
    colour, uneven = GROUNDS[ground]
    sheet.fill(alpha, draw.near(colour, 0.05), sheet.rough(*uneven))
    sheet.claim(alpha, 0)


def lay(site: Site, ground: str, margin: float = 0.0) -> Sheet:
    """Cover a site with a ground up to a margin; gives the window of the site."""
    sheet = site.sheet(0, 0, site.half_u, site.half_v)
    if sheet.seen:
        alpha = box(sheet.u, sheet.v, site.half_u - margin, site.half_v - margin)
        paint_ground(sheet, alpha, ground, site.draw)
    return sheet
