"""Corruptions for measuring robustness: those of a microscope at five severities, beside a far set.

The microscope's are ours; the far ones are those of Mintun, Kirillov, Xie, "On Interaction Between
Augmentations and Corruptions in Natural Corruption Robustness", NeurIPS 2021: see `far_corruptions`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from napari_sam2.errors import ImageError
from napari_sam2.imaging import far_corruptions as far
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.imaging.optics import Floats, waves

SEVERITIES = (1, 2, 3, 4, 5)


class Corruption(Enum):
    """What may be wrong with a recording; `FAR` ones look like nothing that a microscope does."""

    SHOT_NOISE = "shot noise"
    READ_NOISE = "read noise"
    DEFOCUS = "defocus"
    MOTION = "motion blur"
    ILLUMINATION = "uneven illumination"
    BLEACHING = "bleaching"
    STRIPES = "stripes"
    DRIFT = "drift and jitter"
    SATURATION = "saturation"
    CONTRAST = "low contrast"
    COMPRESSION = "compression"
    MISSING = "missing frames"
    BLUE_NOISE = "blue noise"
    BROWNISH_NOISE = "brownish noise"
    CAUSTICS = "caustic refraction"
    CHECKERBOARD = "checkerboard cutout"
    SINE_WAVES = "cocentric sine waves"
    INVERSE_SPARKLES = "inverse sparkles"
    PERLIN = "Perlin noise"
    PLASMA = "plasma noise"
    SINGLE_FREQUENCY = "single-frequency greyscale"
    SPARKLES = "sparkles"

    @property
    def far(self) -> bool:
        """Whether it is one of the paper's far set."""
        return self in _FAR

    @property
    def needs_frames(self) -> bool:
        """Whether it does nothing to a single image."""
        return self in (Corruption.DRIFT, Corruption.MISSING)


@dataclass(frozen=True, slots=True, eq=False)
class Corrupted:
    """A recording with something wrong.

    Attributes
    ----------
    images
        (T, H, W) or (T, H, W, 3) uint8.
    labels
        (T, H, W), moved along where the image moved.
    lost
        Frames that show nothing: nobody can say what is on them.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[Any]
    lost: tuple[int, ...] = ()


def corrupt(
    images: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    corruption: Corruption | None,
    severity: int = 3,
    seed: int = 0,
) -> Corrupted:
    """Spoil a recording.

    Parameters
    ----------
    images
        (T, H, W) or (T, H, W, 3) of any dtype; an image is a recording of one frame. It is brought to eight
        bits as `IntensityMap.for_frames` shows it, and the corruption acts on that.
    labels
        (T, H, W).
    corruption
        None for the eight bits alone, which is what a corrupted recording is compared with.
    severity
        1 to 5. Lengths are pixels of the recording.
    seed
        Every seed, corruption and severity draws anew, and the same each time.

    Raises
    ------
    ImageError
        There is no such severity, or the images show nothing.
    """
    if severity not in SEVERITIES:
        raise ImageError(f"Severities run from 1 to {SEVERITIES[-1]}, got {severity}.")
    light = as_light(images)
    if corruption is None:
        return Corrupted(_eight_bits(light), labels)
    rng = np.random.default_rng([seed, list(Corruption).index(corruption), severity])
    if corruption is Corruption.DRIFT:
        return _drift(light, labels, severity, rng)
    if corruption is Corruption.MISSING:
        return _missing(light, labels, severity, rng)
    return Corrupted(_eight_bits(_ACTS[corruption](light, severity, rng)), labels)


def as_light(images: npt.NDArray[Any]) -> Floats:
    """Return a recording (T, H, W[, 3]) as the light that the model would see: float32 from 0 to 1."""
    shown = IntensityMap.for_frames(images)
    gray = images.ndim == 3
    return np.stack([shown(frame)[..., 0] if gray else shown(frame) for frame in images])


def _eight_bits(light: Floats) -> npt.NDArray[np.uint8]:
    return np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)


def _level(severity: int, *levels: float) -> float:
    return levels[severity - 1]


def _shot_noise(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    photons = _level(severity, 60, 25, 12, 6, 3)
    return np.asarray(rng.poisson(np.clip(light, 0, 1) * photons) / photons, np.float32)


def _read_noise(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    sigma = np.float32(_level(severity, 0.04, 0.08, 0.13, 0.19, 0.27))
    return light + sigma * rng.standard_normal(light.shape, np.float32)


def _defocus(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    radius = _level(severity, 1, 2, 3, 4.5, 6.5)
    reach = ceil(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return _spread(light, np.clip(radius + 0.5 - np.hypot(y, x), 0, 1))


def _motion(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    length, angle = _level(severity, 3, 5, 8, 12, 17), rng.uniform(0, np.pi)
    reach = ceil(length / 2)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return _spread(light, np.clip(1 - abs(across), 0, 1) * np.clip(length / 2 + 0.5 - abs(along), 0, 1))


def _spread(light: Floats, kernel: npt.NDArray[np.float64]) -> Floats:
    shape = (1, *kernel.shape, *[1] * (light.ndim - 3))
    weights = (kernel / kernel.sum()).reshape(shape).astype(np.float32)
    return np.asarray(ndimage.convolve(light, weights, mode="nearest"), np.float32)


def _illumination(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    height, width = light.shape[1:3]
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    y, x = rng.uniform(-0.8, 0.8, 2)
    shade = (rows - y) ** 2 + (columns - x) ** 2 + 0.3 * waves(rng, (height, width), (height, width))
    shade = (shade - shade.min()) / max(float(np.ptp(shade)), 1e-6)
    return _times(light, 1 - _level(severity, 0.3, 0.5, 0.65, 0.8, 0.92) * shade)


def _bleaching(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """The light decays exponentially, the noise of a camera stays; a single image is the last one."""
    frames, left = len(light), 1 - _level(severity, 0.3, 0.5, 0.7, 0.85, 0.95)
    times = np.linspace(0, 1, frames) if frames > 1 else np.ones(1)
    dim = light * (left**times).astype(np.float32).reshape(-1, *[1] * (light.ndim - 1))
    seen = rng.poisson(np.clip(dim, 0, 1) * 150) / 150 + 0.01 * rng.standard_normal(light.shape)
    return np.asarray(seen, np.float32)


def _stripes(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Rows whose gain and offset differ, new on each frame: a flickering laser under a scan."""
    strength = _level(severity, 0.05, 0.1, 0.18, 0.28, 0.4)
    shape = (*light.shape[:2], *[1] * (light.ndim - 2))
    gain, offset = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    return np.asarray(light * np.clip(1 + strength * gain, 0, None) + 0.5 * strength * offset, np.float32)


def _saturation(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """A share of the pixels is as bright as the camera can tell, whatever the image shows."""
    share = _level(severity, 0.03, 0.06, 0.1, 0.18, 0.35)
    return light / np.float32(max(float(np.quantile(light[:, ::2, ::2], 1 - share)), 0.02))


def _contrast(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Haze leaves a share of the range, and eight bits and a camera's noise have to do with it."""
    left = np.float32(_level(severity, 0.5, 0.3, 0.15, 0.08, 0.04))
    haze = np.float32(0.5) * (1 - left)
    return light * left + haze + np.float32(0.006) * rng.standard_normal(light.shape, np.float32)


def _compression(light: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """JPEG, frame by frame."""
    quality, frames = int(_level(severity, 40, 20, 10, 5, 2)), []
    for frame in _eight_bits(light):
        packed = io.BytesIO()
        Image.fromarray(frame).save(packed, "JPEG", quality=quality)
        frames.append(np.asarray(Image.open(packed), np.float32) / 255)
    return np.stack(frames)


def _times(light: Floats, field: npt.NDArray[Any]) -> Floats:
    shape = (1, *field.shape, *[1] * (light.ndim - 3))
    return light * field.reshape(shape).astype(np.float32)


def _drift(light: Floats, labels: npt.NDArray[Any], severity: int, rng: np.random.Generator) -> Corrupted:
    """The stage wanders and shakes by whole pixels, so that the truth moves along exactly.

    What comes into view is black.
    """
    step = _level(severity, 0.7, 1.5, 3, 5, 8)
    steps = rng.normal(0, step, (len(light), 2)) + 0.5 * rng.normal(0, step, 2)
    steps[0] = 0
    path = 0.6 * np.cumsum(steps, axis=0) + 0.8 * steps  # the second part is gone a frame later
    images, moved = np.zeros_like(light), np.zeros_like(labels)
    for t, (y, x) in enumerate(np.rint(path).astype(int)):
        into, out = _overlap(light.shape[1:3], int(y), int(x))
        images[t][into], moved[t][into] = light[t][out], labels[t][out]
    return Corrupted(_eight_bits(images), moved)


def _overlap(shape: tuple[int, ...], y: int, x: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return where a picture moved by (y, x) is seen, and which part of it that is."""
    into = tuple(slice(max(d, 0), max(n + min(d, 0), 0)) for d, n in zip((y, x), shape, strict=True))
    out = tuple(slice(max(-d, 0), max(n - max(d, 0), 0)) for d, n in zip((y, x), shape, strict=True))
    return into, out


def _missing(light: Floats, labels: npt.NDArray[Any], severity: int, rng: np.random.Generator) -> Corrupted:
    """Frames without light, never the first."""
    frames = len(light)
    count = min(ceil(_level(severity, 0.05, 0.12, 0.2, 0.33, 0.5) * (frames - 1)), frames - 1)
    lost = sorted(int(t) for t in rng.permutation(np.arange(1, frames))[:count])
    images = light.copy()
    images[lost] = abs(0.02 * rng.standard_normal(images[lost].shape))
    return Corrupted(_eight_bits(images), labels, tuple(lost))


_Act = Callable[[Floats, int, np.random.Generator], Floats]

_FAR: dict[Corruption, _Act] = {
    Corruption.BLUE_NOISE: far.blue_noise,
    Corruption.BROWNISH_NOISE: far.brownish_noise,
    Corruption.CAUSTICS: far.caustic_refraction,
    Corruption.CHECKERBOARD: far.checkerboard_cutout,
    Corruption.SINE_WAVES: far.cocentric_sine_waves,
    Corruption.INVERSE_SPARKLES: far.inverse_sparkles,
    Corruption.PERLIN: far.perlin_noise,
    Corruption.PLASMA: far.plasma_noise,
    Corruption.SINGLE_FREQUENCY: far.single_frequency,
    Corruption.SPARKLES: far.sparkles,
}
_ACTS: dict[Corruption, _Act] = {
    Corruption.SHOT_NOISE: _shot_noise,
    Corruption.READ_NOISE: _read_noise,
    Corruption.DEFOCUS: _defocus,
    Corruption.MOTION: _motion,
    Corruption.ILLUMINATION: _illumination,
    Corruption.BLEACHING: _bleaching,
    Corruption.STRIPES: _stripes,
    Corruption.SATURATION: _saturation,
    Corruption.CONTRAST: _contrast,
    Corruption.COMPRESSION: _compression,
    **_FAR,
}

MICROSCOPE = tuple(one for one in Corruption if not one.far)
FAR = tuple(_FAR)
