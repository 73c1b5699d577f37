"""Undo and redo, bounded in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_sam2.session.commands import Command
from napari_sam2.session.document import Change, Place, size_of
from napari_sam2.session.held_records import HeldRecords, RecordNotes
from napari_sam2.session.track_change import TrackChange

UNDO_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """One step: what the user asked for, and all that it changed."""

    command: Command
    changes: Mapping[Place, Change]
    tracks: tuple[TrackChange, ...] = ()
    records: RecordNotes = field(default_factory=RecordNotes)


class History:
    """Steps that can be undone, and undone ones that can be redone.

    Parameters
    ----------
    budget
        Bytes that what is kept for undo may take, tracking memories on disk included; older steps are
        forgotten, but the newest one can always be undone.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.nbytes = 0
        self._done: list[tuple[Edit, int]] = []
        self._undone: list[Edit] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._undone)

    def push(self, edit: Edit, records: HeldRecords | None) -> None:
        """Add a step; what was undone before it cannot be redone any more."""
        if records is not None:
            for gone in self._undone:
                records.release(gone.records.made)
        self._undone.clear()
        self._keep(edit, records)

    def undo(self) -> Edit | None:
        """Return the newest step, now an undone one; None where there is none."""
        if not self._done:
            return None
        edit, size = self._done.pop()
        self.nbytes -= size
        self._undone.append(edit)
        return edit

    def redo(self, records: HeldRecords | None) -> Edit | None:
        """Return the step that was undone last, now done again; None where there is none."""
        if not self._undone:
            return None
        edit = self._undone.pop()
        self._keep(edit, records)
        return edit

    def _keep(self, edit: Edit, records: HeldRecords | None) -> None:
        size = sum(size_of(change.before) + 64 for change in edit.changes.values())
        size += records.size(edit.records.dropped) if records is not None else 0
        self._done.append((edit, size))
        self.nbytes += size
        while self.nbytes > self.budget and len(self._done) > 1:
            gone, size = self._done.pop(0)
            self.nbytes -= size
            if records is not None:
                records.release(gone.records.dropped)
