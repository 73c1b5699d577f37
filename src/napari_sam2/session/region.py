"""The part of a frame that something covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam2.inference.masklet import RunLengths


@dataclass(frozen=True, slots=True)
class Region:
    """Rows `y0` to `y1` and columns `x0` to `x1` of a frame, the ends not included."""

    y0: int
    x0: int
    y1: int
    x1: int

    @classmethod
    def of(cls, runs: RunLengths) -> Region | None:
        """Return the smallest region that holds a mask, without decoding it; None for an empty mask."""
        ends = np.cumsum(runs.counts, dtype=np.int64)[1::2]
        if not ends.size:
            return None
        starts = ends - runs.counts[1::2]
        width = runs.shape[1]
        first, last = starts // width, (ends - 1) // width
        wraps = bool((first != last).any())
        return cls(
            int(first[0]),
            0 if wraps else int((starts % width).min()),
            int(last[-1]) + 1,
            width if wraps else int(((ends - 1) % width).max()) + 1,
        )

    def __or__(self, other: Region) -> Region:
        """Return the smallest region that holds both."""
        return Region(
            min(self.y0, other.y0), min(self.x0, other.x0), max(self.y1, other.y1), max(self.x1, other.x1)
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts it out of a frame (H, W)."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


def joined(*regions: Region | None) -> Region | None:
    """Return the smallest region that holds all that are there."""
    found: Region | None = None
    for region in regions:
        if region is not None:
            found = region if found is None else found | region
    return found
