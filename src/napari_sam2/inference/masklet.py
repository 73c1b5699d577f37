"""One object's masks through time, run-length coded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_sam2.prompts import FrameIndex


@dataclass(frozen=True, slots=True, eq=False)
class RunLengths:
    """A boolean mask as the lengths of its runs, row by row; the first is background, perhaps of length 0."""

    counts: np.ndarray[Any, np.dtype[np.uint32]]
    shape: tuple[int, int]

    @classmethod
    def encode(cls, mask: np.ndarray[Any, Any]) -> RunLengths:
        """Encode a boolean mask (h, w)."""
        flat = np.asarray(mask, dtype=bool).ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        start = [0] if flat.size and flat[0] else []
        edges = np.concatenate((start, changes, [flat.size])).astype(np.int64)
        return cls(np.diff(edges, prepend=0).astype(np.uint32), (mask.shape[0], mask.shape[1]))

    def decode(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return the mask (h, w)."""
        values = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(values, self.counts).reshape(self.shape)

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(self.counts[1::2].sum())


@dataclass(slots=True)
class Masklet:
    """What is known of one object: a mask and a score for every frame it was looked for on."""

    masks: dict[FrameIndex, RunLengths] = field(default_factory=dict)
    scores: dict[FrameIndex, float] = field(default_factory=dict)

    def set(self, frame: FrameIndex, mask: np.ndarray[Any, Any], score: float) -> None:
        """Keep the mask (h, w) of a frame."""
        self.masks[frame] = RunLengths.encode(mask)
        self.scores[frame] = score

    def clear(self, frame: FrameIndex) -> None:
        """Forget a frame."""
        self.masks.pop(frame, None)
        self.scores.pop(frame, None)
