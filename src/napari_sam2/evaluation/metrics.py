"""How well a mask fits: IoU (J), the boundary measure F, and both through a video as DAVIS defines them.

Perazzi et al., "A benchmark dataset and evaluation methodology for video object segmentation", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, hypot
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.integer[Any]]

TOLERANCE = 0.008
"""How far apart boundaries may lie to be the same, as a share of the image's diagonal."""


@dataclass(frozen=True, slots=True)
class FrameRule:
    """Which frames count.

    Attributes
    ----------
    skip_ends
        Leave out the first and the last annotated frame, as DAVIS does: the first is given away, the last is
        rarely whole. A sequence of one or two annotated frames counts in full.
    absent
        Count frames on which the object truly is not: 1 if nothing was found there either, 0 otherwise. They
        count from where the object was first seen, in truth or by mistake.
    """

    skip_ends: bool = True
    absent: bool = True


DAVIS = FrameRule()
PRESENT = FrameRule(skip_ends=False, absent=False)
"""Every frame that holds the object, the prompted one, too."""


@dataclass(frozen=True, slots=True)
class JF:
    """J and F of one object through a sequence, a value a counted frame; F is empty if not wanted."""

    frames: tuple[int, ...]
    j: tuple[float, ...]
    f: tuple[float, ...]

    @property
    def mean_j(self) -> float:
        """J over the frames; NaN if none counts."""
        return mean(self.j)

    @property
    def mean_f(self) -> float:
        """F over the frames; NaN if none counts."""
        return mean(self.f)

    @property
    def jf(self) -> float:
        """The mean of both."""
        return (self.mean_j + self.mean_f) / 2


def iou(truth: Mask, found: Mask) -> float:
    """Return the overlap of two masks or volumes of one shape, 0 to 1; 1 where both are empty."""
    either = int((truth | found).sum())
    return int((truth & found).sum()) / either if either else 1.0


def boundary(mask: Mask) -> Mask:
    """Return the pixels (h, w) that differ from their right, lower or lower right neighbour."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    edge: Mask = (mask != padded[:-1, 1:]) | (mask != padded[1:, :-1]) | (mask != padded[1:, 1:])
    return edge


def boundary_f(truth: Mask, found: Mask, tolerance: float = TOLERANCE) -> float:
    """Return F, 0 to 1: the harmonic mean of how much of either boundary lies near the other.

    Parameters
    ----------
    truth, found
        bool (h, w).
    tolerance
        What is near, as a share of the diagonal; at least one pixel.
    """
    if not truth.any() or not found.any():
        return float(truth.any() == found.any())
    radius = max(1, ceil(tolerance * hypot(*truth.shape)))
    ours, theirs = boundary(found), boundary(truth)
    precision, recall = _near(ours, theirs, radius), _near(theirs, ours, radius)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def object_scores(
    truth: Labels,
    found: Labels,
    object_id: int,
    rule: FrameRule = DAVIS,
    annotated: Sequence[int] | None = None,
    with_f: bool = True,
) -> JF:
    """Measure one object through a sequence.

    Parameters
    ----------
    truth, found
        Integers (T, H, W), the same number for the same object.
    object_id
        Which one.
    rule
        Which frames count.
    annotated
        Frames of which the truth is known; all by default.
    with_f
        Whether to measure boundaries, too; they cost more time than all the rest.
    """
    known = sorted(range(len(truth)) if annotated is None else annotated)
    inner = set(known[1:-1] if rule.skip_ends and len(known) > 2 else known)
    frames, j, f = [], [], []
    seen = False
    for frame in known:
        true, mask = truth[frame] == object_id, found[frame] == object_id
        there = bool(true.any())
        seen = seen or there or bool(mask.any())
        if frame not in inner or not (there or (rule.absent and seen)):
            continue
        frames.append(frame)
        j.append(iou(true, mask))
        if with_f:
            f.append(boundary_f(true, mask))
    return JF(tuple(frames), tuple(j), tuple(f))


def mean(values: Iterable[float]) -> float:
    """Return the mean of those that are numbers; NaN if there is none."""
    listed = [value for value in values if value == value]
    return sum(listed) / len(listed) if listed else float("nan")


def dataset_mean(scores: Sequence[JF]) -> JF:
    """Return J and F of a data set as one pair of values: the mean over all objects of all videos."""
    return JF((), (mean(s.mean_j for s in scores),), (mean(s.mean_f for s in scores),))


def _near(line: Mask, other: Mask, radius: int) -> float:
    """Return the share of one boundary that lies within a disk's radius of the other."""
    if not line.any():
        return 1.0 if not other.any() else 0.0
    if not other.any():
        return 0.0
    # Far pixels play no part: a window round both boundaries gives the same distances.
    rows, columns = (np.flatnonzero((line | other).any(axis=axis)) for axis in (1, 0))
    window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    distance = ndimage.distance_transform_edt(~other[window])
    return float((distance[line[window]] <= radius).mean())
