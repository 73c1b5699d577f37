"""Cleaning masks: holes, pieces, edges, and cutting one in two along a stroke."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import pairwise
from math import ceil, inf, isfinite

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.errors import PromptError

Mask = npt.NDArray[np.bool_]
Stroke = Sequence[tuple[float, float]]

_EIGHT = np.ones((3, 3), dtype=bool)
_CRUMB = 0.02
"""A piece of less than this share of what a stroke cuts is a crumb of the cut, not a part."""


class CleanUp(Enum):
    """What can be done to a mask; `size` means something else for each."""

    FILL_HOLES = "fill holes"
    KEEP_LARGEST = "keep largest"
    SMOOTH = "smooth"
    REMOVE_SMALL = "remove small"
    REMOVE_BORDER = "remove border"

    @property
    def usual(self) -> float:
        """The size where none is given: largest hole, smoothing radius, smallest piece, edge distance."""
        return {CleanUp.FILL_HOLES: inf, CleanUp.SMOOTH: 2.0, CleanUp.REMOVE_SMALL: 20.0}.get(self, 0.0)


def clean(mask: Mask, tool: CleanUp, size: float | None = None) -> Mask:
    """Clean a mask.

    Parameters
    ----------
    mask
        bool (H, W); it is not changed.
    tool, size
        What to do, and how much; see `CleanUp.usual` for what the size is.

    Returns
    -------
    numpy.ndarray
        bool (H, W).

    Raises
    ------
    PromptError
        The size is below 0 or no number.
    """
    size = tool.usual if size is None else float(size)
    if not size >= 0 or not (isfinite(size) or tool is CleanUp.FILL_HOLES):
        raise PromptError(f"To {tool.value}, a size of 0 or more is needed, in pixels, got {size:g}.")
    if tool is CleanUp.REMOVE_BORDER:
        return remove_border(mask, int(size))
    if not mask.any():
        return mask.copy()
    # Away from the object nothing can change; a window spares most of a large image.
    window = _around(mask, 1 + ceil(3 * size) if tool is CleanUp.SMOOTH else 1)
    inside = mask[window]
    if tool is CleanUp.FILL_HOLES:
        inside = fill_holes(inside, size)
    elif tool is CleanUp.KEEP_LARGEST:
        inside = keep_largest(inside)
    elif tool is CleanUp.SMOOTH:
        inside = smooth(inside, size)
    else:
        inside = remove_small(inside, size)
    cleaned = np.zeros_like(mask)
    cleaned[window] = inside
    return cleaned


def fill_holes(mask: Mask, area: float = inf) -> Mask:
    """Fill background that the mask (H, W) encloses, islands of at most `area` pixels.

    What reaches the edge of the image is no hole.
    """
    padded = np.pad(~mask, 1, constant_values=True)
    islands, _ = ndimage.label(padded)  # 4-connected: a diagonal of the mask closes a hole
    sizes = np.bincount(islands.ravel())
    hole = sizes <= area
    hole[[0, islands[0, 0]]] = False
    return np.asarray(mask | hole[islands][1:-1, 1:-1])


def keep_largest(mask: Mask) -> Mask:
    """Return the largest piece of a mask (H, W), 8-connected; of equal ones the upper."""
    pieces, count = ndimage.label(mask, structure=_EIGHT)
    if count < 2:
        return mask.copy()
    sizes = np.bincount(pieces.ravel())
    return np.asarray(pieces == 1 + int(np.argmax(sizes[1:])))


def remove_small(mask: Mask, area: float) -> Mask:
    """Take away the pieces of a mask (H, W) that have fewer than `area` pixels; it may be empty then."""
    pieces, _ = ndimage.label(mask, structure=_EIGHT)
    large = np.bincount(pieces.ravel()) >= area
    large[0] = False
    return np.asarray(large[pieces])


def smooth(mask: Mask, radius: float) -> Mask:
    """Round off what is narrower than about `radius` pixels, by a blur and the middle between in and out.

    Straight edges stay where they are. What would vanish as a whole stays as it is.
    """
    if radius <= 0:
        return mask.copy()
    soft = ndimage.gaussian_filter(mask.astype(np.float32), radius, mode="nearest", truncate=3.0)
    smoothed = np.asarray(soft > 0.5)
    return smoothed if smoothed.any() else mask.copy()


def remove_border(mask: Mask, margin: int = 0) -> Mask:
    """Empty a mask (H, W) that comes to within `margin` pixels of the image's edge; 0: that touches it."""
    width = margin + 1
    edge = (mask[:width], mask[-width:], mask[:, :width], mask[:, -width:])
    return np.zeros_like(mask) if any(side.any() for side in edge) else mask.copy()


def split(mask: Mask, stroke: Stroke) -> tuple[Mask, ...]:
    """Cut a mask along a stroke.

    Where the stroke does not quite reach through, it is drawn out straight at either end until it leaves the
    mask. What is cut goes to the part that is nearest; crumbs do, too.

    Parameters
    ----------
    mask
        bool (H, W).
    stroke
        Points (y, x), two or more; they may lie outside the image.

    Returns
    -------
    tuple of numpy.ndarray
        The parts, bool (H, W), largest first. Pieces that the stroke does not touch stay with the largest.

    Raises
    ------
    PromptError
        The stroke is too short, or leaves the mask in one piece.
    """
    points = np.asarray([tuple(map(float, point)) for point in stroke], np.float64).reshape(-1, 2)
    if len(points) < 2 or not np.isfinite(points).all() or not np.ptp(points, axis=0).any():
        raise PromptError("A cut is a stroke through two or more different points (y, x).")
    if abs(points).max() > 10 * max(mask.shape):
        raise PromptError(f"The cut lies far outside the image of {mask.shape[0]} x {mask.shape[1]} pixels.")
    found = _parts(mask, _drawn(points, mask.shape))
    if len(found) < 2:
        points = np.stack((_way_out(points[::-1], mask), *points, _way_out(points, mask)))
        found = _parts(mask, _drawn(points, mask.shape))
    if len(found) < 2:
        raise PromptError("The stroke does not cut the object: draw it across, from outside to outside.")
    others = sorted(found, key=lambda part: -int(part.sum()))[1:]
    return np.asarray(mask & ~np.logical_or.reduce(others)), *others


def _parts(mask: Mask, line: Mask) -> list[Mask]:
    """Return what is left, of the pieces that a line meets, on either side; it goes to the nearest part."""
    pieces, _ = ndimage.label(mask, structure=_EIGHT)
    mask = np.isin(pieces, np.setdiff1d(pieces[line], 0))
    left, _ = ndimage.label(mask & ~line, structure=_EIGHT)
    large = np.bincount(left.ravel()) >= max(1.0, _CRUMB * int(mask.sum()))
    large[0] = False
    parts = np.flatnonzero(large)
    left = np.where(large[left], left, 0)
    if len(parts) < 2:
        return [mask]
    y, x = ndimage.distance_transform_edt(left == 0, return_distances=False, return_indices=True)
    nearest = left[y, x]
    return [np.asarray(mask & (nearest == label)) for label in parts]


def _drawn(points: npt.NDArray[np.float64], shape: tuple[int, ...]) -> Mask:
    """Return the pixels of a polyline, by whose sides they hang together: no corner slips through."""
    line = np.zeros(shape, bool)
    for start, end in pairwise(points):
        steps = int(np.ceil(abs(end - start).max())) + 1
        rows, columns = np.rint(np.linspace(start, end, steps + 1)).astype(int).T
        rows, columns = np.repeat(rows, 2)[1:], np.repeat(columns, 2)[:-1]
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        line[rows[inside], columns[inside]] = True
    return line


def _way_out(points: npt.NDArray[np.float64], mask: Mask) -> npt.NDArray[np.float64]:
    """Return the place (y, x) straight on behind the last point that is just outside the mask."""
    behind = points[(abs(points - points[-1]).max(axis=1) > 0).nonzero()[0][-1]]
    step = (points[-1] - behind) / np.hypot(*(points[-1] - behind))
    at = points[-1]
    while True:
        row, column = np.rint(at).astype(int)
        if not (0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and mask[row, column]):
            return np.asarray(at)
        at = at + step


def _around(mask: Mask, margin: int) -> tuple[slice, ...]:
    """Return the window round what is set, wider by a margin as far as the image reaches."""
    found = []
    for axis, size in ((1, mask.shape[0]), (0, mask.shape[1])):
        line = np.flatnonzero(mask.any(axis=axis))
        found.append(slice(max(int(line[0]) - margin, 0), min(int(line[-1]) + 1 + margin, size)))
    return tuple(found)
