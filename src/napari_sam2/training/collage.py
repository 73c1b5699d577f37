"""Movies from one annotated still: every object is cut out and goes its own way, some divide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float32]
# So many pixels round an object still show its light; less, and a ghost of it stays behind.
HALO = 7

LabelArray = npt.NDArray[np.uint16]
Track = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class _Cutout:
    """One object above its ground: the light it adds, (h, w, C), how much of it counts, and its mask."""

    y: float
    x: float
    light: FloatArray
    mask: npt.NDArray[np.bool_]
    radius: float


@dataclass(slots=True)
class _Path:
    """Where a cutout is on each frame: centres (T, 2), angles, lengths of both axes and gains (T,)."""

    label: int
    centres: Track
    angles: Track
    axes: Track
    gains: Track
    seen: npt.NDArray[np.bool_]


def collage(
    rng: np.random.Generator, image: npt.NDArray[np.uint8], labels: LabelArray, frames: int
) -> tuple[npt.NDArray[np.uint8], LabelArray]:
    """Let the objects of a still move independently, change brightness and now and then divide.

    Recordings of moving nuclei with truth are short and few; annotated stills are many. Fluorescence adds up,
    so objects are lifted off their ground as the light that they add and put back elsewhere.

    Parameters
    ----------
    rng
        Draws paths, gains and divisions.
    image, labels
        (H, W) and (H, W), 0 for the ground.
    frames
        How many frames to make.

    Returns
    -------
    tuple of ndarray
        Frames uint8 (T, H, W) and labels uint16 (T, H, W). Where one divides, one daughter keeps the label
        and the other gets a new one.
    """
    height, width = labels.shape
    ground = _ground(rng, image.astype(np.float32), labels)
    above = image.astype(np.float32) - ground
    reach = _softness(labels)
    cutouts = _cut(above, labels, reach)
    pace, contrast = rng.uniform(0.02, 0.3), rng.uniform(0, 0.6)
    fresh = int(labels.max()) + 1
    movie = np.repeat(ground[None], frames, axis=0)
    truth = np.zeros((frames, height, width), np.uint16)
    for label, cutout in cutouts.items():
        gain = float(np.clip(math.exp(rng.normal(0, contrast)), 0.25, 2.5))
        path = _wander(rng, label, cutout, frames, pace, gain)
        paths = [path]
        if rng.random() < 0.12 and cutout.radius > 3:
            paths = _divide(rng, path, cutout, int(rng.integers(-2, frames)), fresh)
            fresh += 1
        for one in paths:
            for t in np.nonzero(one.seen)[0]:
                _paint(movie[t], truth[t], cutout, one, int(t))
    return np.clip(np.rint(movie), 0, 255).astype(np.uint8), truth


def _ground(rng: np.random.Generator, image: FloatArray, labels: LabelArray) -> FloatArray:
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


def _softness(labels: LabelArray) -> FloatArray:
    """1 in objects and close to them, falling to 0 at `HALO`: the blur that belongs to an object."""
    away = ndimage.distance_transform_edt(labels == 0)
    return np.clip(2 - 2 * (away - 1) / HALO, 0, 1).astype(np.float32)


def _cut(above: FloatArray, labels: LabelArray, reach: FloatArray) -> dict[int, _Cutout]:
    height, width = labels.shape
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
        found[index] = _Cutout(top + round(y), left + round(x), square, body, radius)
    return found


def _wander(
    rng: np.random.Generator, label: int, cutout: _Cutout, frames: int, pace: float, gain: float
) -> _Path:
    speed = pace * cutout.radius * rng.uniform(0.2, 2.0)
    heading = rng.uniform(0, 2 * math.pi) + np.cumsum(rng.normal(0, 0.5, frames))
    steps = speed * np.stack((np.sin(heading), np.cos(heading)), axis=1)
    steps[0] = 0
    centres = np.array([cutout.y, cutout.x]) + np.cumsum(steps, axis=0)
    angles = np.cumsum(rng.normal(0, 0.06, frames)) * rng.random()
    grow = np.exp(np.cumsum(rng.normal(0, 0.03, (frames, 2)), axis=0))
    gains = gain * np.exp(np.cumsum(rng.normal(0, 0.05, frames)))
    return _Path(
        label,
        centres,
        (angles - angles[0]),
        (grow / grow[0]),
        gains,
        np.ones(frames, bool),
    )


def _divide(rng: np.random.Generator, path: _Path, cutout: _Cutout, at: int, fresh: int) -> list[_Path]:
    """Mitosis: the nucleus condenses to a bright plate, two bright halves part and slowly swell again."""
    frames = len(path.gains)
    time = np.arange(frames)
    axis = rng.uniform(0, math.pi)
    condensing = np.clip(1 - (at - time) / 3, 0, 1) * (time < at)
    plate = np.stack((1 - 0.6 * condensing, 1 - 0.1 * condensing), axis=1)
    turned = path.angles * (1 - condensing) + axis * condensing
    glow = 1 + rng.uniform(0.5, 2.0) * condensing
    mother = _Path(path.label, path.centres, turned, path.axes * plate, path.gains * glow, time < at)
    made = [mother] if mother.seen.any() else []
    age = np.maximum(time - at, 0)
    swell = 1 - np.exp(-age / rng.uniform(2, 8))
    apart = cutout.radius * (0.55 + 0.9 * (1 - np.exp(-(age + 0.3) / 1.5)))
    bright = 1 + rng.uniform(0.4, 1.5) * (1 - swell)
    across = np.array([math.cos(axis), -math.sin(axis)])
    for side, label in ((-1, path.label), (1, fresh)):
        lengths = np.stack((0.35 + 0.4 * swell, 0.6 + 0.12 * swell), axis=1)
        centres = path.centres + side * apart[:, None] * across
        tilt = axis + rng.normal(0, 0.15) + 0.02 * age * rng.normal()
        made.append(
            _Path(
                label,
                centres,
                np.broadcast_to(tilt, frames),
                (path.axes * lengths),
                (path.gains * bright),
                time >= at,
            )
        )
    return made


def _paint(frame: FloatArray, truth: LabelArray, cutout: _Cutout, path: _Path, t: int) -> None:
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
