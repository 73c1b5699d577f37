"""Noise with grain, uneven light, a blur with a foot and a camera, for made images."""

from __future__ import annotations

from math import ceil

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint16]

OFFSET = 100.0  # counts of a camera in the dark
GAIN = 8.0  # counts a photon


def texture(rng: np.random.Generator, height: int, width: int, grain: float) -> Floats:
    """Return smooth noise of mean 0 and deviation 1 with grains of `grain` pixels."""
    noise = ndimage.gaussian_filter(rng.standard_normal((height, width), np.float32), grain, mode="wrap")
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-6), np.float32)


def waves(rng: np.random.Generator, shape: tuple[int, ...], lengths: tuple[float, ...]) -> Floats:
    """Return smooth noise of mean 0 and deviation 1, of any number of axes; cheaper than `texture`.

    Parameters
    ----------
    shape
        Size of the noise.
    lengths
        For each axis the distance of the random knots, in pixels, that a cubic spline runs past.
    """
    knots = [ceil(size / length) + 4 for size, length in zip(shape, lengths, strict=True)]
    field = rng.standard_normal(knots, np.float32)
    for axis, (size, length) in enumerate(zip(shape, lengths, strict=True)):
        place = rng.random() + np.arange(size) / length
        knot, f = place.astype(np.intp), place % 1
        weights = np.zeros((size, knots[axis]), np.float32)
        parts = ((1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3)
        for step, part in enumerate(parts):
            weights[np.arange(size), knot + step] = part / 6
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), np.float32)


def illumination(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Return slowly varying brightness round 1."""
    coarse = ndimage.zoom(rng.uniform(0.7, 1.3, (4, 4)), 8, order=3)
    return np.asarray(ndimage.zoom(coarse, (height / 32, width / 32), order=1), np.float32)


def blur(light: Floats, sharp: float, wide: float = 0.0, share: float = 0.0) -> Floats:
    """Return light (H, W) as an objective shows it: a sharp core, and a `share` of it in a wide foot.

    The foot carries the light of a bright object well beyond the half-maximum edge, over dim neighbours.

    Parameters
    ----------
    sharp, wide
        Deviations of the two Gaussians in pixels.
    share
        What part of the light goes into the foot, 0 to 1.
    """
    core = ndimage.gaussian_filter(light, sharp, truncate=3.0)
    if share <= 0 or wide <= 0:
        return np.asarray(core, np.float32)
    return np.asarray((1 - share) * core + share * veil(light, wide), np.float32)


def veil(light: Floats, wide: float) -> Floats:
    """Return light (H, W) spread by a Gaussian of several pixels, worked out on a coarse copy."""
    height, width = light.shape
    step = max(1, int(wide / 1.5))
    padded = np.pad(light, ((0, -height % step), (0, -width % step)), mode="edge")
    coarse = padded.reshape(padded.shape[0] // step, step, -1, step).mean(axis=(1, 3))
    coarse = ndimage.gaussian_filter(coarse, wide / step, truncate=3.0)
    if step == 1:
        return np.asarray(coarse, np.float32)
    rows, columns = (
        _between(size, step, count) for size, count in zip(light.shape, coarse.shape, strict=True)
    )
    return np.asarray(rows @ coarse @ columns.T, np.float32)


def _between(size: int, step: int, count: int) -> Floats:
    """Return (size, count) weights that interpolate block means back to pixels."""
    place = np.clip((np.arange(size) + 0.5) / step - 0.5, 0, count - 1)
    distance = np.abs(place[:, None] - np.arange(count))
    return np.maximum(1 - distance, 0).astype(np.float32)


def camera(rng: np.random.Generator, light: Floats, photons: float) -> Counts:
    """Return counts for light in units of `photons`: shot noise, read noise, gain and offset."""
    expected = photons * np.maximum(light, 0)
    # Normal noise of the same variance stands in for Poisson noise, at a fifth of its time.
    noise = np.sqrt(expected + 2.5) * rng.standard_normal(light.shape, np.float32)
    return np.clip(OFFSET + GAIN * (expected + noise), 0, 65535).astype(np.uint16)
