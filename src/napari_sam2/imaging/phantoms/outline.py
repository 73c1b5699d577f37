"""Closed outlines, what they claim of a frame, and how bodies keep apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.imaging.optics import Counts, Floats, Points

HARMONICS = np.arange(2, 7)  # waves round an outline


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """An ellipse with waves round it: half axes in pixels, the angle of the long one from the x axis.

    A `power` above 2 makes its ends blunt, as of a rod; a `bend` makes a crescent of it.
    """

    center: Points
    angle: float
    long: float
    short: float
    amplitudes: Points
    phases: Points
    power: float = 2.0
    bend: float = 0.0

    def patch(self, height: int, width: int) -> Patch:
        """Return the canvas round the outline, as far as it lies in the frame."""
        reach, (y, x) = 1.6 * self.long + 4, self.center
        rows = _span(y, reach, height)
        columns = _span(x, reach, width)
        down, right = np.ogrid[rows, columns]
        dy, dx = (down - y).astype(np.float32), (right - x).astype(np.float32)
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        u = (cos * dx + sin * dy) / np.float32(self.long)
        v = (cos * dy - sin * dx) / np.float32(self.short)
        if self.bend:
            v = v + np.float32(self.bend) * (u * u - np.float32(0.3))
        # The outline is tabulated over the angle: 256 steps are finer than a pixel.
        turns = HARMONICS[:, None] * np.linspace(-np.pi, np.pi, 257) + self.phases[:, None]
        edge = (1 + np.clip(self.amplitudes @ np.cos(turns), -0.45, 0.5)).astype(np.float32)
        step = (np.arctan2(v, u) * (128 / np.pi) + 128.5).astype(np.intp)
        if self.power == 2:
            ratio = np.hypot(u, v)
        else:
            ratio = (np.abs(u) ** self.power + np.abs(v) ** self.power) ** np.float32(1 / self.power)
        return Patch(rows, columns, ratio / edge[step], v, u)


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The canvas round one outline: `ratio` is 0 in its middle and 1 on it, `v` and `u` are its axes."""

    rows: slice
    columns: slice
    ratio: Floats
    v: Floats
    u: Floats


def _span(middle: float, reach: float, size: int) -> slice:
    """Return the part of an axis round a place; empty where the place lies far outside."""
    return slice(min(size, max(0, int(middle - reach))), max(0, min(size, int(middle + reach) + 2)))


def claim(label: int, patch: Patch, labels: Counts, best: Floats) -> npt.NDArray[np.bool_]:
    """Label the pixels that lie in the outline and nearer to its middle than to another's; return them."""
    window = np.s_[patch.rows, patch.columns]
    inside: npt.NDArray[np.bool_] = patch.ratio < best[window]
    labels[window][inside] = label
    best[window] = np.minimum(best[window], patch.ratio)
    return inside


def coverage(patch: Patch, radius: float) -> Floats:
    """Return how much of each pixel lies inside, 0 to 1, for an edge without steps."""
    return np.clip((1 - patch.ratio) * np.float32(radius) + np.float32(0.5), 0, 1)


def keep_whole(labels: Counts) -> None:
    """Leave of every object its largest piece, in place; labels of any number of axes."""
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        own = labels[box] == label
        pieces, count = ndimage.label(own)
        if count > 1:
            largest = np.bincount(pieces.ravel())[1:].argmax() + 1
            labels[box][own & (pieces != largest)] = 0


def scatter(rng: np.random.Generator, count: int, size: Points, spacing: float) -> Points:
    """Return (count, axes) places in the frame, as far from each other as `spacing` where there is room."""
    places = np.empty((count, len(size)))
    for i in range(count):
        tries = rng.uniform(0.04, 0.96, (40, len(size))) * size
        gaps = np.linalg.norm(tries[:, None] - places[None, :i], axis=2).min(axis=1, initial=np.inf)
        places[i] = tries[gaps.argmax() if gaps.max() < spacing else (gaps >= spacing).argmax()]
    return places


def separate(centers: Points, extent: Points, low: Points, high: Points, room: float = 1.02) -> Points:
    """Return places (n, axes) moved off each other, and strays moved back.

    Parameters
    ----------
    centers, extent
        Places (n, axes) and radii (n,).
    low, high
        Bounds of the places, broadcast against them.
    room
        Distance kept, in units of the sum of two radii; below 1 bodies may overlap.
    """
    centers = centers.copy()
    for _ in range(8):
        gaps = centers[:, None] - centers[None]
        distance = np.linalg.norm(gaps, axis=2) + np.diag(np.full(len(centers), np.inf))
        push = 0.3 * np.clip(room * (extent[:, None] + extent[None]) - distance, 0, None)
        centers += (np.minimum(push / np.maximum(distance, 1e-6), 1)[:, :, None] * gaps).sum(axis=1)
        centers = np.clip(centers, low, high)
    return centers
