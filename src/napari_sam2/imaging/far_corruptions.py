"""The far set: ten corruptions chosen to lie far from the usual ones in feature space, and to be as hard.

Mintun, Kirillov, Xie, "On Interaction Between Augmentations and Corruptions in Natural Corruption
Robustness", NeurIPS 2021, name them; these are written after the names, with severities of our own. Each
takes light (T, H, W[, 3]), 0 to 1, a severity from 1 to 5 and a random generator. What is noise is new on
each frame; what is a pattern stays where it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.imaging.optics import Floats, waves

_Field = npt.NDArray[Any]


def blue_noise(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Noise whose amplitude grows with its frequency."""
    return _with_noise(light, rng, (0.06, 0.1, 0.16, 0.24, 0.34)[severity - 1], 1.0)


def brownish_noise(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Noise whose amplitude falls with its frequency."""
    return _with_noise(light, rng, (0.06, 0.1, 0.15, 0.21, 0.28)[severity - 1], -1.0)


def plasma_noise(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Clouds of all sizes, the same in fine and in coarse, that take the place of a share of the image."""
    share = (0.2, 0.32, 0.44, 0.56, 0.68)[severity - 1]
    clouds = np.stack([0.5 + 0.25 * _spectral(rng, light.shape[1:3], -1.6) for _ in light])
    return _blended(light, np.clip(clouds, 0, 1), share)


def perlin_noise(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Soft blobs of two sizes."""
    strength = (0.08, 0.13, 0.19, 0.26, 0.35)[severity - 1]
    shape = light.shape[1:3]
    blobs = [waves(rng, shape, (16, 16)) + 0.6 * waves(rng, shape, (8, 8)) for _ in light]
    return _plus(light, strength * np.stack(blobs))


def single_frequency(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Gray noise of one wavelength, six to sixteen pixels, in all directions."""
    strength, length = (0.08, 0.13, 0.19, 0.27, 0.37)[severity - 1], rng.uniform(6, 16)
    return _plus(light, strength * np.stack([_ring(rng, light.shape[1:3], 1 / length) for _ in light]))


def cocentric_sine_waves(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Rings round one place, like those that coherent light makes round a grain of dust."""
    strength, length = (0.1, 0.17, 0.25, 0.35, 0.48)[severity - 1], rng.uniform(8, 20)
    _, distance = _round(rng, light.shape[1:3])
    return _plus(light, strength * np.sin(2 * np.pi * distance / length + rng.uniform(0, 6.3))[None])


def checkerboard_cutout(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Gray squares hide every other field of a board, more of it the more severe."""
    height, width = light.shape[1:3]
    side, share = max(min(height, width) // 8, 2), (0.12, 0.24, 0.4, 0.6, 0.8)[severity - 1]
    rows, columns = (np.arange(n) // side for n in (height, width))
    board = (rows[:, None] + columns) % 2 == int(rng.integers(2))
    kept = rng.random((rows[-1] + 1, columns[-1] + 1)) < share
    hidden = board & kept[rows][:, columns]
    spoilt = light.copy()
    spoilt[:, hidden] = 0.5
    return spoilt


def caustic_refraction(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """What moving water does: the picture is bent, and light gathers where it is bent together."""
    depth = (1.0, 1.8, 2.8, 4.0, 5.5)[severity - 1]
    shape = light.shape[1:3]
    slopes = np.array(np.gradient(waves(rng, shape, (28, 28))))
    focus = -(np.gradient(slopes[0], axis=0) + np.gradient(slopes[1], axis=1))
    bright = np.clip(1 + 0.16 * depth * focus / max(float(focus.std()), 1e-9), 0.2, 3)
    where = np.mgrid[: shape[0], : shape[1]] + depth * slopes / max(float(slopes.std()), 1e-9)
    bent = np.empty_like(light)
    channels = light.reshape(*light.shape[:3], -1)
    out = bent.reshape(channels.shape)
    for t in range(len(light)):
        for c in range(channels.shape[-1]):
            out[t, ..., c] = ndimage.map_coordinates(channels[t, ..., c], where, order=1, mode="nearest")
    return bent * _like(light, bright[None])


def sparkles(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Bright stars with rays."""
    return _blended(light, np.ones((1, *light.shape[1:3])), _stars(light, severity, rng))


def inverse_sparkles(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """The same stars, dark, on a field that is brightened between them."""
    veil = (0.05, 0.1, 0.15, 0.2, 0.25)[severity - 1]
    return _blended(light + np.float32(veil), np.zeros((1, *light.shape[1:3])), _stars(light, severity, rng))


def _stars(light: Floats, severity: int, rng: np.random.Generator) -> _Field:
    """Return how much of every pixel belongs to a star, (H, W) from 0 to 1."""
    count, shape = (4, 7, 11, 16, 23)[severity - 1], light.shape[1:3]
    reach, covered = min(shape) * 0.06, np.zeros(shape)
    for _ in range(count):
        angle, distance = _round(rng, shape)
        rays = abs(np.cos(int(rng.integers(2, 5)) * angle + rng.uniform(0, 6.3))) ** 6
        star = np.exp(-distance / (reach * rng.uniform(0.5, 1.2) * (0.35 + 1.6 * rays)))
        covered = np.maximum(covered, star)
    return covered


def _round(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[_Field, _Field]:
    """Return angle and distance of every pixel from a random one."""
    y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.arctan2(rows - y, columns - x), np.hypot(rows - y, columns - x)


def _frequency(shape: tuple[int, ...]) -> _Field:
    return np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))


def _spectral(rng: np.random.Generator, shape: tuple[int, ...], power: float) -> _Field:
    """Return noise of mean 0 and deviation 1 whose amplitude is the frequency to a power."""
    frequency = _frequency(shape)
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * frequency**power
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, shape)
    return np.asarray(noise / max(float(noise.std()), 1e-9))


def _ring(rng: np.random.Generator, shape: tuple[int, ...], wanted: float) -> _Field:
    """Return noise of mean 0 and deviation 1 of nearly one frequency, in cycles a pixel."""
    weights = np.exp(-0.5 * ((_frequency(shape) - wanted) / (0.08 * wanted + 0.5 / min(shape))) ** 2)
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * weights, shape)
    noise -= noise.mean()
    return np.asarray(noise / max(float(noise.std()), 1e-9))


def _with_noise(light: Floats, rng: np.random.Generator, strength: float, power: float) -> Floats:
    return _plus(light, strength * np.stack([_spectral(rng, light.shape[1:3], power) for _ in light]))


def _like(light: Floats, field: _Field) -> Floats:
    """Return a field (T or 1, H, W) so that it broadcasts against light."""
    return field.reshape(*field.shape, *[1] * (light.ndim - 3)).astype(np.float32)


def _plus(light: Floats, field: _Field) -> Floats:
    return light + _like(light, field)


def _blended(light: Floats, other: _Field, share: float | _Field) -> Floats:
    weight = np.float32(share) if isinstance(share, float) else _like(light, share[None])
    return np.asarray(light * (1 - weight) + _like(light, other) * weight, np.float32)
