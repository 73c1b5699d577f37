"""In which order frames are visited, and what has to be remembered for the visits to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from napari_sam2.batch.plan import Birth, Way
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.prompts import Direction, FrameIndex, ObjectId


@dataclass(frozen=True, slots=True)
class Life:
    """Where an object may be found.

    Attributes
    ----------
    first, last
        Its first and its last prompted frame.
    begin, end
        It is looked for on frames from `begin` to `end` - 1.
    """

    object_id: ObjectId
    first: FrameIndex
    last: FrameIndex
    begin: FrameIndex
    end: FrameIndex

    def visited(self, frame: FrameIndex, direction: Direction, way: Way) -> bool:
        """Whether the object is followed onto a frame from this side; that is so from one side at most."""
        if not self.begin <= frame < self.end:
            return False
        if direction is Direction.FORWARD:
            return way is not Way.BACKWARD and frame >= self.first
        if way is Way.BOTH:
            return frame < self.first
        return way is Way.BACKWARD and frame <= self.last


@dataclass(frozen=True, slots=True)
class Visit:
    """Some objects on one frame: the smallest piece of work, which is done whole or not at all."""

    frame: FrameIndex
    direction: Direction
    object_ids: tuple[ObjectId, ...]


def lives(
    prompted: Iterable[tuple[ObjectId, FrameIndex]], births: Iterable[Birth], length: int
) -> tuple[Life, ...]:
    """Return where objects may be found, in the order in which they were first prompted."""
    frames: dict[ObjectId, list[FrameIndex]] = {}
    for object_id, frame in prompted:
        frames.setdefault(object_id, []).append(frame)
    begin = {birth.daughter: birth.frame for birth in births}
    end = {birth.mother: birth.frame for birth in births}
    return tuple(
        Life(number, min(at), max(at), begin.get(number, 0), end.get(number, length))
        for number, at in frames.items()
    )


def route(objects: Sequence[Life], length: int, way: Way) -> tuple[Visit, ...]:
    """Return all visits in their order: forward through the frames, then backward."""
    legs = ((Direction.FORWARD, range(length)), (Direction.BACKWARD, range(length - 1, -1, -1)))
    visits = []
    for direction, frames in legs:
        for frame in frames:
            there = tuple(life.object_id for life in objects if life.visited(frame, direction, way))
            if there:
                visits.append(Visit(frame, direction, there))
    return tuple(visits)


def reach(policy: TrackingPolicy, remembered: int) -> int:
    """Return how many frames behind a visit the tracker may look at.

    Parameters
    ----------
    policy
        Stride of maps, reach of pointers, and how long a body may be missed.
    remembered
        ``num_maskmem`` of the network.
    """
    maps = (remembered + 1) * policy.memory_temporal_stride_for_eval
    return max(maps, policy.max_obj_ptrs_in_encoder, policy.contiguous_within)


class Needed:
    """Which frames' memories the visits from a place of the route on may look at.

    Parameters
    ----------
    visits, objects
        The route, and whom it is for.
    reach
        How many frames behind a visit count.
    """

    def __init__(self, visits: Sequence[Visit], objects: Sequence[Life], reach: int) -> None:
        self._visits = visits
        self._reach = reach
        turns = [i for i, visit in enumerate(visits) if visit.direction is Direction.BACKWARD]
        both = bool(turns) and turns[0] > 0
        # What was tracked forward from an object's first prompt is looked at when it is followed backward.
        self._turn = {at for life in objects if both for at in range(life.first, life.first + reach + 1)}
        self._until = turns[-1] if both else -1

    def frames(self, position: int) -> set[FrameIndex]:
        """Return the frames for the visits from number `position` on."""
        if position >= len(self._visits):
            return set()
        visit = self._visits[position]
        step = visit.direction.step
        behind = {visit.frame - step * k for k in range(1, self._reach + 1)}
        return behind | self._turn if position <= self._until else behind
