"""Remembered tensors that stay as long as undo may want them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from napari_sam2.inference.records import RecordStore


class HeldRecords(RecordStore):
    """A record store in which dropping is only a wish: what is dropped stays until it is released.

    The budget decides as ever what lies in memory and what waits in the file.

    Parameters
    ----------
    budget
        Bytes that may stay in memory.
    """

    def __init__(self, budget: int) -> None:
        super().__init__(budget)
        self._made: set[int] = set()
        self._dropped: set[int] = set()

    def put(self, *tensors: Tensor) -> int:
        """Keep copies of `tensors` and return the key that gives them back."""
        key = super().put(*tensors)
        self._made.add(key)
        return key

    def drop(self, key: int) -> None:
        """Note that nobody needs a record now."""
        self._dropped.add(key)

    def take_notes(self) -> RecordNotes:
        """Return what was made and dropped since the last call; what was both is released at once."""
        self.release(self._made & self._dropped)
        notes = RecordNotes(frozenset(self._made - self._dropped), frozenset(self._dropped - self._made))
        self._made, self._dropped = set(), set()
        return notes

    @property
    def notes(self) -> RecordNotes:
        """What was made and dropped since `take_notes`."""
        return RecordNotes(frozenset(self._made), frozenset(self._dropped))

    def back_to(self, notes: RecordNotes) -> None:
        """Release what was made since `notes` were read, and bring back what was dropped."""
        self.release(self._made - notes.made)
        self._made, self._dropped = set(notes.made), set(notes.dropped)

    def release(self, keys: Iterable[int]) -> None:
        """Forget records for good."""
        for key in keys:
            super().drop(key)

    def size(self, keys: Iterable[int]) -> int:
        """Return the bytes that records take."""
        return sum(self._layouts[key][1] for key in keys if key in self._layouts)


class RecordNotes:
    """Records that a step made, and records that it made superfluous."""

    __slots__ = ("dropped", "made")

    def __init__(self, made: frozenset[int] = frozenset(), dropped: frozenset[int] = frozenset()) -> None:
        self.made = made
        self.dropped = dropped
