"""Who was there from when to when, and whose daughter it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_sam2.prompts import FrameIndex, ObjectId

_RECENT = 5
"""Frames back that the area of an object is told from: before a division it shrinks."""


@dataclass(slots=True)
class Life:
    """One object.

    Attributes
    ----------
    first, last
        Frames on which it was seen first and last.
    parent
        Its mother, 0 for none.
    areas
        Pixels on each frame that it was seen on.
    missed
        Frames in a row, up to now, on which it was not seen.
    doubted
        Looks in a row, up to now, that did not find what is tracked.
    """

    first: FrameIndex
    last: FrameIndex
    parent: ObjectId = 0
    areas: list[int] = field(default_factory=list)
    missed: int = 0
    doubted: int = 0

    @property
    def area(self) -> int:
        """The largest of the last few frames."""
        return max(self.areas[-_RECENT:], default=0)

    @property
    def age(self) -> int:
        """Frames on which it was seen."""
        return len(self.areas)


class Lives:
    """All objects of a sequence, those that have ended, too."""

    def __init__(self) -> None:
        self.all: dict[ObjectId, Life] = {}
        self.living: set[ObjectId] = set()

    def begin(self, frame: FrameIndex, parent: ObjectId = 0) -> ObjectId:
        """Return the number of a new object."""
        number = len(self.all) + 1
        self.all[number] = Life(frame, frame, parent)
        self.living.add(number)
        return number

    def seen(self, number: ObjectId, frame: FrameIndex, area: int) -> None:
        """Note how many pixels an object has on a frame; 0 where it was not seen."""
        life = self.all[number]
        if area:
            life.last, life.missed = frame, 0
            life.areas.append(area)
        else:
            life.missed += 1

    def end(self, number: ObjectId) -> None:
        """Let an object end where it was seen last."""
        self.living.discard(number)

    @property
    def parents(self) -> dict[ObjectId, ObjectId]:
        """Mother by daughter."""
        return {number: life.parent for number, life in self.all.items() if life.parent}

    @property
    def seen_ever(self) -> dict[ObjectId, str]:
        """What to call the objects that have pixels on some frame."""
        parents = self.parents
        return {
            number: f"Object {number}" + (f", of {parents[number]}" if number in parents else "")
            for number, life in self.all.items()
            if life.age
        }
