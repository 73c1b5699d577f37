"""Moves the camera, bends the field, spoils the picture: geometry and photometry of a training clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from napari_sam2.training.flaws import flaw

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class View:
    """Which rectangle of a recording a clip shows: centre and half extents in source pixels."""

    y: float
    x: float
    half_height: float
    half_width: float


@dataclass(frozen=True, slots=True)
class Motion:
    """How far the camera goes between two frames, each the largest absolute step."""

    shift: float = 0.06
    rotation: float = math.radians(8.0)
    zoom: float = 0.05
    elastic: float = 0.02


def choose_moments(
    rng: np.random.Generator, length: int, frames: int, stride: int, reversible: bool
) -> npt.NDArray[np.int64]:
    """Which source frames make a clip: at most `stride` apart, either way, turning round at the ends."""
    steps, apart = frames - 1, int(rng.integers(1, stride + 1)) if stride and length > 1 else 0
    while apart > 1 and apart * steps > length - 1:
        apart -= 1
    start = int(rng.integers(max(length - apart * steps, 1)))
    times = start + apart * np.arange(frames)
    if length > 1:
        times = np.abs((times + length - 1) % (2 * length - 2) - (length - 1))
    return times[::-1] if reversible and rng.random() < 0.5 else times


def aim(rng: np.random.Generator, labels: npt.NDArray[np.uint16], size: int) -> View | None:
    """A crop round a random object, or the whole field, to be shown at `size` pixels; None if no object.

    The object is then 14 pixels across or more in a small crop, 6 in one of 512, and a good half of the crop
    at most; nothing is enlarged beyond 4x.
    """
    height, width = labels.shape
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    present = np.nonzero(areas)[0]
    if not present.size:
        return None
    if size >= 256 and rng.random() < 0.12:
        return View(height / 2, width / 2, height / 2, width / 2)
    label = int(rng.choice(present))
    rows, columns = np.nonzero(labels == label)
    anchor = int(rng.integers(rows.size))
    diameter = math.sqrt(4 * areas[label] / math.pi)
    smallest = 14 * min(1.0, (128 / size) ** 0.6)
    side = max(diameter / math.exp(rng.uniform(math.log(smallest / size), math.log(0.55))), size / 4)
    squeeze = math.sqrt(math.exp(rng.uniform(-1, 1) * math.log(1.8))) if rng.random() < 0.5 else 1.0
    half_height, half_width = min(side * squeeze, height) / 2, min(side / squeeze, width) / 2
    y = 0.5 * (rows.mean() + rows[anchor]) + half_height * rng.uniform(-0.6, 0.6)
    x = 0.5 * (columns.mean() + columns[anchor]) + half_width * rng.uniform(-0.6, 0.6)
    y = float(np.clip(y, half_height, height - half_height))
    x = float(np.clip(x, half_width, width - half_width))
    return View(y, x, half_height, half_width)


def sampling_grid(
    rng: np.random.Generator,
    view: View,
    field: tuple[int, int],
    frames: int,
    size: int,
    motion: Motion | None,
) -> FloatArray:
    """Where each output pixel looks in the source: y and x in pixel edges' coordinates, (T, S, S, 2).

    One flip and quarter turn serves the whole clip; with `motion` the camera then walks smoothly, never
    leaving the field by more than its rotation causes, and the picture bends slowly.
    """
    ramp = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    v, u = np.meshgrid(ramp * rng.choice((-1, 1)), ramp * rng.choice((-1, 1)), indexing="ij")
    if rng.random() < 0.5:
        v, u = u, v
    grid = np.broadcast_to(np.stack((v, u), axis=-1), (frames, size, size, 2)).astype(np.float32)
    centres = np.tile(np.array([view.y, view.x], np.float32), (frames, 1))
    halves = np.array([view.half_height, view.half_width], np.float32)
    angles, zooms = np.zeros(frames, np.float32), np.ones(frames, np.float32)
    if motion is not None:
        grid = grid + _bending(rng, frames, size, 2 * motion.elastic * rng.random())
        angles = _walk(rng, frames, motion.rotation)
        zooms = np.exp(_walk(rng, frames, math.log1p(motion.zoom)))
        steps = np.stack([_walk(rng, frames, motion.shift) for _ in range(2)], axis=1)
        low = np.minimum(halves, np.array(field) / 2)
        centres = np.clip(centres + 2 * halves * steps, low, np.array(field) - low).astype(np.float32)
    grid = grid * (halves * zooms[:, None])[:, None, None]
    cos, sin = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    y = cos * grid[..., 0] - sin * grid[..., 1] + centres[:, 0, None, None]
    x = sin * grid[..., 0] + cos * grid[..., 1] + centres[:, 1, None, None]
    return np.stack((y, x), axis=-1).astype(np.float32)


def _walk(rng: np.random.Generator, frames: int, step: float) -> FloatArray:
    """A smooth path from 0 whose steps stay within `step`; most clips use far less of it."""
    limit, speed = step * rng.random(), rng.choice((-1, 1)) * rng.uniform(0.3, 1)
    path = np.zeros(frames, np.float32)
    for t in range(1, frames):
        path[t] = path[t - 1] + limit * speed
        speed = float(np.clip(0.8 * speed + 0.4 * rng.uniform(-1, 1), -1, 1))
    return path


def _bending(rng: np.random.Generator, frames: int, size: int, amplitude: float) -> FloatArray:
    """Smooth displacements (T, S, S, 2) in half sides, growing from none at frame 0."""
    cells = int(rng.integers(3, 7))
    ends = torch.from_numpy(rng.uniform(-1, 1, (1, 4, cells, cells)).astype(np.float32))
    fine = functional.interpolate(ends, (size, size), mode="bicubic", align_corners=True)[0].numpy()
    start, end = fine[:2].transpose(1, 2, 0), fine[2:].transpose(1, 2, 0)
    times = np.arange(frames, dtype=np.float32)[:, None, None, None] / 3
    blend = np.sin(times) * start + (1 - np.cos(times)) * end
    return (amplitude * blend).astype(np.float32)


def sample_labels(labels: Sequence[npt.NDArray[np.uint16]], grid: FloatArray) -> npt.NDArray[np.uint16]:
    """The nearest label under each grid point, 0 outside the field: (T, S, S)."""
    height, width = labels[0].shape
    y, x = np.floor(grid[..., 0]).astype(np.int32), np.floor(grid[..., 1]).astype(np.int32)
    outside = (y < 0) | (y >= height) | (x < 0) | (x >= width)
    flat = np.clip(y, 0, height - 1) * width + np.clip(x, 0, width - 1)
    found = np.stack([np.take(plane.reshape(-1), flat[t]) for t, plane in enumerate(labels)])
    found[outside] = 0
    return found


def sample_images(planes: Sequence[npt.NDArray[np.uint8]], level: int, grid: FloatArray) -> FloatArray:
    """Bilinear pixels under the grid from frames that were halved `level` times: (T, S, S, C) in [0, 1]."""
    height, width = planes[0].shape[:2]
    spots = grid / 2**level
    low = np.clip(np.floor(spots.min((0, 1, 2))).astype(int) - 1, 0, (height - 1, width - 1))
    high = np.clip(np.ceil(spots.max((0, 1, 2))).astype(int) + 1, low + 1, (height, width))
    cuts = [plane[low[0] : high[0], low[1] : high[1]] for plane in planes]
    same = all(plane is planes[0] for plane in planes)
    pixels = torch.from_numpy(np.stack(cuts[:1] if same else cuts)).float().div_(255)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    pixels = pixels.expand(len(planes), -1, -1, -1)
    extent = (high - low).astype(np.float32)
    where = torch.from_numpy(((spots - low) * (2 / extent) - 1)[..., ::-1].astype(np.float32))
    out = functional.grid_sample(pixels, where, mode="bilinear", padding_mode="border", align_corners=False)
    return np.ascontiguousarray(out.permute(0, 2, 3, 1).numpy())


def choose_masks(
    rng: np.random.Generator, seen: npt.NDArray[np.uint16], most: int, min_area: int, enlargement: float
) -> BoolArray | None:
    """At most `most` objects of labels (T, S, S) with `min_area` pixels on frame 0, as masks (T, O, S, S).

    Labels drawn much larger than they were have stairs for borders; those are rounded off.
    """
    counts = np.bincount(seen[0].ravel())
    counts[0] = 0
    chosen = rng.permutation(np.nonzero(counts >= min_area)[0])[:most].astype(np.uint16)
    masks: BoolArray = seen[:, None] == chosen[:, None, None]
    if enlargement > 2 and chosen.size:
        soft = blur(masks.reshape(-1, *seen.shape[1:], 1).astype(np.float32), 0.45 * enlargement)
        masks = (soft >= 0.5).reshape(masks.shape)
    masks = masks[:, masks[0].sum((1, 2)) >= min_area]
    return masks if masks.shape[1] else None


def classify(seen: npt.NDArray[np.uint16], complete: bool) -> npt.NDArray[np.int8]:
    """Ground 0, inside 1 and border 2 of labels (S, S); where labels are incomplete, ground is -1."""
    border = np.zeros(seen.shape, bool)
    for axis in (0, 1):
        differs = np.diff(seen, axis=axis) != 0
        ahead, behind = [slice(None)] * 2, [slice(None)] * 2
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        border[tuple(ahead)] |= differs
        border[tuple(behind)] |= differs
    classes = (seen > 0).astype(np.int8)
    classes[border & (seen > 0)] = 2
    if not complete:
        classes[seen == 0] = -1
    return classes


def halve(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Area average of 2 x 2 pixels over the last two axes of (T, H, W) or the middle two of (T, H, W, 3)."""
    rows, columns = plane.shape[1] // 2 * 2, plane.shape[2] // 2 * 2
    wide = plane[:, :rows, :columns].astype(np.uint16)
    total = wide[:, ::2, ::2] + wide[:, 1::2, ::2] + wide[:, ::2, 1::2] + wide[:, 1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def blur(images: FloatArray, sigma: float) -> FloatArray:
    """Gaussian blur of (T, S, S, C) with mirrored borders."""
    radius = max(1, min(math.ceil(2.5 * sigma), images.shape[1] - 1))
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    taps = taps / taps.sum()
    frames, height, width, channels = images.shape
    planes = torch.from_numpy(images).permute(0, 3, 1, 2).reshape(-1, 1, height, width)
    padded = functional.pad(planes, (radius,) * 4, mode="reflect")
    smooth = functional.conv2d(functional.conv2d(padded, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    smooth = smooth.reshape(frames, channels, height, width).permute(0, 2, 3, 1)
    return np.ascontiguousarray(smooth.numpy())


def disturb(rng: np.random.Generator, images: FloatArray, masks: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Spoil a later frame: blur it strongly, or hide an object behind a patch, out of image and masks."""
    frames, _, size, _ = masks.shape
    t = int(rng.integers(1, frames))
    if rng.random() < 0.4:
        images[t : t + 1] = blur(images[t : t + 1], size * rng.uniform(0.01, 0.035))
        return images, masks
    o = int(rng.integers(masks.shape[1]))
    rows, columns = np.nonzero(masks[t, o])
    if not rows.size:
        return images, masks
    pad = size // 40 + 1
    partial = rng.uniform(0.4, 0.8) if rng.random() < 0.4 else 1.0
    top, left = max(int(rows.min()) - pad, 0), max(int(columns.min()) - pad, 0)
    bottom = min(top + int(partial * (rows.max() + 1 + pad - top)) + 1, size)
    right = min(int(columns.max()) + 1 + pad, size)
    height, width = bottom - top, right - left
    if height * width > 0.4 * size * size:
        return images, masks
    y, x = int(rng.integers(size - height + 1)), int(rng.integers(size - width + 1))
    patch = images[t, y : y + height, x : x + width].copy()
    if rng.random() < 0.5:
        free = images[t][~masks[t].any(0)]
        patch[:] = np.median(free, axis=0) if len(free) else patch.mean((0, 1))
    for later in range(t, min(t + int(rng.integers(1, 3)), frames)):
        images[later, top:bottom, left:right] = patch
        masks[later, :, top:bottom, left:right] = False
    return images, masks


def restain(rng: np.random.Generator, images: FloatArray, flaws: float = 0.0) -> FloatArray:
    """Change window, gamma, contrast, colour, focus and noise of (T, S, S, C), C 1 or 3; returns C 3.

    `flaws` is the share of clips that get one of `flaws.flaw` besides; with 0 nothing is drawn for it.
    """
    frames, gray = len(images), images.shape[-1] == 1
    if rng.random() < 0.5:
        low, high = np.quantile(images[:, ::4, ::4], (0.08 * rng.random(), 1 - 0.2 * rng.random() ** 3))
        high = low + max(float(high - low), 0.05) * (rng.uniform(1, 3) if rng.random() < 0.4 else 1.0)
        images = np.clip((images - np.float32(low)) / np.float32(high - low), 0, 1)
    if rng.random() < 0.5:
        images = np.power(images, np.float32(math.exp(rng.uniform(math.log(0.45), math.log(2.0)))))
    if gray and rng.random() < 0.15:
        images = 1 - images
    if not gray and rng.random() < 0.15:
        images, gray = images.mean(-1, keepdims=True), True
    if not gray:
        images = images * rng.uniform(0.88, 1.12, 3).astype(np.float32)
    gain = rng.uniform(0.75, 1.2) * np.exp(_walk(rng, frames, 0.1))
    offset = rng.uniform(-0.08, 0.08) + _walk(rng, frames, 0.03)
    images = (images - 0.5) * gain[:, None, None, None] + (0.5 + offset)[:, None, None, None]
    images = images.astype(np.float32)
    if rng.random() < 0.2:
        images = blur(images, images.shape[1] / 128 * rng.uniform(0.4, 1.3))
    if rng.random() < 0.5:
        noise = rng.standard_normal(images.shape, dtype=np.float32)
        images = images + np.float32(0.07 * rng.random() ** 2) * noise
    if rng.random() < 0.3:
        images = images + _grain(rng, images)
    images = np.clip(images, 0, 1)
    if flaws and rng.random() < flaws:
        images = flaw(rng, images)
    if gray:
        images = np.repeat(images, 3, axis=-1)
        if rng.random() < 0.05:
            floor, top = rng.uniform(0, 0.25, 3), rng.uniform(0.1, 1, 3)
            top[int(rng.integers(3))] = 1.0
            images = (images * (top - floor) + floor).astype(np.float32)
    return images


def _grain(rng: np.random.Generator, images: FloatArray) -> FloatArray:
    """Noise of a dim recording, new on each frame: stronger where it is bright, as coarse as its pixels."""
    frames, size, _, channels = images.shape
    coarse = max(size // int(rng.integers(1, 6)), 8)
    strength = math.exp(rng.uniform(math.log(0.03), math.log(0.3)))
    noise = rng.standard_normal((frames, channels, coarse, coarse), dtype=np.float32)
    mode = "nearest" if rng.random() < 0.3 else "bilinear"
    wide = functional.interpolate(torch.from_numpy(noise), (size, size), mode=mode).numpy()
    shot = np.sqrt(np.clip(images, 0, 1)) if rng.random() < 0.7 else np.float32(0.5)
    return (strength * (0.3 + shot) * wide.transpose(0, 2, 3, 1)).astype(np.float32)
