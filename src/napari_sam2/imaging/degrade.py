"""What spoils a recording: uneven light, bleaching, drift, missing frames, thick sections, few bits.

Each takes a phantom of any family and returns a new one, so that they compose; the given one stays as it is.
Camera counts are turned back into photons for it: what dims them lets fewer through,
with the noise of so few.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from napari_sam2.errors import ImageError
from napari_sam2.imaging.optics import GAIN, OFFSET, Floats, waves
from napari_sam2.imaging.phantoms import Phantom


def uneven_light(phantom: Phantom, rng: np.random.Generator, strength: float = 0.5) -> Phantom:
    """Dim the image (..., H, W) towards one side and the corners, the same on every frame.

    Parameters
    ----------
    strength
        What the darkest place loses, 0 to 1.
    """
    _check_share(strength, "strength")
    height, width = phantom.images.shape[-2:]
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    y, x = rng.uniform(-0.6, 0.6, 2)
    shade = (
        (rows - y) ** 2 + (columns - x) ** 2 + 0.3 * waves(rng, (height, width), (0.7 * height, 0.7 * width))
    )
    shade = (shade - shade.min()) / np.ptp(shade)
    return _dimmed(phantom, rng, np.asarray(1 - strength * shade, np.float32))


def bleach(phantom: Phantom, rng: np.random.Generator, lost: float = 0.6) -> Phantom:
    """Let the light decay exponentially along the first axis.

    Parameters
    ----------
    lost
        Which share of the light the last frame has lost, 0 to 1 (exclusive).
    """
    _check_share(lost, "lost")
    frames = len(phantom.images)
    left = (1 - min(lost, 0.999)) ** (np.arange(frames) / max(frames - 1, 1))
    return _dimmed(phantom, rng, left.astype(np.float32).reshape(-1, *[1] * (phantom.images.ndim - 1)))


def drift(phantom: Phantom, rng: np.random.Generator, margin: int = 8, step: float = 2.0) -> Phantom:
    """Let the stage wander: each frame is a window into the scene, smaller by `margin` on every side.

    Parameters
    ----------
    margin
        How far the window may wander, in pixels; the phantom loses twice as many rows and columns.
    step
        Typical movement in pixels a frame. Shifts are whole pixels, so that the truth stays exact.

    Raises
    ------
    ImageError
        The margins leave nothing.
    """
    height, width = phantom.images.shape[-2:]
    if margin < 0 or 2 * margin >= min(height, width):
        raise ImageError(
            f"A margin of {margin} pixels leaves nothing of {height} x {width}: take a smaller one."
        )
    steps = rng.normal(0, step, 2) * 0.5 + rng.normal(0, step, (len(phantom.images), 2))
    steps[0] = rng.uniform(-0.5, 0.5, 2) * margin
    corners = np.clip(np.rint(np.cumsum(steps, axis=0)), -margin, margin).astype(int) + margin
    rows, columns = height - 2 * margin, width - 2 * margin
    windows = [np.s_[..., y : y + rows, x : x + columns] for y, x in corners]
    images = np.stack([frame[w] for frame, w in zip(phantom.images, windows, strict=True)])
    labels = np.stack([frame[w] for frame, w in zip(phantom.labels, windows, strict=True)])
    return replace(phantom, images=images, labels=labels)


def missing_frames(phantom: Phantom, rng: np.random.Generator, count: int = 1) -> Phantom:
    """Blacken `count` frames, never the first: only the camera's noise is left, and no object is seen.

    Raises
    ------
    ImageError
        There are not so many frames after the first.
    """
    frames = len(phantom.images)
    if not 0 <= count < frames:
        raise ImageError(f"{count} of {frames} frame(s) cannot be missing: the first one always stays.")
    images, labels = phantom.images.copy(), phantom.labels.copy()
    for t in rng.permutation(np.arange(1, frames))[:count]:
        labels[t] = 0
        dark = OFFSET + 1.6 * GAIN * rng.standard_normal(images[t].shape)
        images[t] = np.clip(dark, 0, 65535) if images.dtype == np.uint16 else 0
    return replace(phantom, images=images, labels=labels)


def defocus(phantom: Phantom, rng: np.random.Generator, count: int = 1, sigma: float = 2.5) -> Phantom:
    """Blur `count` frames by a Gaussian of `sigma` pixels; the truth stays.

    Raises
    ------
    ImageError
        There are not so many frames.
    """
    frames = len(phantom.images)
    if not 0 <= count <= frames:
        raise ImageError(f"{count} of {frames} frame(s) cannot be out of focus: ask for fewer.")
    images = phantom.images.copy()
    for t in rng.permutation(frames)[:count]:
        widths = (*[0.0] * (images.ndim - 3), sigma, sigma)
        images[t] = ndimage.gaussian_filter(images[t].astype(np.float32), widths)
    return replace(phantom, images=images)


def thin_out(phantom: Phantom, every: int = 3) -> Phantom:
    """Keep every so many planes of the depth axis, as a coarse focus drive does.

    Raises
    ------
    ImageError
        The phantom has no depth, or `every` is below 1.
    """
    if "Z" not in phantom.axes or every < 1:
        raise ImageError(
            f"Every {every} plane(s) of axes {phantom.axes} cannot be kept: it takes a Z axis and 1 or more."
        )
    keep = tuple(slice(None, None, every if axis == "Z" else None) for axis in phantom.axes)
    spacing = phantom.z_spacing * every
    return replace(phantom, images=phantom.images[keep], labels=phantom.labels[keep], z_spacing=spacing)


def to_8_bit(phantom: Phantom, saturated: float = 0.1, black: float = 0.1) -> Phantom:
    """Scale to uint8, clipping at both ends, as an exposure set too long or a careless export does.

    Parameters
    ----------
    saturated, black
        Percentage of the pixels that become 255, and 0.
    """
    _check_share(saturated / 100, "saturated / 100")
    _check_share(black / 100, "black / 100")
    low, high = np.percentile(phantom.images[..., ::2, ::2], (black, 100 - saturated))
    scale = np.float32(255 / max(float(high - low), 1e-6))
    scaled = np.clip(np.rint((phantom.images.astype(np.float32) - np.float32(low)) * scale), 0, 255)
    return replace(phantom, images=scaled.astype(np.uint8))


def _dimmed(phantom: Phantom, rng: np.random.Generator, share: Floats) -> Phantom:
    """Let only a share of the photons through; broadcast against the images.

    Of N photons a share f leaves f N with variance f N. Scaled counts have f^2 N, so f (1 - f) N is added.
    """
    if phantom.images.dtype != np.uint16:
        raise ImageError("Light is lost before the camera counts it: dim first, then scale to 8 bits.")
    photons = np.maximum((phantom.images - np.float32(OFFSET)) / np.float32(GAIN), 0)
    noise = rng.standard_normal(photons.shape, np.float32)
    left = share * photons + np.sqrt(share * (1 - share) * photons) * noise
    counts = np.clip(np.rint(np.float32(OFFSET) + np.float32(GAIN) * left), 0, 65535)
    return replace(phantom, images=counts.astype(np.uint16))


def _check_share(share: float, name: str) -> None:
    if not 0 <= share <= 1:
        raise ImageError(f"A share runs from 0 to 1, got {name}={share:g}.")
