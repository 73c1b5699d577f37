"""Sheets of cells with bright walls: an epithelium that moves, and plant tissue in depth."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_sam2.imaging.optics import Floats, blur, camera, illumination, waves
from napari_sam2.imaging.phantoms.outline import keep_whole, scatter, separate
from napari_sam2.imaging.phantoms.partition import partition
from napari_sam2.imaging.phantoms.phantom import Phantom, check_divisions, check_size


def epithelium(
    frames: int = 8,
    height: int = 192,
    width: int = 192,
    objects: int = 60,
    divisions: int = 2,
    seed: int = 0,
    speed: float = 0.6,
    wall: float = 1.2,
    photons: float = 120.0,
) -> Phantom:
    """Return a sheet of touching cells with bright membranes, which shuffle, and some of which divide.

    A mother's label ends on the frame before the division. Cells at the rim of the frame are cut by it.

    Parameters
    ----------
    frames, height, width
        Size of the scene (T, H, W).
    objects, divisions
        Cells on the first frame, labelled from 1, and how many of them divide.
    seed
        The same seed gives the same scene.
    speed
        Typical movement of a cell in pixels a frame.
    wall
        Half the thickness of a membrane in pixels. It belongs to the cells at its two sides.
    photons
        Photons a pixel from a mean membrane: fewer are noisier.

    Raises
    ------
    ImageError
        The frame is too small, or the divisions do not fit the cells and frames.
    """
    check_size(frames, height, width, objects)
    check_divisions(frames, objects, divisions)
    rng = np.random.default_rng(seed)
    size = np.array([height, width], dtype=float)
    spacing = float(np.sqrt(height * width / max(objects, 1)))
    places = scatter(rng, objects, size, 0.85 * spacing)
    extent = np.full(objects, 0.5 * spacing) * rng.uniform(0.7, 1.2, objects)
    labels_of = list(range(1, objects + 1))
    mothers = rng.permutation(objects)[:divisions] + 1
    times = {int(mother): int(rng.integers(1, frames)) for mother in mothers}
    drift = speed * rng.normal(0, 0.7, (objects, 2))
    bends = [np.float32(0.1 * spacing) * waves(rng, (height, width), (spacing, spacing)) for _ in size]
    grids = [g + bend for g, bend in zip(np.mgrid[:height, :width].astype(np.float32), bends, strict=True)]
    uneven = 1 + 0.35 * np.clip(waves(rng, (height, width), (0.3 * spacing, 0.3 * spacing)), -2, 2)
    cytoplasm = rng.uniform(0.05, 0.35)
    light = illumination(rng, height, width)
    images, labels = np.empty((2, frames, height, width), np.uint16)
    parents: dict[int, int] = {}
    for t in range(frames):
        for mother in [m for m, time in times.items() if time == t]:
            i, first = labels_of.index(mother), objects + len(parents) + 1
            turn = rng.uniform(0, np.pi)
            across = 0.3 * spacing * np.array([np.sin(turn), np.cos(turn)])
            places = np.concatenate([np.delete(places, i, 0), places[i] + across * [[-1], [1]]])
            extent = np.append(np.delete(extent, i), [0.7 * extent[i]] * 2)
            drift = np.concatenate([np.delete(drift, i, 0), drift[[i, i]]])
            labels_of = [label for label in labels_of if label != mother] + [first, first + 1]
            parents.update({first: mother, first + 1: mother})
        places = separate(places, extent, 0 * size, size - 1, 0.9)
        cells = partition(places, labels_of, grids, 2.2 * spacing)
        labels[t] = cells.labels
        keep_whole(labels[t])
        membrane = np.exp(-((cells.gap / np.float32(wall)) ** 2)) * uneven
        signal = membrane + np.float32(cytoplasm) * (cells.labels > 0)
        images[t] = camera(rng, (blur(signal, 0.9, 4.0, 0.2) + np.float32(0.05)) * light, photons)
        drift = 0.85 * drift + speed * rng.normal(0, 0.35, drift.shape)
        places = places + drift
    return Phantom(images, labels, parents)


def walled_tissue(
    depth: int = 16,
    height: int = 128,
    width: int = 128,
    objects: int = 60,
    seed: int = 0,
    z_spacing: float = 1.6,
    wall: float = 1.6,
    photons: float = 80.0,
) -> Phantom:
    """Return a stack (Z, H, W) of cells with bright walls, as of plant tissue, blurred along the depth.

    Parameters
    ----------
    depth, height, width
        Size of the stack.
    objects
        Cells, about: those that the walls of the box cut off are not labelled.
    seed
        The same seed gives the same scene.
    z_spacing
        Distance of two planes in units of a pixel's side.
    wall
        Half the thickness of a wall in pixels.
    photons
        Photons a voxel from a mean wall: fewer are noisier.

    Raises
    ------
    ImageError
        The box is too small.
    """
    check_size(depth, height, width, objects)
    rng = np.random.default_rng(seed)
    shape, size = (depth, height, width), np.array([depth * z_spacing, height, width])
    # A box thinner than a cell holds cells side by side; their middles may lie above or below it.
    spacing = float(
        max(np.cbrt(size.prod() / max(objects, 1)), 0.8 * np.sqrt(height * width / max(objects, 1)))
    )
    places = scatter(rng, objects, size, 0.9 * spacing)
    cells = partition(
        places, range(1, objects + 1), bent_grids(rng, shape, z_spacing, spacing), 1.7 * spacing
    )
    labels = cells.labels
    keep_whole(labels)
    signal = np.exp(-((cells.gap / np.float32(wall)) ** 2))
    signal *= 1 + 0.3 * np.clip(waves(rng, shape, (spacing / z_spacing, spacing, spacing)), -2, 2)
    filled = rng.uniform(0, 0.15, objects + 1).astype(np.float32)
    filled[0] = 0.02
    signal += filled[labels]
    signal = through_lens(signal, 0.8, 2.2 / z_spacing)
    # Light is lost on its way through the tissue.
    fading = np.exp(-np.arange(depth) * z_spacing / 80).astype(np.float32)[:, None, None]
    images = camera(rng, (signal + np.float32(0.04)) * fading, photons)
    return Phantom(images, labels, {}, "ZYX", z_spacing)


def bent_grids(
    rng: np.random.Generator, shape: tuple[int, int, int], z_spacing: float, spacing: float
) -> list[Floats]:
    """Return the coordinates of each voxel in units of a pixel, bent so that walls between cells wave."""
    lengths = (0.8 * spacing / z_spacing, 0.8 * spacing, 0.8 * spacing)
    grids = []
    for axis, (size, unit) in enumerate(zip(shape, (z_spacing, 1.0, 1.0), strict=True)):
        line = np.arange(size, dtype=np.float32) * np.float32(unit)
        straight = line.reshape([-1 if i == axis else 1 for i in range(3)])
        grids.append(straight + np.float32(0.09 * spacing) * waves(rng, shape, lengths))
    return grids


def through_lens(light: Floats, across: float, along: float) -> Floats:
    """Blur a stack (..., Z, H, W) by deviations in pixels across and in planes along the depth."""
    out = light
    for axis, sigma in ((-1, across), (-2, across), (-3, along)):
        if sigma > 0.15 and out.shape[axis] > 1:
            out = ndimage.gaussian_filter1d(out, sigma, axis=axis, truncate=3.0)
    return np.asarray(out, np.float32)
