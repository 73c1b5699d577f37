"""What the model sees, small enough for a panel."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.imaging.intensity import FrameSequence, IntensityMap


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A frame as the model sees it.

    Attributes
    ----------
    picture
        uint8 (h, w, 3).
    intensity
        How it came about.
    frame
        Which one it is.
    """

    picture: npt.NDArray[np.uint8]
    intensity: IntensityMap
    frame: int


def look(frames: FrameSequence, intensity: IntensityMap, frame: int, side: int) -> Seen:
    """Return a frame as the model sees it.

    Parameters
    ----------
    frames
        The image.
    intensity
        Its mapping.
    frame
        Which one.
    side
        Longest side of the picture in pixels.

    Raises
    ------
    ImageError
        The frame holds no pixels that could be segmented.
    """
    pixels = np.asarray(frames[frame])
    return Seen(np.round(shrunk(intensity(pixels), side) * 255).astype(np.uint8), intensity, frame)


def shrunk(picture: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """Average blocks of pixels until no side is longer than `side`; (H, W, 3) in, (h, w, 3) out."""
    height, width = picture.shape[:2]
    block = ceil(max(height, width) / side)
    if block == 1:
        return picture
    rows, columns = max(height // block, 1), max(width // block, 1)
    whole = picture[: rows * block, : columns * block]
    tall, wide = min(block, height), min(block, width)
    blocks: Any = whole.reshape(rows, tall, columns, wide, 3)
    averaged: npt.NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return averaged
