"""Space divided among cells that touch: who is nearest, and how far the next wall is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_sam2.imaging.optics import Counts, Floats, Points


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Who owns each pixel, 0 for nobody, and about how many pixels away the next owner is."""

    labels: Counts
    gap: Floats


def partition(points: Points, owners: Sequence[int], grids: Sequence[Floats], reach: float) -> Partition:
    """Give each pixel to the owner of the nearest point, if that is within `reach`.

    Parameters
    ----------
    points, owners
        Places (n, axes) in units of a pixel, and whose they are: several points may have one owner.
    grids
        For each axis the coordinate of each pixel, all of one shape; bent grids give bent walls.
    reach
        Distance in pixels beyond which a pixel is nobody's. The smaller, the faster.
    """
    shape = grids[0].shape
    best = np.full(shape, reach**2, np.float32)
    second = np.full(shape, (1.5 * reach) ** 2, np.float32)
    labels = np.zeros(shape, np.uint16)
    ends = [_edges(grid, axis) for axis, grid in enumerate(grids)]
    for point, owner in zip(points, owners, strict=True):
        window = tuple(
            slice(int(np.searchsorted(top, p - reach)), int(np.searchsorted(bottom, p + reach, "right")))
            for p, (bottom, top) in zip(point, ends, strict=True)
        )
        distance = sum((grid[window] - np.float32(p)) ** 2 for grid, p in zip(grids, point, strict=True))
        own, near, next_ = labels[window], best[window], second[window]
        # The second best counts only where it is somebody else.
        other = own != owner
        np.copyto(next_, np.minimum(next_, np.maximum(near, distance)), where=other)
        closer = distance < near
        own[closer] = owner
        np.minimum(near, distance, out=near)
    return Partition(labels, np.asarray((np.sqrt(second) - np.sqrt(best)) / 2, np.float32))


def _edges(grid: Floats, axis: int) -> tuple[Points, Points]:
    """Return the smallest and the largest coordinate at each index of an axis, made to rise."""
    others = tuple(i for i in range(grid.ndim) if i != axis)
    bottom, top = grid.min(axis=others).astype(float), grid.max(axis=others).astype(float)
    return np.minimum.accumulate(bottom[::-1])[::-1], np.maximum.accumulate(top)
