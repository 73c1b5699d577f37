"""What an object remembers, and which of it a frame may look at (video spec 4)."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass, field

from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.records import RecordKey
from napari_sam2.prompts import Direction, FrameIndex


@dataclass(frozen=True, slots=True)
class Recollection:
    """One remembered frame: its map with a row of the temporal code, or its pointer with a distance."""

    frame: FrameIndex
    prompted: bool
    age: int = 0
    step: float = 0.0


@dataclass(frozen=True, slots=True)
class MemorySelection:
    """What a frame looks at. Objects of equal `layout` can go through the network together."""

    maps: tuple[Recollection, ...]
    pointers: tuple[Recollection, ...]

    @property
    def layout(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Ages of the maps and distances of the pointers."""
        return tuple(m.age for m in self.maps), tuple(p.step for p in self.pointers)


@dataclass(slots=True)
class MemoryBank:
    """One object's records by frame: prompted (conditioning) and merely tracked ones.

    Outdated frames were tracked from prompts that have been taken back since: their masks may still be shown,
    but nothing is recalled from them.
    """

    prompted: dict[FrameIndex, RecordKey] = field(default_factory=dict)
    tracked: dict[FrameIndex, RecordKey] = field(default_factory=dict)
    outdated: set[FrameIndex] = field(default_factory=set)

    def select(
        self, frame: FrameIndex, direction: Direction, policy: TrackingPolicy, reach: int, length: int
    ) -> MemorySelection:
        """Decide what `frame` looks at; see the function `select`."""
        prompted = [at for at in self.prompted if policy.recall_own_frame or at != frame]
        tracked = _Without(self.tracked, self.outdated)
        return select(frame, direction, prompted, tracked, policy, reach, length)

    def outdate(self, frame: FrameIndex, reach: int) -> None:
        """Stop recalling what was tracked from the prompt on `frame`.

        That is everything where it was the only one, and otherwise the `reach` frames on either side.
        """
        alone = self.prompted.keys() <= {frame}
        self.outdated |= {at for at in self.tracked if alone or abs(at - frame) <= reach}

    def at(self, frame: FrameIndex) -> RecordKey | None:
        """Return the frame's record, a prompted one first."""
        return self.prompted.get(frame, self.tracked.get(frame))


@dataclass(frozen=True, slots=True)
class _Without:
    """`whole` but for `gone`, never built: it would have as many members as the sequence has frames."""

    whole: Container[FrameIndex]
    gone: Container[FrameIndex]

    def __contains__(self, frame: object) -> bool:
        return frame in self.whole and frame not in self.gone


def select(
    frame: FrameIndex,
    direction: Direction,
    prompted: Collection[FrameIndex],
    tracked: Container[FrameIndex],
    policy: TrackingPolicy,
    reach: int,
    length: int,
) -> MemorySelection:
    """Choose the memories of one object for one frame.

    Parameters
    ----------
    frame, direction
        Where we are, and which way we go.
    prompted, tracked
        Frames that hold a memory, in the order in which they were added.
    policy
        Limits and stride.
    reach
        ``num_maskmem``: the newest prompted frames share the last row of the temporal code, `reach` - 1.
    length
        Frames in the sequence; a shorter one lets pointers reach less far.
    """
    near = _nearest_prompted(frame, prompted, policy.max_cond_frames_in_attn)
    spare = set(prompted) - set(near)

    def source(at: FrameIndex) -> bool | None:
        """Whether the unprompted memory at a frame is a spare prompted one; None if there is none."""
        if at in tracked:
            return False
        return True if at in spare else None

    maps = [Recollection(at, prompted=True, age=reach - 1) for at in near]
    step = direction.step
    for distance in range(reach - 1, 0, -1):
        at = _recent_frame(frame, distance, direction, policy.memory_temporal_stride_for_eval)
        kind = source(at)
        if kind is not None:
            maps.append(Recollection(at, prompted=kind, age=distance - 1))

    most = min(length, policy.max_obj_ptrs_in_encoder)
    longest = max(1, most - 1)  # a sequence of one frame would divide by zero
    pointers = []
    for at in near:
        elapsed = (frame - at) * step
        if elapsed >= 0 or not policy.only_obj_ptrs_in_the_past_for_eval:
            pointers.append(Recollection(at, prompted=True, step=elapsed / longest))
    for distance in range(1, most):
        at = frame - distance * step
        if not 0 <= at < length:
            break
        kind = source(at)
        if kind is not None:
            pointers.append(Recollection(at, prompted=kind, step=distance / longest))
    return MemorySelection(tuple(maps), tuple(pointers))


def _nearest_prompted(frame: FrameIndex, prompted: Collection[FrameIndex], most: int) -> list[FrameIndex]:
    if most == -1 or len(prompted) <= most:
        return list(prompted)
    before = [at for at in prompted if at < frame]
    after = [at for at in prompted if at >= frame]
    chosen = [max(before)] if before else []
    chosen += [min(after)] if after else []
    rest = sorted((at for at in prompted if at not in chosen), key=lambda at: abs(at - frame))
    return [*chosen, *rest][:most]


def _recent_frame(frame: FrameIndex, distance: int, direction: Direction, stride: int) -> FrameIndex:
    """Return the frame `distance` memory steps behind; all but the neighbour are multiples of `stride`."""
    if distance == 1:
        return frame - direction.step
    if direction is Direction.FORWARD:
        return (frame - 2) // stride * stride - (distance - 2) * stride
    return -(-(frame + 2) // stride) * stride + (distance - 2) * stride
