"""What a user can do to objects as wholes: names, protection, merging, division."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import FrameIndex, MaskPrompt, ObjectId
from napari_sam2.session import commands
from napari_sam2.session.commands import Command
from napari_sam2.session.kept import KeptSession
from napari_sam2.session.suggestion import SuggestedDivision


class ObjectTable(KeptSession):
    """The object table of a session and the verbs that change it; `Session` adds prompts and propagation."""

    def add(self, name: str | None = None, object_id: ObjectId | None = None) -> ObjectId:
        """Begin a new object and return its id; ids count from 1."""
        number = max(self.objects, default=0) + 1 if object_id is None else object_id
        self._do(commands.AddObject(number, name or f"Object {number}"))
        return number

    def rename(self, object_id: ObjectId, name: str) -> None:
        """Call an object something else."""
        self._do(commands.RenameObject(object_id, name))

    def hide(self, object_id: ObjectId, hidden: bool = True) -> None:
        """Leave an object out of the labels, or show it again."""
        self._do(commands.HideObject(object_id, hidden))

    def commit(self, object_id: ObjectId) -> None:
        """Protect an object: nothing changes it any more, and it keeps its pixels where others overlap it."""
        self._do(commands.CommitObject(object_id, True))

    def reopen(self, object_id: ObjectId) -> None:
        """Allow changes to a committed object."""
        self._do(commands.CommitObject(object_id, False))

    def delete(self, object_id: ObjectId) -> None:
        """Forget an object, its prompts, masks and divisions."""
        self._do(commands.DeleteObject(object_id))

    def merge(self, object_id: ObjectId, others: Sequence[ObjectId]) -> None:
        """Give the pixels of other objects to this one, on every frame, and forget them.

        On frames on which one of them was prompted the whole becomes a painted mask, so that propagation
        follows the whole from there.
        """
        self._do(commands.MergeObjects(object_id, tuple(others)))

    def divide(
        self,
        frame: FrameIndex,
        mother: ObjectId,
        daughters: Sequence[ObjectId],
        masks: Sequence[np.ndarray[Any, Any] | RunLengths] = (),
    ) -> None:
        """Note a division.

        Parameters
        ----------
        frame
            The first one on which the daughters are apart. The mother ends before it; a daughter begins with
            it. What they have beyond is taken away, and propagation keeps to it.
        mother, daughters
            Objects; daughters that are not there yet are added.
        masks
            What each daughter looks like on that frame, (H, W), as if it had been painted; none by default.
        """
        self._do(commands.Divide(frame, mother, tuple(daughters), tuple(map(runs_of_mask, masks))))

    def accept_division(self, suggestion: SuggestedDivision) -> tuple[ObjectId, ObjectId]:
        """Divide an object as `suggested_divisions` says, in one step, and return the two new objects.

        What the mother had from that frame on is taken away; `propagate` follows the daughters.
        """
        first = max(self.objects, default=0) + 1
        self.divide(suggestion.frame, suggestion.mother, (first, first + 1), suggestion.pieces)
        return first, first + 1

    def _do(self, command: Command) -> None:
        # Counted first, so that what is written down about the step has it.
        take_back = self._effort.note(command)
        try:
            self._ledger.do(command)
        except BaseException:
            take_back()
            raise


def runs_of_mask(mask: np.ndarray[Any, Any] | MaskPrompt | RunLengths) -> RunLengths:
    """Return a mask (H, W), set where it is above 0, as run lengths."""
    if isinstance(mask, RunLengths):
        return mask
    pixels = np.asarray(mask.mask if isinstance(mask, MaskPrompt) else mask)
    return RunLengths.encode(MaskPrompt(pixels > 0).mask)
