"""The districts that fill blocks on land, by name."""

from __future__ import annotations

from collections.abc import Callable

from labelkit.worlds.aerial.districts_airport import apron, heliport
from labelkit.worlds.aerial.districts_green import courts, diamonds, fields, forest, park, stadium
from labelkit.worlds.aerial.districts_town import car_park, houses, offices, shops
from labelkit.worlds.aerial.districts_works import container_yard, depot, halls, tanks
from labelkit.worlds.aerial.site import Site

DISTRICTS: dict[str, tuple[Callable[[Site], None], float]] = {  # and the least half width, in the table's pixels
    "houses": (houses, 34), "car park": (car_park, 20), "shops": (shops, 50), "halls": (halls, 48),
    "depot": (depot, 38), "container yard": (container_yard, 34), "tanks": (tanks, 24), "apron": (apron, 58),
    "heliport": (heliport, 26), "courts": (courts, 38), "stadium": (stadium, 40), "diamonds": (diamonds, 40),
    "park": (park, 0), "forest": (forest, 0), "fields": (fields, 24), "offices": (offices, 36),
}  # fmt: skip
