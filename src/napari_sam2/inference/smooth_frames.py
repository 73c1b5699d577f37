"""Frames without the grain that enlarging a small picture makes of its noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from napari_sam2.inference.embeddings import FrameSource, read_frame


@dataclass(frozen=True, slots=True, eq=False)
class SmoothFrames:
    """Frames through a Gaussian of `deviation` pixels, one at a time, when they are read.

    Integers stay what they are, rounded; each channel is smoothed by itself.
    """

    frames: FrameSource
    deviation: float

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the frames behind."""
        return tuple(self.frames.shape)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int, /) -> np.ndarray[Any, Any]:
        frame = read_frame(self.frames, index)
        if frame.dtype.kind not in "uif" or frame.ndim not in (2, 3):
            return frame  # not smoothed: whoever looks at it says what is wrong with it
        smooth = ndimage.gaussian_filter(
            frame.astype(np.float32), (self.deviation, self.deviation, 0)[: frame.ndim], mode="nearest"
        )
        whole = frame.dtype.kind in "ui"
        return (np.rint(smooth) if whole else smooth).astype(frame.dtype)
