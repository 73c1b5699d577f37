"""Noise with grain, uneven light and a camera, for made images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint16]


def texture(rng: np.random.Generator, height: int, width: int, grain: float) -> Floats:
    """Return smooth noise of mean 0 and deviation 1 with grains of `grain` pixels."""
    noise = ndimage.gaussian_filter(rng.standard_normal((height, width), np.float32), grain, mode="wrap")
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-6), np.float32)


def illumination(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Return slowly varying brightness round 1."""
    coarse = ndimage.zoom(rng.uniform(0.7, 1.3, (4, 4)), 8, order=3)
    return np.asarray(ndimage.zoom(coarse, (height / 32, width / 32), order=1), np.float32)


def camera(rng: np.random.Generator, light: Floats, photons: float) -> Counts:
    """Return counts for light in units of `photons`: shot noise, read noise, gain and offset."""
    expected = photons * np.maximum(light, 0)
    # Normal noise of the same variance stands in for Poisson noise, at a fifth of its time.
    noise = np.sqrt(expected + 2.5) * rng.standard_normal(light.shape, np.float32)
    return np.clip(100 + 8 * (expected + noise), 0, 65535).astype(np.uint16)
