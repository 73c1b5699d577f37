"""Fluorescent nuclei in depth, as one stack and as stacks through time, blurred most along the depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam2.imaging.optics import Counts, Floats, Points, camera, waves
from napari_sam2.imaging.phantoms.outline import keep_whole, scatter, separate
from napari_sam2.imaging.phantoms.phantom import Phantom, check_divisions, check_size
from napari_sam2.imaging.phantoms.tissue import through_lens

GRAIN = 20  # side of the cube that holds a nucleus' own texture


@dataclass(slots=True, eq=False)
class _Ellipsoid:
    """A nucleus in space: lengths in units of a pixel, `turn` the axes as rows."""

    label: int
    center: Points
    velocity: Points
    turn: Points
    axes: Points
    brightness: float
    texture: Floats


def nuclei_volume(
    depth: int = 16,
    height: int = 128,
    width: int = 128,
    objects: int = 24,
    seed: int = 0,
    radius: float = 9.0,
    z_spacing: float = 2.0,
    photons: float = 80.0,
) -> Phantom:
    """Return one stack (Z, H, W) of fluorescent nuclei, dimmer the deeper they lie.

    Parameters
    ----------
    depth, height, width
        Size of the stack.
    objects
        Nuclei, labelled from 1.
    seed
        The same seed gives the same scene.
    radius
        Mean radius in pixels.
    z_spacing
        Distance of two planes in units of a pixel's side.
    photons
        Photons a voxel from a nucleus of mean brightness: fewer are noisier.

    Raises
    ------
    ImageError
        The box is too small.
    """
    movie = nuclei_volume_movie(1, depth, height, width, objects, 0, seed, radius, 0, z_spacing, photons)
    return Phantom(movie.images[0], movie.labels[0], {}, "ZYX", z_spacing)


def nuclei_volume_movie(
    frames: int = 6,
    depth: int = 10,
    height: int = 96,
    width: int = 96,
    objects: int = 16,
    divisions: int = 1,
    seed: int = 0,
    radius: float = 8.0,
    speed: float = 0.8,
    z_spacing: float = 2.5,
    photons: float = 80.0,
) -> Phantom:
    """Return stacks through time (T, Z, H, W) of nuclei that move and divide.

    Parameters
    ----------
    frames, depth, height, width
        Size of the scene.
    objects, divisions
        Nuclei on the first frame, labelled from 1, and how many of them divide.
    seed
        The same seed gives the same scene.
    radius, speed
        Mean radius in pixels, and typical movement in pixels a frame.
    z_spacing
        Distance of two planes in units of a pixel's side.
    photons
        Photons a voxel from a nucleus of mean brightness: fewer are noisier.

    Raises
    ------
    ImageError
        The box is too small, or the divisions do not fit the nuclei and frames.
    """
    check_size(frames * depth, height, width, objects)
    check_divisions(frames, objects, divisions)
    rng = np.random.default_rng(seed)
    size = np.array([depth * z_spacing, height, width])
    living = [
        _make(rng, label, place, radius)
        for label, place in enumerate(scatter(rng, objects, size, 2.1 * radius), 1)
    ]
    chosen = rng.permutation(objects)[:divisions] + 1
    times = {int(label): int(rng.integers(1, frames)) for label in chosen}
    murk = np.exp(-np.arange(depth) * z_spacing / rng.uniform(40, 200)).astype(np.float32)[:, None, None]
    ground = 0.08 + 0.03 * np.clip(waves(rng, (depth, height, width), (8.0, 30.0, 30.0)), -2, 2)
    images, labels = np.empty((2, frames, depth, height, width), np.uint16)
    parents: dict[int, int] = {}
    for t in range(frames):
        for mother in [n for n in living if times.get(n.label) == t]:
            daughters = _halve(rng, mother, objects + len(parents) + 1)
            living = [n for n in living if n is not mother] + daughters
            parents.update({n.label: mother.label for n in daughters})
        extent = np.array([np.cbrt(n.axes.prod()) for n in living])
        centers = np.array([n.center for n in living]).reshape(-1, 3)
        for n, center in zip(living, separate(centers, extent, 0 * size, size - 1, 0.95), strict=True):
            n.center = center
        signal, labels[t] = _draw(living, (depth, height, width), z_spacing)
        # The foot of the blur is longest along the depth.
        core = through_lens(signal, 0.9, 2.4 / z_spacing)
        foot = through_lens(core[:, ::2, ::2], 1.6, 4.5 / z_spacing).repeat(2, 1).repeat(2, 2)
        seen = (0.75 * core + 0.25 * foot[:, :height, :width] + ground) * murk
        images[t] = camera(rng, np.asarray(seen, np.float32), photons)
        for n in living:
            n.velocity = 0.8 * n.velocity + rng.normal(0, 0.4 * speed, 3)
            n.center = n.center + n.velocity
            # A daughter swells back to the size of a grown nucleus, and rounds off.
            n.axes = n.axes + 0.12 * (radius * 0.9 - n.axes) * (n.label > objects)
    return Phantom(images, labels, parents, "TZYX", z_spacing)


def _make(rng: np.random.Generator, label: int, center: Points, radius: float) -> _Ellipsoid:
    turn, _ = np.linalg.qr(rng.normal(0, 1, (3, 3)))
    axes = radius * np.clip(rng.normal(1, 0.12), 0.7, 1.3) * rng.uniform(0.75, 1.2, 3)
    chromatin = 1 + 0.2 * waves(rng, (GRAIN,) * 3, (2.5,) * 3)
    brightness = float(np.clip(rng.lognormal(0, 0.45), 0.25, 3))
    return _Ellipsoid(label, center, np.zeros(3), turn, axes, brightness, chromatin)


def _halve(rng: np.random.Generator, mother: _Ellipsoid, label: int) -> list[_Ellipsoid]:
    """Return two flat, bright daughters, side by side."""
    across, radius = mother.turn[0], float(np.cbrt(mother.axes.prod()))
    daughters = []
    for i, side in enumerate((-1, 1)):
        n = _make(rng, label + i, mother.center + side * 0.55 * radius * across, 1)
        n.turn, n.axes = mother.turn, radius * np.array([0.38, 0.75, 0.75])
        n.brightness, n.velocity = 1.6 * mother.brightness, side * 0.15 * radius * across
        daughters.append(n)
    return daughters


def _draw(living: list[_Ellipsoid], shape: tuple[int, int, int], z_spacing: float) -> tuple[Floats, Counts]:
    """Return the fluorescence, where a mean nucleus is 1, and the labels."""
    signal, best = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    labels = np.zeros(shape, np.uint16)
    for n in living:
        reach, window, lines = float(n.axes.max()) + 1, [], []
        for axis, unit in enumerate((z_spacing, 1.0, 1.0)):
            low = max(0, int(np.ceil((n.center[axis] - reach) / unit)))
            high = min(shape[axis], int((n.center[axis] + reach) / unit) + 1)
            window.append(slice(low, max(low, high)))
            line = np.arange(low, max(low, high), dtype=np.float32) * unit - n.center[axis]
            lines.append(line.reshape([-1 if i == axis else 1 for i in range(3)]))
        box = tuple(window)
        own = (n.turn / n.axes[:, None]).astype(np.float32)
        u, v, w = (sum(np.float32(a) * line for a, line in zip(row, lines, strict=True)) for row in own)
        ratio = np.sqrt(u * u + v * v + w * w).astype(np.float32)
        inside = ratio < best[box]
        labels[box][inside] = n.label
        best[box] = np.minimum(best[box], ratio)
        place = tuple(((1 + c[inside]) * (GRAIN / 2 - 0.51)).astype(np.intp) for c in (u, v, w))
        dome = np.float32(n.brightness) * (1 - np.float32(0.25) * ratio[inside] ** 2)
        signal[box][inside] = dome * n.texture[place]
    keep_whole(labels)
    return signal, labels
