"""Who descends from whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_sam2.prompts import FrameIndex, ObjectId


@dataclass(frozen=True, slots=True)
class Division:
    """Where an object comes from: its mother, and the first frame on which the daughters are apart."""

    mother: ObjectId
    frame: FrameIndex


Lineage = Mapping[ObjectId, Division]


def daughters(lineage: Lineage, mother: ObjectId) -> tuple[ObjectId, ...]:
    """Return the daughters of an object, in the order of their ids."""
    return tuple(sorted(child for child, division in lineage.items() if division.mother == mother))


def life(lineage: Lineage, object_id: ObjectId, length: int) -> range:
    """Return the frames, of 0 to `length` - 1, between an object's birth and its own division."""
    own = lineage.get(object_id)
    ends = [division.frame for division in lineage.values() if division.mother == object_id]
    return range(own.frame if own else 0, min(ends, default=length))
