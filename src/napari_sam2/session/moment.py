"""What the tracker knows of some objects, to go back to."""

from __future__ import annotations

from collections.abc import Iterable

from napari_sam2.inference.track_state import TrackState
from napari_sam2.prompts import ObjectId
from napari_sam2.session.held_records import HeldRecords
from napari_sam2.session.track_change import TrackChange, TrackCopy


class Moment:
    """One moment of a tracker's memory.

    Parameters
    ----------
    state
        The memory, in the midst of a step or not.
    object_ids
        The objects that may change until it is gone back to.
    """

    def __init__(self, state: TrackState, object_ids: Iterable[ObjectId]) -> None:
        self._state = state
        self._copies = {object_id: TrackCopy.of(state, object_id) for object_id in object_ids}
        records = state.records
        self._notes = records.notes if isinstance(records, HeldRecords) else None

    def restore(self) -> None:
        """Make it as if nothing had happened since."""
        for object_id, copy in self._copies.items():
            TrackChange.between(object_id, copy, TrackCopy.of(self._state, object_id)).undo(self._state)
            if copy.track is not None:
                # Masks pass through here on their way to the document; none belongs to a step that broke off.
                copy.track.masklet.masks.clear()
                copy.track.masklet.scores.clear()
        records = self._state.records
        if self._notes is not None and isinstance(records, HeldRecords):
            records.back_to(self._notes)
