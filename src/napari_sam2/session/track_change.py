"""How a step changed what the tracker remembers of one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_sam2.inference.track_state import ObjectTrack, TrackState
from napari_sam2.prompts import FrameIndex, ObjectId

_Table = dict[FrameIndex, Any]
_GONE = object()


@dataclass(frozen=True, slots=True, eq=False)
class TrackCopy:
    """An object's tables at one moment; the values in them never change."""

    track: ObjectTrack | None
    ordered: tuple[_Table, ...] = ()
    large: tuple[_Table, ...] = ()

    @classmethod
    def of(cls, state: TrackState, object_id: ObjectId) -> TrackCopy:
        """Copy the tables, not what is in them."""
        track = state.objects.get(object_id)
        if track is None:
            return cls(None)
        return cls(track, tuple(map(dict, _ordered(track))), (*map(dict, _large(track)), _outdated(track)))


@dataclass(frozen=True, slots=True, eq=False)
class TrackChange:
    """The difference of two copies; `undo` and `redo` apply it in either sense.

    Tables whose order counts (the network looks at prompted frames in the order in which they were added) are
    kept whole, which is little; of those that have an entry a frame, only the entries that differ.
    """

    object_id: ObjectId
    before: TrackCopy
    after: TrackCopy

    @classmethod
    def between(cls, object_id: ObjectId, before: TrackCopy, after: TrackCopy) -> TrackChange:
        """Keep of two copies what differs."""
        if before.track is not after.track:
            # The object came or went as a whole, its tables with it.
            return cls(object_id, TrackCopy(before.track), TrackCopy(after.track))
        was, now = [], []
        for old, new in zip(before.large, after.large, strict=True):
            keys = [key for key in old.keys() | new.keys() if old.get(key, _GONE) is not new.get(key, _GONE)]
            was.append({key: old.get(key, _GONE) for key in keys})
            now.append({key: new.get(key, _GONE) for key in keys})
        return cls(
            object_id,
            TrackCopy(before.track, before.ordered, tuple(was)),
            TrackCopy(after.track, after.ordered, tuple(now)),
        )

    def undo(self, state: TrackState) -> None:
        """Bring back what was before."""
        _apply(state, self.object_id, self.before)

    def redo(self, state: TrackState) -> None:
        """Bring back what was after."""
        _apply(state, self.object_id, self.after)


def _apply(state: TrackState, object_id: ObjectId, copy: TrackCopy) -> None:
    track = copy.track
    if track is None:
        state.objects.pop(object_id, None)
        return
    state.objects[object_id] = track
    for table, whole in zip(_ordered(track), copy.ordered, strict=False):
        table.clear()
        table.update(whole)
    if not copy.large:
        return
    *tables, outdated = copy.large
    for table, changed in zip(_large(track), tables, strict=True):
        for key, value in changed.items():
            if value is _GONE:
                table.pop(key, None)
            else:
                table[key] = value
    for frame, value in outdated.items():
        if value is _GONE:
            track.bank.outdated.discard(frame)
        else:
            track.bank.outdated.add(frame)


def _ordered(track: ObjectTrack) -> tuple[_Table, ...]:
    return track.prompts, track.bank.prompted, track.fresh_prompted, track.fresh_tracked


def _large(track: ObjectTrack) -> tuple[_Table, ...]:
    return track.bank.tracked, track.passed


def _outdated(track: ObjectTrack) -> _Table:
    return dict.fromkeys(track.bank.outdated, True)
