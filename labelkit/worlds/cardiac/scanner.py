"""Painting one slice, and what coil, resolution and noise make of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from labelkit.worlds.cardiac.cuts import ventricles
from labelkit.worlds.cardiac.patient import Patient, Shape
from labelkit.worlds.cardiac.plane import Plane

TEXTURE = ((9, 0.34), (26, 0.38))  # cells along each side, and spread of the factor


@cache
def _cells(count: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of `count` pixels: the cell of a grid it lies in, and how far into it, 0..1 (smoothed)."""
    place = (np.arange(count, dtype=np.float32) + np.float32(0.5)) / np.float32(count) * np.float32(cells)
    cell = place.astype(np.intp)
    share = place - cell.astype(np.float32)
    return cell, share * share * (3 - 2 * share)


def _texture(noise: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A factor around 1 that varies smoothly, (height, width) float32."""
    product = np.ones((height, width), np.float32)
    for cells, spread in TEXTURE:
        grid = noise.random((cells + 1, cells + 1)).astype(np.float32) * np.float32(spread) + np.float32(1 - spread / 2)
        (row, down), (column, along) = _cells(height, cells), _cells(width, cells)
        lines = grid[row] + (grid[row + 1] - grid[row]) * down[:, None]
        left = lines[:, column]
        product *= left + (lines[:, column + 1] - left) * along
    return product


def _surroundings(plane: Plane, patient: Patient, level: float) -> None:
    """Skin to lung, then what lies below the diaphragm, which rises towards the apex."""
    heart = patient.heart
    body = plane.distance(patient.body)
    plane.cover(body, patient.fat)
    plane.cover(body, heart.muscle, grow=-patient.rim)
    plane.cover(body, patient.fat * 0.75, grow=-patient.rim - patient.flesh * 0.7)
    plane.cover(body, patient.lung, grow=-patient.rim - patient.flesh)
    for rib in patient.ribs:
        plane.paint(rib)
    drift, rise = 0.05 * (level - 0.5), 0.07 * level
    for x, y, radius, value in patient.vessels:
        plane.paint(Shape(x + drift, y - drift, radius, radius, value))
    outside, before = body >= np.float32(-patient.rim - patient.flesh), plane.signal.copy()
    belly = plane.distance(_lifted(patient.belly, rise))
    plane.cover(belly, heart.muscle)
    plane.cover(belly, patient.fat * 0.72, grow=-0.012)
    for organ in patient.organs:
        plane.paint(_lifted(organ, rise))
    np.copyto(plane.signal, before, where=outside)


def _lifted(shape: Shape, rise: float) -> Shape:
    return replace(shape, y=shape.y - rise)


def _heart(plane: Plane, patient: Patient, level: float, systole: bool) -> np.ndarray:
    """Paint the heart and return its mask (H, W) uint8."""
    heart = patient.heart
    right, muscle, left = ventricles(patient, level, systole)
    free, outer = plane.distance(right), plane.distance(muscle)
    bed, shrink = plane.distance(patient.bed), 0.07 * level
    plane.cover(bed, heart.muscle * 0.8, grow=0.008 - shrink, most=min(1.0, 1.4 - level))
    plane.cover(bed, patient.bed.value, grow=-shrink, most=min(1.0, 1.3 - level))
    plane.paint(patient.aorta)
    if level < 0.4:
        for atrium in patient.atria:
            plane.paint(atrium, grow=0.010, most=min(1.0, (0.4 - level) * 6), rim=heart.muscle)
    plane.cover(np.minimum(free, outer), heart.muscle * 0.9, grow=0.011)  # thin free wall of the right ventricle
    plane.cover(free, right.value)
    plane.cover(outer, heart.muscle)
    mask = np.zeros(plane.signal.shape, np.uint8)
    mask[free < 0] = 1
    mask[outer < 0] = 2
    if left is None:
        return mask
    cavity = plane.distance(left)
    plane.cover(cavity, left.value)
    mask[(cavity < 0) & (outer < 0)] = 3
    if 0.10 < level < 0.85:
        swell = left.rx * (1.2 if systole else 1.0)
        for x, y, size in heart.papillary:  # they belong to the cavity, as in ACDC
            x, y, size = left.x + x * left.rx, left.y + y * left.rx, size * swell
            plane.paint(Shape(x, y, size, size * 0.8, heart.muscle * 1.15), most=0.85)
    return mask


def scan(
    patient: Patient, level: float, systole: bool, noise: np.random.Generator, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Image one slice.

    Args:
        patient: the patient.
        level: 0 (base) to 1 (apex).
        systole: contracted or relaxed.
        noise: of texture and receiver; only its uniform numbers are used.
        height, width: pixels.

    Returns:
        image (H, W) uint8, and mask (H, W) uint8 with the classes 0..3.
    """
    plane = Plane(patient, height, width)
    _surroundings(plane, patient, level)
    mask = _heart(plane, patient, level, systole)
    signal = plane.signal

    signal *= _texture(noise, height, width)
    dx, dy = plane.x - patient.coil_x, plane.y - patient.coil_y
    signal *= np.float32(1.75 * patient.gain) / (1 + (dx * dx + dy * dy) * (2.2 * patient.coil))

    side, middle = np.float32(patient.blur), np.float32(1 - 2 * patient.blur)
    signal[:, 1:-1] = signal[:, 1:-1] * middle + (signal[:, :-2] + signal[:, 2:]) * side
    signal[1:-1] = signal[1:-1] * middle + (signal[:-2] + signal[2:]) * side

    # Rician: the magnitude of a signal with noise in both channels; three uniforms make a bell of variance 1/4.
    uniforms = noise.random((6, height, width)).astype(np.float32)
    strength = np.float32(2 * patient.noise)
    real = signal + (uniforms[0] + uniforms[1] + uniforms[2] - np.float32(1.5)) * strength
    other = (uniforms[3] + uniforms[4] + uniforms[5] - np.float32(1.5)) * strength
    signal = np.sqrt(real * real + other * other) * np.float32(255) + np.float32(0.5)
    return np.minimum(signal, 255).astype(np.uint8), mask
