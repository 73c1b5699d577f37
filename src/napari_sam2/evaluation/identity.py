"""Whether bodies keep their identity through volumes in time, divisions included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.evaluation.metrics import iou
from napari_sam2.inference.volumes_in_time import VolumeFound
from napari_sam2.prompts import ObjectId

SAME = 0.3
"""A found body is the true one where their volumes overlap (intersection over union) by so much."""


@dataclass(frozen=True, slots=True)
class IdentityScore:
    """What became of the true objects.

    Attributes
    ----------
    kept
        Those that are found under their own number on the last volume that holds them. A daughter's own
        number is one that was born of her mother's.
    lost
        The others.
    invented
        Found divisions of objects that do not divide.
    volumes
        Mean IoU of the kept ones on their last volumes.
    """

    kept: tuple[ObjectId, ...]
    lost: tuple[ObjectId, ...]
    invented: int
    volumes: float

    @property
    def share(self) -> float:
        """Kept ones among all; NaN if there is none."""
        count = len(self.kept) + len(self.lost)
        return len(self.kept) / count if count else float("nan")


def identity_score(
    truth: npt.NDArray[np.integer[Any]], parents: Mapping[ObjectId, ObjectId], found: Iterable[VolumeFound]
) -> IdentityScore:
    """Measure what was found in volumes of which the truth is known.

    Parameters
    ----------
    truth
        Integers (T, Z, Y, X), one number an object. Those of the first found volume count, and their
        daughters.
    parents
        True daughter to true mother.
    found
        One a time, in order; objects of the first have their true numbers, daughters any new ones.
    """
    lasts = {int(n): t for t, volume in enumerate(truth) for n in np.unique(volume) if n > 0}
    may_be: dict[ObjectId, set[ObjectId]] = {}  # true number: found numbers
    found_mothers: set[ObjectId] = set()
    overlaps: dict[ObjectId, float] = {}
    seen = False
    for one in found:
        if not seen:
            may_be = {int(n): {int(n)} for n in np.unique(truth[one.time]) if n > 0}
            seen = True
        found_mothers |= set(one.mothers.values())
        for daughter, mother in one.mothers.items():
            for child in [c for c, m in parents.items() if mother in may_be.get(m, ())]:
                may_be.setdefault(child, set()).add(daughter)
        taken: set[ObjectId] = set()
        ending = [n for n, last in lasts.items() if last == one.time and n in may_be]
        pairs = [(_overlap(truth[one.time] == n, one, own), n, own) for n in ending for own in may_be[n]]
        for overlap, number, own in sorted(pairs, reverse=True):
            if overlap >= SAME and number not in overlaps and own not in taken:  # no body is two
                overlaps[number] = overlap
                taken.add(own)
    known = {n for n in lasts if n in may_be or parents.get(n) in may_be}
    dividing = {own for mother in parents.values() for own in may_be.get(mother, ())}
    return IdentityScore(
        tuple(sorted(overlaps)),
        tuple(sorted(known - overlaps.keys())),
        len(found_mothers - dividing),
        float(np.mean(list(overlaps.values()))) if overlaps else float("nan"),
    )


def _overlap(true: npt.NDArray[np.bool_], found: VolumeFound, number: ObjectId) -> float:
    body = found.bodies.get(number)
    bounds = None if body is None else body.bounds()
    if body is None or bounds is None:
        return 0.0
    whole = np.zeros(true.shape, bool)
    whole[bounds] = body.voxels(bounds)
    return iou(true, whole)
