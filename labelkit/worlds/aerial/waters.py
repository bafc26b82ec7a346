"""What fills the blocks of a coast: the sea with ships, and harbours."""

from __future__ import annotations

from labelkit.worlds.aerial.draw import QUARTERS, rotated
from labelkit.worlds.aerial.grounds import lay
from labelkit.worlds.aerial.roads import paint_shore
from labelkit.worlds.aerial.site import Site
from labelkit.worlds.aerial.vessels import berth, paint_pier, paint_ship


def harbour(site: Site) -> None:
    """Piers from one side of the block to the other, boats or ships along them."""
    draw, scale = site.draw, site.scale
    small = draw.chance(0.6)
    reach = scale * draw.between(17, 27) if small else 0.0
    half_v = scale * (draw.between(2.2, 3.6) if small else draw.between(7, 13))
    pitch = 2 * (half_v + reach) + scale * (draw.between(22, 34) if small else draw.between(54, 84))
    most = site.half_u * draw.between(0.72, 0.94)
    half_u = min(max(most, 75 * scale), 280 * scale)
    rows = max(1, int(2 * site.half_v / pitch))
    for row in range(rows):
        v = (row + 0.5 - rows / 2) * pitch
        u = half_u - site.half_u
        fingers = max(3, int(2 * half_u / (scale * 19))) if small else 0
        paint_pier(site, u, v, half_u, half_v, fingers, reach)
        berth(site, half_u, half_v, fingers, reach, u, v)


def sea(site: Site, ships: int, narrow: bool = False) -> None:
    """Ships under way.

    Args:
        site: covered with water already.
        ships: how many; they keep apart as far as there is room.
        narrow: a river: ships keep to its direction and off its banks.
    """
    draw, scale = site.draw, site.scale
    placed: list[tuple[float, float, float]] = []
    for _ in range(ships):
        length = scale * (draw.between(16, 46) if draw.chance(0.6) else draw.between(60, 190))
        for _ in range(8):
            across = 0.4 if narrow else 0.9
            u, v = draw.between(-0.9, 0.9) * site.half_u, draw.between(-across, across) * site.half_v
            if all(max(abs(u - a), abs(v - b)) > 0.62 * (length + other) for a, b, other in placed):
                placed.append((u, v, length))
                by = draw.pick(QUARTERS[::2]) if narrow else rotated(draw.pick(QUARTERS), draw.lean(0.4))
                paint_ship(site, u, v, by, length, moving=draw.chance(0.7))
                break


def paint_water(site: Site, kind: str) -> None:
    """Cover a site with the sea or a river, lighter at the edge."""
    sheet = lay(site, kind)
    if sheet.seen:
        paint_shore(sheet, site)
