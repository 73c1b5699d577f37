"""A step while it is being made."""

from __future__ import annotations

from napari_sam2.inference.track_state import TrackState
from napari_sam2.prompts import ObjectId
from napari_sam2.session.commands import Command
from napari_sam2.session.document import Change, Document, Place, Value
from napari_sam2.session.held_records import HeldRecords, RecordNotes
from napari_sam2.session.history import Edit
from napari_sam2.session.track_change import TrackChange, TrackCopy


class Draft:
    """Writes into a document and remembers what was there.

    Parameters
    ----------
    document
        Changed at once.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.changes: dict[Place, Change] = {}
        self._copies: dict[ObjectId, TrackCopy] = {}
        self._state: TrackState | None = None

    def write(self, place: Place, value: Value | None) -> None:
        """Put a value at a place, or take away what is there."""
        known = self.changes.get(place)
        before = known.before if known is not None else self.document.read(place)
        if before is None and value is None:
            self.changes.pop(place, None)
        else:
            self.changes[place] = Change(before, value)
        self.document.write(place, value)

    def touch(self, state: TrackState, object_id: ObjectId) -> None:
        """Announce that the tracker is going to change what it knows of an object."""
        self._state = state
        if object_id not in self._copies:
            self._copies[object_id] = TrackCopy.of(state, object_id)

    def seal(self, command: Command) -> Edit:
        """Return the finished step."""
        return Edit(command, dict(self.changes), self._tracks(), self._notes())

    def discard(self) -> None:
        """Take everything back."""
        for place, change in self.changes.items():
            self.document.write(place, change.before)
        if self._state is not None:
            for track in self._tracks():
                track.undo(self._state)
            records = self._state.records
            if isinstance(records, HeldRecords):
                records.release(records.take_notes().made)

    def _tracks(self) -> tuple[TrackChange, ...]:
        state = self._state
        if state is None:
            return ()
        return tuple(
            TrackChange.between(object_id, copy, TrackCopy.of(state, object_id))
            for object_id, copy in self._copies.items()
        )

    def _notes(self) -> RecordNotes:
        if self._state is None or not isinstance(self._state.records, HeldRecords):
            return RecordNotes()
        return self._state.records.take_notes()
