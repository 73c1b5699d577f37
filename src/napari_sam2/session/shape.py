"""Size and place of a mask, from its run lengths."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, inf, pi, sqrt

import numpy as np

from napari_sam2.inference.masklet import RunLengths


@dataclass(frozen=True, slots=True)
class Shape:
    """Area in pixels, and centre of mass; of an empty mask (0, 0)."""

    area: int
    y: float
    x: float

    @classmethod
    def of(cls, runs: RunLengths) -> Shape:
        """Measure a mask."""
        area, width = runs.area, runs.shape[1]
        if not area:
            return cls(0, 0.0, 0.0)
        ends = np.cumsum(runs.counts, dtype=np.int64)[1::2]
        starts = ends - runs.counts[1::2]
        rows = starts // width
        if (rows != (ends - 1) // width).any():  # runs that go on in the next row
            ys, xs = np.nonzero(runs.decode())
            return cls(area, float(ys.mean()), float(xs.mean()))
        lengths = ends - starts
        columns = (starts + ends - 1) / 2 - rows * width
        return cls(area, float((rows * lengths).sum() / area), float((columns * lengths).sum() / area))

    def growth(self, before: Shape) -> float:
        """Return by which factor the area grew; 1 where both are empty."""
        if not before.area:
            return inf if self.area else 1.0
        return self.area / before.area

    def shift(self, before: Shape) -> float:
        """Return how far the centre moved, in diameters of the earlier mask; 0 where one is empty."""
        if not before.area or not self.area:
            return 0.0
        return hypot(self.y - before.y, self.x - before.x) / (2 * sqrt(before.area / pi))
