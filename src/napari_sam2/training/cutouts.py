"""Objects lifted off their ground in a still, and put back elsewhere, turned, scaled and dimmed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.uint16]
Track = npt.NDArray[np.floating[Any]]

# So many pixels round an object still show its light; less, and a ghost of it stays behind.
HALO = 7


@dataclass(frozen=True, slots=True)
class Cutout:
    """One object above its ground: the light it adds, (h, w, C), how much of it counts, and its mask."""

    y: float
    x: float
    light: FloatArray
    mask: npt.NDArray[np.bool_]
    radius: float


@dataclass(slots=True)
class Path:
    """Where a cutout is on each frame: centres (T, 2), angles, lengths of both axes and gains (T,)."""

    label: int
    centres: Track
    angles: Track
    axes: Track
    gains: Track
    seen: npt.NDArray[np.bool_]


def find_ground(rng: np.random.Generator, image: FloatArray, labels: LabelArray) -> FloatArray:
    """The picture without its objects: what lies between them, spread under them, with its own grain."""
    free = ~ndimage.binary_dilation(labels > 0, iterations=HALO)
    if free.mean() < 0.02:
        return np.full_like(image, np.percentile(image, 5))
    size = max(labels.shape) / 12
    weight = ndimage.gaussian_filter(free.astype(np.float32), size, mode="nearest")
    spread = ndimage.gaussian_filter(np.where(free, image, 0), size, mode="nearest")
    average = np.median(image[free])
    smooth = (spread + 1e-3 * average) / (weight + 1e-3)
    grain = (image - smooth)[free]
    filled = smooth + rng.choice(grain, labels.shape).astype(np.float32)
    return np.where(free, image, filled).astype(np.float32)


def cut_out(above: FloatArray, labels: LabelArray) -> dict[int, Cutout]:
    """Every object of labels (H, W), by its number, with the light that it adds to its ground."""
    height, width = labels.shape
    reach = _softness(labels)
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    owner = labels[tuple(nearest)]
    found = {}
    for index, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        top, left = max(box[0].start - HALO, 0), max(box[1].start - HALO, 0)
        patch = (slice(top, min(box[0].stop + HALO, height)), slice(left, min(box[1].stop + HALO, width)))
        mask = labels[patch] == index
        light = above[patch] * reach[patch] * (owner[patch] == index)
        rows, columns = np.nonzero(mask)
        y, x = float(rows.mean()), float(columns.mean())
        # Centred on the object, so that turning and scaling leave its centre where it is.
        half = math.ceil(max(y, x, mask.shape[0] - 1 - y, mask.shape[1] - 1 - x))
        shift = (half - round(y), half - round(x))
        square = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
        body = np.zeros(square.shape, bool)
        into = (slice(max(shift[0], 0), max(shift[0], 0) + mask.shape[0]),
                slice(max(shift[1], 0), max(shift[1], 0) + mask.shape[1]))  # fmt: skip
        rows_fit, columns_fit = square[into].shape
        square[into] = light[:rows_fit, :columns_fit]
        body[into] = mask[:rows_fit, :columns_fit]
        radius = math.sqrt(float(mask.sum()) / math.pi)
        found[index] = Cutout(top + round(y), left + round(x), square, body, radius)
    return found


def paint(frame: FloatArray, truth: LabelArray, cutout: Cutout, path: Path, t: int) -> None:
    """Add the light of one object to a frame (H, W) and write its label, behind those already there."""
    side = len(cutout.light)
    stretch = float(path.axes[t].max())
    half = math.ceil((side / 2) * max(stretch, 0.3) * 1.42)
    y, x = (float(v) for v in path.centres[t])
    top, left = round(y) - half, round(x) - half
    cos, sin = math.cos(float(path.angles[t])), math.sin(float(path.angles[t]))
    turn = np.array([[cos, sin], [-sin, cos]]) / path.axes[t][:, None]
    middle = (side - 1) / 2
    offset = np.array([middle, middle]) - turn @ np.array([y - top, x - left])
    shape = (2 * half + 1, 2 * half + 1)
    light = ndimage.affine_transform(cutout.light, turn, offset, shape, order=1)
    mask = ndimage.affine_transform(cutout.mask.astype(np.float32), turn, offset, shape, order=1) >= 0.5
    low, high = max(top, 0), min(top + shape[0], frame.shape[0])
    near, far = max(left, 0), min(left + shape[1], frame.shape[1])
    if low >= high or near >= far:
        return
    inside = (slice(low - top, high - top), slice(near - left, far - left))
    target = (slice(low, high), slice(near, far))
    frame[target] += path.gains[t] * light[inside]
    room = truth[target]
    room[mask[inside] & (room == 0)] = path.label


def _softness(labels: LabelArray) -> FloatArray:
    """1 in objects and close to them, falling to 0 at `HALO`: the blur that belongs to an object."""
    away = ndimage.distance_transform_edt(labels == 0)
    return np.clip(2 - 2 * (away - 1) / HALO, 0, 1).astype(np.float32)
