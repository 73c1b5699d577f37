"""Flaws of microscopes that the rest of the augmentations leave out: stripes, saturation, bleaching, haze.

Of what microscopes do, these lie furthest from them (docs/explain/robustness.md). Patterns that lie further
still but belong to no microscope are left out on purpose: robustness is measured on them, as the far set.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def flaw(rng: np.random.Generator, images: FloatArray) -> FloatArray:
    """Spoil a clip (T, S, S, C), 0 to 1, in one of four ways; returns the same layout and range."""
    kind = int(rng.integers(4))
    spoilt = (stripes, saturate, bleach, haze)[kind](rng, images)
    return np.clip(spoilt, 0, 1).astype(np.float32)


def stripes(rng: np.random.Generator, images: FloatArray) -> FloatArray:
    """Rows or columns of their own gain and offset, a few pixels wide; they stand still, or flicker."""
    frames, size, _, _ = images.shape
    width, strength = int(rng.integers(1, 5)), 0.4 * rng.random() ** 1.5
    moments = 1 if rng.random() < 0.5 else frames
    lines = rng.standard_normal((2, moments, -(-size // width)), np.float32).repeat(width, axis=2)[..., :size]
    across = (slice(None), slice(None), None) if rng.random() < 0.7 else (slice(None), None, slice(None))
    gain, offset = (line[across][..., None] for line in lines)
    return np.asarray(images * np.maximum(1 + strength * gain, 0) + 0.5 * strength * offset, np.float32)


def saturate(rng: np.random.Generator, images: FloatArray) -> FloatArray:
    """Let up to a third of the pixels be as bright as the camera can tell."""
    top = float(np.quantile(images[:, ::4, ::4], 1 - 0.35 * rng.random() ** 2))
    return images / np.float32(max(top, 0.05))


def bleach(rng: np.random.Generator, images: FloatArray) -> FloatArray:
    """Let the light decay to as little as a twentieth, with the noise of few photons; a still is the end."""
    frames, left = len(images), math.exp(rng.uniform(math.log(0.05), math.log(0.7)))
    times = np.linspace(0, 1, frames) if frames > 1 else np.ones(1)
    dim = np.clip(images, 0, 1) * (left**times).astype(np.float32)[:, None, None, None]
    noise = np.sqrt(dim / np.float32(rng.uniform(60, 400)) + 1e-4)
    seen = dim + noise * rng.standard_normal(images.shape, np.float32)
    # Half of the time as an image is shown to the network: stretched by what is bright in it.
    stretch = max(float(np.quantile(seen[:, ::4, ::4], 0.995)), 0.02) if rng.random() < 0.5 else 1.0
    return np.asarray(seen / np.float32(stretch), np.float32)


def haze(rng: np.random.Generator, images: FloatArray) -> FloatArray:
    """Leave a share of the range to the picture, count it in eight bits, and stretch it again or not."""
    left, ground = math.exp(rng.uniform(math.log(0.04), math.log(0.6))), rng.uniform(0.2, 0.8)
    noise = rng.uniform(0, 0.008) * rng.standard_normal(images.shape, np.float32)
    counted = np.rint((images * left + ground * (1 - left) + noise) * 255) / 255
    if rng.random() < 0.5:
        counted = (counted - ground * (1 - left)) / left
    return np.asarray(counted, np.float32)
