"""Size, place and brightness of masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.io.results import Results

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Region:
    """One object on one frame.

    Attributes
    ----------
    object_id, frame
        Which.
    area
        Pixels.
    y, x
        Mean of the pixels' rows and columns.
    box
        y0, x0, y1, x1; the last row and column are y1 - 1 and x1 - 1.
    mean, largest
        Of the intensities, one for each channel; empty without an image.
    confidence
        0 to 1; None where that is not known.
    """

    object_id: int
    frame: int
    area: int
    y: float
    x: float
    box: tuple[int, ...]
    mean: tuple[float, ...]
    largest: tuple[float, ...]
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Spot:
    """One object at one time: t is the frame and z None, or, through depth, t is 0 and z the mean slice."""

    object_id: int
    t: int
    z: float | None
    y: float
    x: float
    size: int
    confidence: float | None


def regions(results: Results, intensities: bool = True) -> Iterator[Region]:
    """Measure every mask, frame by frame and in the order of ids; overlapping masks are measured in full."""
    for frame in range(len(results)):
        trusted = results.confidence_on(frame)
        image = None
        if intensities and results.image is not None:
            image = np.asarray(results.image(frame))
        for number, mask in results.masks_on(frame):
            ys, xs = np.nonzero(mask)
            inside = None if image is None else image[mask].reshape(len(ys), -1)
            yield Region(
                number,
                frame,
                len(ys),
                float(ys.mean()),
                float(xs.mean()),
                (int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1),
                () if inside is None else tuple(inside.mean(0, dtype=np.float64).tolist()),
                () if inside is None else tuple(inside.max(0).tolist()),
                trusted.get(number),
            )


def spots(results: Results) -> list[Spot]:
    """Return where every object is at every time, by object and then by time.

    Through depth, the confidence is that of the worst slice.
    """
    found = sorted(regions(results, intensities=False), key=lambda one: (one.object_id, one.frame))
    if results.frame_axis == "T":
        return [Spot(r.object_id, r.frame, None, r.y, r.x, r.area, r.confidence) for r in found]
    whole: dict[int, list[Region]] = {}
    for region in found:
        whole.setdefault(region.object_id, []).append(region)
    return [_united(number, slices) for number, slices in whole.items()]


def _united(number: int, slices: list[Region]) -> Spot:
    areas = np.array([one.area for one in slices], np.float64)
    z, y, x = (
        float(areas @ np.array(values, np.float64) / areas.sum())
        for values in ([r.frame for r in slices], [r.y for r in slices], [r.x for r in slices])
    )
    known = [one.confidence for one in slices if one.confidence is not None]
    return Spot(number, 0, z, y, x, int(areas.sum()), min(known, default=None))
