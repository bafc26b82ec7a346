"""The plan of a scene: roads across it, blocks between them, and what fills each block."""

from __future__ import annotations

from dataclasses import dataclass

from labelkit.worlds.aerial.board import Turn
from labelkit.worlds.aerial.districts import DISTRICTS
from labelkit.worlds.aerial.districts_green import stadium
from labelkit.worlds.aerial.draw import QUARTERS, Draw, rotated
from labelkit.worlds.aerial.grounds import lay
from labelkit.worlds.aerial.roads import paint_bridge, paint_road, paint_roundabout
from labelkit.worlds.aerial.site import Building, Site
from labelkit.worlds.aerial.trees import line_street
from labelkit.worlds.aerial.vehicles import add_car
from labelkit.worlds.aerial.waters import harbour, paint_water, sea

# What a part of a town is made of: districts and their weights. A scene has one; the order of themes is drawn anew for
# every six scenes, so that even a few scenes show most of the classes.
THEMES: dict[str, tuple[tuple[str, float], ...]] = {
    "town": (("offices", 3), ("shops", 3), ("car park", 3), ("houses", 2), ("park", 1.5), ("courts", 1.5)),
    "suburb": (("houses", 6), ("park", 1.5), ("courts", 1.5), ("stadium", 1), ("diamonds", 1), ("car park", 1)),
    "works": (("halls", 4), ("tanks", 3), ("depot", 3), ("container yard", 1.5), ("car park", 1.5), ("fields", 1)),
    "airport": (("apron", 6), ("heliport", 1.6), ("car park", 2), ("fields", 1.5), ("halls", 1.5), ("park", 0.5)),
    "coast": (("container yard", 2), ("tanks", 1.5), ("houses", 1.5), ("halls", 2), ("car park", 1.5), ("park", 1)),
    "leisure": (("courts", 3), ("stadium", 3), ("diamonds", 2.5), ("park", 2), ("car park", 2), ("forest", 1)),
}
DENSE = {"car park": 3.0, "depot": 2.0, "shops": 2.0, "fields": 0.0, "forest": 0.0, "park": 0.4}  # times the weight


@dataclass(frozen=True)
class Line:
    """A road or a river across the scene.

    Attributes:
        place: of its middle across, in the scene's frame.
        half: half its width.
        river: whether it is one.
    """

    place: float
    half: float
    river: bool


@dataclass
class Plan:
    """The frame of a scene and its lines.

    Attributes:
        scene: what is built.
        middle, turn: origin and direction of the frame; p runs along `turn`, q a quarter turn from it.
        columns, rows: lines at constant p, and at constant q.
        half_p, half_q: the frame covers the picture.
    """

    scene: Building
    middle: tuple[float, float]
    turn: Turn
    columns: list[Line]
    rows: list[Line]
    half_p: float
    half_q: float

    def site(self, p0: float, p1: float, q0: float, q1: float) -> Site:
        """A rectangle of the frame."""
        p, q = (p0 + p1) / 2, (q0 + q1) / 2
        cosine, sine = self.turn
        centre = self.middle[0] + p * cosine - q * sine, self.middle[1] + p * sine + q * cosine
        return Site(self.scene, centre, self.turn, (p1 - p0) / 2, (q1 - q0) / 2)

    def spans(self, lines: list[Line], half: float) -> list[tuple[float, float]]:
        """The stretches between lines."""
        edges = [-half, *(edge for line in lines for edge in (line.place - line.half, line.place + line.half)), half]
        return [(low, high) for low, high in zip(edges[0::2], edges[1::2]) if high > low]


def build(scene: Building, height: int, width: int, theme: str) -> None:
    """Lay out a scene and paint all of it but vehicles and trees, which are gathered.

    Args:
        scene: what is built.
        height, width: of the picture in pixels.
        theme: a key of `THEMES`.
    """
    draw = scene.draw
    lean = draw.lean(0.03) if draw.chance(0.3) else draw.lean(0.4142135623730951)
    turn = rotated(lean, draw.pick(QUARTERS))
    half_p = abs(turn[0]) * width / 2 + abs(turn[1]) * height / 2
    half_q = abs(turn[1]) * width / 2 + abs(turn[0]) * height / 2
    plan = Plan(scene, (width / 2, height / 2), turn, [], [], half_p, half_q)
    plan.columns = _lines(draw, half_p, scene.scale, river=theme != "airport" and draw.chance(0.35))
    plan.rows = _lines(draw, half_q, scene.scale, river=False)
    weights = tuple((name, weight * (DENSE.get(name, 1.0) if scene.dense else 1.0)) for name, weight in THEMES[theme])
    shore = plan.columns[len(plan.columns) // 2].place if theme == "coast" and plan.columns else half_p + 1
    if theme == "coast":
        plan.columns = [line for line in plan.columns if line.place <= shore]
    busy = draw.between(1.0, 2.4) if scene.dense else draw.between(0.2, 1.1)
    _ways(plan, shore, busy)
    for p0, p1 in plan.spans(plan.columns, half_p):
        if p0 > shore:
            _coast(plan, p0, p1)
            continue
        for q0, q1 in plan.spans(plan.rows, half_q):
            _block(plan.site(p0, p1, q0, q1), weights, 2)


def _lines(draw: Draw, half: float, scale: float, river: bool) -> list[Line]:
    lines, place = [], -half + scale * draw.between(60, 300)
    while place < half - 30 * scale:
        wet = river and abs(place) < 0.7 * half
        river = river and not wet
        width = draw.between(34, 62) if wet else draw.pick((9.5, 10.5, 17.0))
        lines.append(Line(place, width * scale, wet))
        place += scale * draw.between(215, 470)
    return lines


def _ways(plan: Plan, shore: float, busy: float) -> None:
    """Roads, rivers, and what is where they cross; at the sea rows end on the shore."""
    scene, draw = plan.scene, plan.scene.draw
    end = min(plan.half_p, shore)
    for row in plan.rows:
        lay(plan.site(-plan.half_p, end, row.place - row.half, row.place + row.half), "asphalt")
    for column in plan.columns:
        edges = column.place - column.half, column.place + column.half
        if column.river:
            paint_water(plan.site(*edges, -plan.half_q, plan.half_q), "river")
            if draw.chance(0.6):
                sea(plan.site(*edges, -plan.half_q, plan.half_q), draw.below(4), narrow=True)
        else:
            for q0, q1 in plan.spans(plan.rows, plan.half_q):
                paint_road(plan.site(*edges, q0, q1), busy)
    for row in plan.rows:
        edges = row.place - row.half, row.place + row.half
        for p0, p1 in plan.spans(plan.columns, end):
            if p1 <= end + 1:
                paint_road(plan.site(p0, p1, *edges), busy)
        for column in plan.columns:
            crossing = plan.site(column.place - column.half, column.place + column.half, *edges)
            if column.river:
                deck = plan.site(column.place - column.half - 7, column.place + column.half + 7, *edges)
                across = Site(scene, deck.centre, plan.turn, deck.half_u, deck.half_v)
                if deck.half_u == (column.half + 7):
                    across = deck
                paint_bridge(across, busy)
            else:
                lay(crossing, "asphalt")
                if draw.chance(0.3):
                    paint_roundabout(crossing, max(column.half, row.half) + scene.scale * draw.between(9, 20))


def _coast(plan: Plan, p0: float, p1: float) -> None:
    """The sea from p0 on, harbours at the shore and ships further out."""
    draw, scale = plan.scene.draw, plan.scene.scale
    paint_water(plan.site(p0, p1 + 40, -plan.half_q - 40, plan.half_q + 40), "sea")
    deep = p0 + min(p1 - p0, scale * draw.between(190, 420))
    q = -plan.half_q
    while q < plan.half_q:
        high = q + scale * draw.between(170, 380)
        site = plan.site(p0, deep, q, min(high, plan.half_q))
        if draw.chance(0.75):
            # Piers start at the shore: along p, whatever side is the longer one.
            pier = Site(plan.scene, site.centre, plan.turn, 1.0, 0.5)
            pier.half_u, pier.half_v = (deep - p0) / 2, (min(high, plan.half_q) - q) / 2 - 12 * scale
            if pier.half_v > 24 * scale:
                harbour(pier)
        else:
            sea(site, 1 + draw.below(3))
        q = high
    if p1 - deep > 60 * scale:
        area = (p1 - deep) * 2 * plan.half_q / (scale * scale)
        sea(plan.site(deep + 20, p1, -plan.half_q, plan.half_q), int(area / 30000 * draw.between(0.5, 1.6)) + 1)


def _block(site: Site, weights: tuple[tuple[str, float], ...], splits: int) -> None:
    """Fill a block with a district; large ones are divided by a lane first."""
    draw, scale = site.draw, site.scale
    if "stadium" in dict(weights) and site.half_u > 155 * scale and site.half_v > 88 * scale and draw.chance(0.4):
        lay(site, "pavement")
        stadium(site.part(0, 0, site.half_u - 3 * scale, site.half_v - 3 * scale))
        return
    if site.half_v < 12 * scale or site.half_u < 12 * scale:
        lay(site, "grass")
        return
    if splits and site.half_u > 150 * scale and draw.chance(0.75):
        cut = site.half_u * draw.between(-0.3, 0.3)
        lane = 6.5 * scale
        for low, high in ((-site.half_u, cut - lane), (cut + lane, site.half_u)):
            _block(site.part((low + high) / 2, 0, (high - low) / 2, site.half_v), weights, splits - 1)
        way = site.part(cut, 0, lane, site.half_v)
        lay(way, "worn")
        place = -way.half_u
        while place < way.half_u:
            if draw.chance(0.3):
                add_car(way, place, draw.pick((-0.5, 0.5)) * way.half_v, draw.pick((0, 2)))
            place += 26 * scale
        return
    lay(site, "pavement")
    inner = site.part(0, 0, site.half_u - 3 * scale, site.half_v - 3 * scale)
    fitting = [(name, weight) for name, weight in weights if inner.half_v >= DISTRICTS[name][1] * scale]
    name = draw.weighted(fitting or (("park", 1.0),))
    DISTRICTS[name][0](inner)
    if draw.chance(0.35) and name != "apron":
        line_street(site)
