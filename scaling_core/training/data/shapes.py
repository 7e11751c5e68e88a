"""Drawn images without end: ten shapes turned, moved, sized and sheared, among clutter and noise.

A shape is its radius over the angle, so one table holds all of them. They have the same area and the same brightness,
and noise hides part of what tells a disc from a pentagon: no network reaches a loss of 0, and small ones differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from scaling_core.training.data.base import Batch
from scaling_core.training.data.drawn import UNLIMITED, normal, uniform
from scaling_core.training.models.base import DataShape
from scaling_core.training.spec import DataSpec

SHAPES = (
    "disc", "triangle", "square", "pentagon", "trefoil", "cross", "star", "ring", "half disc", "bar",
)  # fmt: skip
#: Pixels of a side, and standard deviation of the noise where a shape stands out by .5 to 1.
SIDE, NOISE = 16, 0.35
_ANGLES = 256
#: Inner radius of a ring, as a share of the outer.
_HOLE = 0.55
#: Pixels over which an edge fades.
_EDGE = 0.5
_LINES = 3
#: More would take longer to measure than to train.
_MOST_VALIDATION = 8192
_TRAINING, _VALIDATION = 0, 1
_NOISE_STREAM = 2


@dataclass(frozen=True)
class Shapes:
    """The images of a seed as a source of labels; it never repeats.

    Attributes
    ----------
    seed : int
    validation_rows : int
    """

    seed: int
    validation_rows: int
    bytes_per_token: float | None = None
    entropy: float | None = None
    unique_tokens: int = UNLIMITED

    @property
    def shape(self) -> DataShape:
        """One channel in, ten classes out."""
        return DataShape("labels", 0, len(SHAPES), (1, SIDE, SIDE))

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the images are."""
        return {
            "source": "shapes",
            "title": f"Drawn shapes, {SIDE} × {SIDE} pixels",
            "unit": "examples",
            "seed": self.seed,
            "noise": NOISE,
            "classes": list(SHAPES),
            "split": "images drawn apart",
            "validation_examples": self.validation_rows,
        }

    def batch(self, position: int, n: int) -> Batch:
        """``n`` images from ``position`` on."""
        return drawn_shapes(self.seed, _TRAINING, np.arange(position, position + n))

    def validation(self) -> Batch:
        """The same images for every run of the seed."""
        return drawn_shapes(self.seed, _VALIDATION, np.arange(self.validation_rows))


def open_shapes(spec: DataSpec, context: int) -> Shapes:
    """Open the images of ``spec.seed``; ``context`` is of no use to them."""
    return Shapes(spec.seed, max(1, min(spec.validation_tokens, _MOST_VALIDATION)))


def drawn_shapes(seed: int, stream: int, rows: np.ndarray) -> Batch:
    """Images by their index: inputs ``(rows, 1, side, side)`` float32, targets ``(rows,)``."""
    chances = uniform(seed, stream, rows, 8 + 4 * _LINES)
    labels = (chances[:, 0] * len(SHAPES)).astype(np.int64)
    sign = np.where(chances[:, 1] < 0.5, -1.0, 1.0)
    contrast = sign * (0.5 + 0.5 * chances[:, 2])
    picture = contrast[:, None] * _covered(labels, chances[:, 3:8]) + _clutter(chances[:, 8:])
    picture = picture + NOISE * normal(seed, _NOISE_STREAM + stream, rows, SIDE * SIDE)
    return Batch(picture.reshape(-1, 1, SIDE, SIDE).astype(np.float32), labels)


def _covered(labels: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Share of each pixel that a shape covers, ``(rows, pixels)``; chances for turn, size, two of place and shear."""
    x, y = _pixels()
    size = SIDE * (0.22 + 0.13 * chances[:, 1, None])
    room = SIDE / 2 - size
    dx = x - (2 * chances[:, 2, None] - 1) * 0.6 * room
    dy = y - (2 * chances[:, 3, None] - 1) * 0.6 * room
    turn = 2 * np.pi * chances[:, 0, None]
    across, along = np.cos(turn) * dx + np.sin(turn) * dy, np.cos(turn) * dy - np.sin(turn) * dx
    across = across + 0.3 * (2 * chances[:, 4, None] - 1) * along
    radius = np.hypot(across, along)
    bins = ((np.arctan2(along, across) / (2 * np.pi)) % 1.0 * _ANGLES).astype(np.int64) % _ANGLES
    edge = _outlines()[labels[:, None], bins] * size
    inner = np.where(labels == SHAPES.index("ring"), _HOLE, 0.0)[:, None] * edge
    return _step(edge - radius) * np.where(inner > 0, _step(radius - inner), 1.0)


def _clutter(chances: np.ndarray) -> np.ndarray:
    """Some short lines of either sign, ``(rows, pixels)``: two numbers of place, one of direction, one of strength."""
    x, y = _pixels()
    total = np.zeros((chances.shape[0], SIDE * SIDE))
    for place_x, place_y, direction, strength in chances.reshape(-1, _LINES, 4).transpose(1, 2, 0)[..., None]:
        dx, dy = x - (place_x - 0.5) * SIDE, y - (place_y - 0.5) * SIDE
        turn = np.pi * direction
        beside, along = np.cos(turn) * dy - np.sin(turn) * dx, np.cos(turn) * dx + np.sin(turn) * dy
        total += (2 * strength - 1) * _step(0.5 - np.abs(beside)) * _step(2.5 - np.abs(along))
    return total


def _step(distance: np.ndarray) -> np.ndarray:
    """From 0 to 1 over the width of an edge, for a distance in pixels."""
    return np.clip(distance / (2 * _EDGE) + 0.5, 0.0, 1.0)


@cache
def _pixels() -> tuple[np.ndarray, np.ndarray]:
    """Places of the pixels from the middle of the image, each ``(1, pixels)``."""
    places = np.arange(SIDE) - (SIDE - 1) / 2
    y, x = np.meshgrid(places, places, indexing="ij")
    return x.reshape(1, -1), y.reshape(1, -1)


@cache
def _outlines() -> np.ndarray:
    """Radius over the angle for each shape, all of the area of a unit disc, ``(shapes, angles)``."""
    angle = (np.arange(_ANGLES) + 0.5) / _ANGLES * 2 * np.pi
    tables = {
        "disc": np.ones(_ANGLES),
        "triangle": _polygon(angle, 3),
        "square": _polygon(angle, 4),
        "pentagon": _polygon(angle, 5),
        "trefoil": 1 + 0.45 * np.cos(3 * angle),
        "cross": 1 + 0.45 * np.cos(4 * angle),
        "star": 1 + 0.45 * np.cos(5 * angle),
        "ring": np.ones(_ANGLES),
        "half disc": _half_disc(angle),
        "bar": 1 / np.hypot(np.cos(angle) / 1.6, np.sin(angle) * 1.6),
    }
    radii: np.ndarray = np.array([tables[name] for name in SHAPES])
    areas: np.ndarray = (radii**2).mean(axis=1)
    areas[SHAPES.index("ring")] *= 1 - _HOLE**2
    radii /= np.sqrt(areas)[:, None]
    return radii


def _polygon(angle: np.ndarray, sides: int) -> np.ndarray:
    """Radius of a regular polygon whose sides are 1 from the middle."""
    sector = 2 * np.pi / sides
    radius: np.ndarray = 1 / np.cos(angle % sector - sector / 2)
    return radius


def _half_disc(angle: np.ndarray) -> np.ndarray:
    """Radius of a half disc, seen from its centre of mass: 4 / 3π above the cut of a unit disc."""
    low = 4 / (3 * np.pi)
    sine = np.sin(angle)
    arc = -low * sine + np.sqrt(1 - low**2 * np.cos(angle) ** 2)
    cut = np.where(sine < 0, -low / np.minimum(sine, -1e-12), np.inf)
    radius: np.ndarray = np.minimum(arc, cut)
    return radius
