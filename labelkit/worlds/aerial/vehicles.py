"""Cars, trucks, buses and crates: parked in rows or driving, painted all at once."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.board import Board, Stamps
from labelkit.worlds.aerial.classes import LARGE_VEHICLE, SMALL_VEHICLE
from labelkit.worlds.aerial.draw import QUARTERS, Draw
from labelkit.worlds.aerial.shapes import box
from labelkit.worlds.aerial.site import Site, Vehicle

CAR_COLOURS = (
    (0.90, 0.90, 0.90), (0.86, 0.87, 0.88), (0.70, 0.71, 0.73), (0.55, 0.56, 0.58), (0.32, 0.33, 0.35),
    (0.16, 0.16, 0.18), (0.14, 0.15, 0.17), (0.60, 0.14, 0.13), (0.15, 0.24, 0.45), (0.46, 0.40, 0.32),
)  # fmt: skip
LOAD_COLOURS = (
    (0.92, 0.92, 0.90), (0.88, 0.89, 0.90), (0.84, 0.82, 0.78), (0.62, 0.64, 0.66), (0.20, 0.33, 0.55),
    (0.66, 0.22, 0.16), (0.24, 0.42, 0.30),
)  # fmt: skip
CRATE_COLOURS = (
    (0.72, 0.30, 0.16), (0.20, 0.36, 0.56), (0.30, 0.46, 0.34), (0.80, 0.78, 0.74), (0.56, 0.20, 0.18),
    (0.78, 0.62, 0.24), (0.48, 0.49, 0.50),
)  # fmt: skip
GLASS = (0.10, 0.12, 0.15)
BATCH = 256  # things painted together, so that their windows stay small


def car_size(draw: Draw, scale: float) -> tuple[float, float]:
    """Length and width of a small vehicle in pixels."""
    length = scale * draw.between(8.6, 10.8)
    return length, length * draw.between(0.42, 0.47)


def add_car(site: Site, u: float, v: float, heading: int) -> None:
    """Put a car on a site; `heading` counts quarter turns from its u axis."""
    length, width = car_size(site.draw, site.scale)
    colour = site.draw.near(site.draw.pick(CAR_COLOURS), 0.06)
    site.park(u, v, QUARTERS[heading % 4], "car", length, width, colour)


def add_large(site: Site, u: float, v: float, heading: int) -> None:
    """Put a truck or a bus on a site."""
    draw = site.draw
    kind = "bus" if draw.chance(0.2) else "truck"
    length = site.scale * (draw.between(22, 27) if kind == "bus" else draw.between(16, 34))
    width = site.scale * draw.between(5.8, 6.8)
    site.park(u, v, QUARTERS[heading % 4], kind, length, width, draw.near(draw.pick(LOAD_COLOURS), 0.05))


def add_crate(site: Site, u: float, v: float, length: float, width: float, upright: bool = False) -> None:
    """Put a container, a skip or a box on a site: it looks like a vehicle and is none. Sizes in the table's pixels."""
    colour = site.draw.near(site.draw.pick(CRATE_COLOURS), 0.06)
    site.park(u, v, QUARTERS[int(upright)], "crate", site.scale * length, site.scale * width, colour)


def paint_vehicles(board: Board, vehicles: list[Vehicle]) -> None:
    """Paint all vehicles and crates with their shadows, small ones first."""
    for kind, label in (("crate", 0), ("car", SMALL_VEHICLE), ("truck", LARGE_VEHICLE), ("bus", LARGE_VEHICLE)):
        chosen = [vehicle for vehicle in vehicles if vehicle.kind == kind and _near(board, vehicle)]
        for start in range(0, len(chosen), BATCH):
            _paint_batch(board, chosen[start : start + BATCH], kind, label)


def _near(board: Board, vehicle: Vehicle) -> bool:
    x, y = vehicle.centre
    reach = vehicle.length
    return -reach < x < board.width + reach and -reach < y < board.height + reach


def _paint_batch(board: Board, chosen: list[Vehicle], kind: str, label: int) -> None:
    length = np.array([vehicle.length for vehicle in chosen], np.float32)[:, None]
    width = np.array([vehicle.width for vehicle in chosen], np.float32)[:, None]
    colours = np.array([vehicle.colour for vehicle in chosen], np.float32)
    tall = np.float32(0.34) * width
    reach = int(float(length.max()) / 2 + float(tall.max()) * 1.5) + 2
    stamps = Stamps(board, [vehicle.centre for vehicle in chosen], [vehicle.turn for vehicle in chosen], reach)
    stamps.darken(_rounded(*stamps.shifted(tall), length, width), board.darkness)
    u, v = stamps.u / length, stamps.v / width  # -0.5 .. 0.5 along both
    body = _rounded(stamps.u, stamps.v, length, width)
    # The side away from the sun is darker, which is what makes it look like a box.
    along = stamps.cosine * board.sun[0] + stamps.sine * board.sun[1]
    across = stamps.cosine * board.sun[1] - stamps.sine * board.sun[0]
    light = 1 - np.float32(0.14) * (u * along + v * across)
    stamps.fill(body, colours, light)
    if kind == "car":
        stamps.fill(_patch(stamps, length, width, (0.16, 0.0), (0.085, 0.40)) * body, GLASS)
        stamps.fill(_patch(stamps, length, width, (-0.33, 0.0), (0.055, 0.36)) * body, GLASS)
        stamps.fill(_patch(stamps, length, width, (-0.08, 0.0), (0.13, 0.30)) * body, colours, 1.14)
    elif kind == "truck":
        stamps.fill(_patch(stamps, length, width, (0.29, 0.0), (0.025, 0.5)) * body, (0.20, 0.20, 0.21))
        stamps.fill(_patch(stamps, length, width, (0.40, 0.0), (0.09, 0.46)) * body, np.roll(colours, 1, 0), 0.92)
        stamps.fill(_patch(stamps, length, width, (0.455, 0.0), (0.025, 0.40)) * body, GLASS)
    elif kind == "bus":
        for place in (-0.25, 0.1):
            stamps.fill(_patch(stamps, length, width, (place, 0.0), (0.06, 0.26)) * body, (0.60, 0.61, 0.62))
        stamps.fill(_patch(stamps, length, width, (0.47, 0.0), (0.02, 0.44)) * body, GLASS)
    else:
        ribs = stamps.u * np.float32(0.4)
        stamps.fill(body * np.float32(0.3) * (ribs - np.floor(ribs) < np.float32(0.4)), (0.25, 0.24, 0.23))
    numbers = np.array([board.add(label) if label else 0 for _ in chosen])
    stamps.claim(body, numbers)


def _rounded(u: np.ndarray, v: np.ndarray, length: np.ndarray, width: np.ndarray) -> np.ndarray:
    """A box with blunt corners."""
    inside = np.minimum(length / 2 - np.abs(u), width / 2 - np.abs(v))
    corner = (length / 2 - np.abs(u) + width / 2 - np.abs(v)) * np.float32(0.7071) - np.float32(0.5)
    return np.minimum(np.maximum(np.minimum(inside, corner) + np.float32(0.5), 0), 1)


def _patch(
    stamps: Stamps, length: np.ndarray, width: np.ndarray, at: tuple[float, float], half: tuple[float, float]
) -> np.ndarray:
    """A rectangle given in lengths and widths of the thing."""
    u, v = stamps.u - length * at[0], stamps.v - width * at[1]
    inside = np.minimum(length * half[0] - np.abs(u), width * half[1] - np.abs(v))
    return np.minimum(np.maximum(inside + np.float32(0.5), 0), 1)


def fill_car_park(site: Site, busy: float, heavy: bool = False) -> None:
    """Rows of stalls with their lines, filled with cars, or with trucks.

    Args:
        site: covered already with its ground.
        busy: share of stalls that are taken.
        heavy: for trucks.
    """
    draw, scale = site.draw, site.scale
    deep, wide, aisle = (30.0, 9.5, 24.0) if heavy else (11.6, 6.0, 11.0)
    deep, wide, aisle = deep * scale, wide * scale, aisle * scale
    bay = 2 * deep + aisle
    bays = max(1, int((2 * site.half_v - 4) / bay))
    stalls = int((2 * site.half_u - 12 * scale) / wide)
    if stalls < 2:
        return
    start = -wide * stalls / 2
    sheet = site.sheet(0, 0, site.half_u, site.half_v)
    for number in range(bays):
        middle = (number - (bays - 1) / 2) * bay
        for side in (-1, 1):
            row = middle + side * (aisle + deep) / 2
            if sheet.seen:
                steps = (sheet.u - start) / wide + np.float32(0.06)
                lines = (steps - np.floor(steps) < np.float32(0.13)) * np.float32(0.55)
                sheet.fill(
                    box(sheet.u, sheet.v, wide * stalls / 2 + 1, deep / 2, (0.0, row)) * lines, (0.85, 0.85, 0.82)
                )
            gap = draw.below(stalls) if draw.chance(0.3) else -1
            for stall in range(stalls):
                place = start + (stall + 0.5) * wide
                if stall == gap and not heavy:
                    site.plant(place, row, scale * draw.between(3.0, 4.6), draw.near((0.24, 0.33, 0.16), 0.05))
                elif draw.chance(busy):
                    heading = 1 if draw.chance(0.5) else 3
                    shift = row + scale * draw.between(-0.8, 0.8)
                    if not heavy:
                        add_car(site, place, shift, heading)
                    elif draw.chance(0.3):
                        add_crate(site, place, shift, draw.between(16, 28), 6.2, upright=True)
                    else:
                        add_large(site, place, shift, heading)
