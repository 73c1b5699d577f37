"""Neuropil as electron microscopy shows it: bodies between dark membranes, mitochondria and vesicles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy import ndimage

from napari_sam2.imaging.optics import Counts, Floats, Points, camera, texture, waves
from napari_sam2.imaging.phantoms.partition import partition
from napari_sam2.imaging.phantoms.phantom import Phantom, check_size
from napari_sam2.imaging.phantoms.tissue import bent_grids


class Truth(Enum):
    """What the labels of a section series mark."""

    BODIES = "bodies"
    MITOCHONDRIA = "mitochondria"


def em_membranes(
    depth: int = 8,
    height: int = 192,
    width: int = 192,
    objects: int = 40,
    seed: int = 0,
    z_spacing: float = 4.0,
    membrane: float = 1.6,
    truth: Truth = Truth.BODIES,
    photons: float = 400.0,
) -> Phantom:
    """Return a stack (Z, H, W) of winding bodies between dark membranes, with organelles.

    A body is one piece in 3D, and may show as several in one section. Membranes are labelled 0.

    Parameters
    ----------
    depth, height, width
        Size of the stack.
    objects
        Bodies that are laid out; pieces that the box cuts off from their body are labelled anew.
    seed
        The same seed gives the same scene.
    z_spacing
        Distance of two sections in units of a pixel's side: 1 is isotropic, 10 as of thick sections.
    membrane
        Half the thickness of a membrane in pixels.
    truth
        Label bodies, or mitochondria.
    photons
        Signal of bright cytoplasm: less is noisier.

    Raises
    ------
    ImageError
        The box is too small.
    """
    check_size(depth, height, width, objects)
    rng = np.random.default_rng(seed)
    shape, size = (depth, height, width), np.array([depth * z_spacing, height, width])
    spacing = float(np.sqrt(height * width / max(objects, 1)))
    points, owners = _winding(rng, objects, size, spacing)
    grids = bent_grids(rng, shape, z_spacing, spacing)
    space = partition(points, owners, grids, 1.6 * spacing)
    inside = (space.gap > 0.45 * membrane) & (space.labels > 0)
    bodies = np.where(inside, space.labels, 0).astype(np.uint16)
    _number_pieces(bodies)
    tone = rng.normal(0, 0.05, objects + 1).astype(np.float32)
    scene = 0.72 + tone[space.labels]
    scene += 0.06 * waves(rng, shape, (2.0, 3.5, 3.5))
    organelles = np.zeros(shape, np.uint16)
    _mitochondria(rng, scene, organelles, space.gap, points, z_spacing, spacing)
    _vesicles(rng, scene, space.gap, z_spacing)
    dark = np.exp(-((space.gap / np.float32(membrane)) ** 2))
    scene -= np.float32(0.55) * dark * (1 + 0.15 * waves(rng, shape, (3.0, 6.0, 6.0)))
    images = np.empty(shape, np.uint16)
    for z in range(depth):
        # Sections differ in stain, and the stain is grainy.
        section = ndimage.gaussian_filter(scene[z], 0.7) * rng.normal(1, 0.03)
        images[z] = camera(rng, section + np.float32(0.05) * texture(rng, height, width, 0.9), photons)
    labels = bodies if truth is Truth.BODIES else organelles
    return Phantom(images, labels, {}, "ZYX", z_spacing)


def _winding(
    rng: np.random.Generator, objects: int, size: Points, spacing: float
) -> tuple[Points, list[int]]:
    """Return points along winding paths and the number of the path each lies on."""
    points, owners = [], []
    for label in range(1, objects + 1):
        place, way = rng.uniform(-0.1, 1.1, 3) * size, rng.normal(0, 1, 3)
        thickness = rng.uniform(0.35, 0.75) * spacing
        for _ in range(int(rng.integers(1, 6))):
            points.append(place)
            owners.append(label)
            way = way + rng.normal(0, 0.5, 3)
            place = place + thickness * way / np.linalg.norm(way)
    return np.array(points).reshape(-1, 3), owners


def _number_pieces(bodies: Counts) -> None:
    """Give each further piece of a body a label of its own, and specks none, in place."""
    free = int(bodies.max()) + 1
    for label, box in enumerate(ndimage.find_objects(bodies), 1):
        if box is None:
            continue
        window = bodies[box]
        pieces, count = ndimage.label(window == label)
        sizes = np.bincount(pieces.ravel())
        for piece in range(1, count + 1):
            if sizes[piece] < 20:
                window[pieces == piece] = 0
            elif piece != sizes[1:].argmax() + 1:
                window[pieces == piece] = free
                free += 1


@dataclass(frozen=True, slots=True, eq=False)
class _Ball:
    """The box of voxels round a place, and the offsets of each from it in units of a pixel."""

    window: tuple[slice, ...]
    offsets: Points | tuple[Floats, ...]


def _ball(shape: tuple[int, ...], center: Points, reach: float, z_spacing: float) -> _Ball:
    window, offsets = [], []
    for axis, unit in enumerate((z_spacing, 1.0, 1.0)):
        low = min(shape[axis], max(0, int(np.ceil((center[axis] - reach) / unit))))
        high = max(low, min(shape[axis], int((center[axis] + reach) / unit) + 1))
        window.append(slice(low, high))
        line = np.arange(low, high, dtype=np.float32) * np.float32(unit) - np.float32(center[axis])
        offsets.append(line.reshape([-1 if i == axis else 1 for i in range(3)]))
    return _Ball(tuple(window), tuple(offsets))


def _mitochondria(
    rng: np.random.Generator,
    scene: Floats,
    labels: Counts,
    gap: Floats,
    points: Points,
    z_spacing: float,
    spacing: float,
) -> None:
    """Draw dark ellipsoids with cristae inside bodies, and label them from 1, in place."""
    label = 0
    for center in points[rng.permutation(len(points))[: len(points) // 2]]:
        axis = rng.normal(0, 1, 3)
        axis /= np.linalg.norm(axis)
        long, short = spacing * rng.uniform(0.28, 0.6), spacing * rng.uniform(0.16, 0.26)
        ball = _ball(scene.shape, center, 1.2 * long, z_spacing)
        along = sum(a * o for a, o in zip(axis.astype(np.float32), ball.offsets, strict=True))
        squared = sum(o * o for o in ball.offsets)
        ratio = np.sqrt(along**2 / long**2 + np.maximum(squared - along**2, 0) / short**2)
        room = gap[ball.window] > 2.2
        inside = (ratio < 1) & room & (labels[ball.window] == 0)
        pieces, count = ndimage.label(inside)
        if not count:
            continue
        inside = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
        if inside.sum() < 30:
            continue
        label += 1
        labels[ball.window][inside] = label
        cristae = np.sin((along + 0.3 * ball.offsets[2]) * np.float32(rng.uniform(0.9, 1.6)))
        rim = np.exp(-(((ratio - 0.95) / 0.12) ** 2))
        dark = 0.3 + 0.09 * cristae + 0.12 * rim
        scene[ball.window][inside] -= np.asarray(dark, np.float32)[inside]


def _vesicles(rng: np.random.Generator, scene: Floats, gap: Floats, z_spacing: float) -> None:
    """Draw small dark rings in clumps, in place."""
    size = np.array(scene.shape) * (z_spacing, 1, 1)
    for home in rng.uniform(0, 1, (int(rng.integers(3, 9)), 3)) * size:
        for place in home + rng.normal(0, 6, (int(rng.integers(4, 14)), 3)):
            radius = rng.uniform(1.6, 2.6)
            ball = _ball(scene.shape, place, radius + 2, z_spacing)
            distance = np.sqrt(sum(o * o for o in ball.offsets))
            ring = np.exp(-(((distance - radius) / 0.8) ** 2)) * (gap[ball.window] > 2)
            scene[ball.window] -= np.asarray(0.28 * ring, np.float32)
