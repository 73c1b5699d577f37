"""What a user can do to objects as wholes: names, protection, merging, division."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from napari_sam2.errors import PromptError
from napari_sam2.imaging.cleanup import CleanUp, split
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import FrameIndex, MaskPrompt, ObjectId
from napari_sam2.session import commands
from napari_sam2.session.access import open_object
from napari_sam2.session.commands import Command
from napari_sam2.session.kept import KeptSession
from napari_sam2.session.objects import FrameMask
from napari_sam2.session.suggestion import SuggestedDivision
from napari_sam2.session.tidy import cleaned, to_clean, without_gaps


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

    def classify(self, object_id: ObjectId, name: str) -> None:
        """Say what an object is, in a word such as "mitotic"; an empty one takes its class away.

        Exports have it: the categories of COCO, and a column of the tables. What an object is split into has
        its class; daughters of a division have none, and merged objects have that of the one that stays.
        """
        self._do(commands.ClassifyObject(object_id, name.strip()))

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

    def clean(
        self,
        tool: CleanUp | str,
        object_ids: Collection[ObjectId] | None = None,
        frames: Collection[FrameIndex] | None = None,
        size: float | None = None,
    ) -> int:
        """Clean masks, in one step.

        Where an object was prompted, the cleaned mask is painted in the place of the prompt: it stays, and
        the object is followed from it. On other frames following again finds the mask anew. An object of
        which nothing is left is forgotten.

        Parameters
        ----------
        tool
            ``"fill holes"``, ``"keep largest"`` (piece), ``"smooth"``, ``"remove small"`` (pieces) or
            ``"remove border"``, which empties a mask that touches the edge of the image.
        object_ids
            Which objects; by default all that are neither hidden nor committed.
        frames
            Which frames; by default all.
        size
            In pixels: the area of the largest hole that is filled (any by default), the radius of smoothing
            (2), the area from which on pieces stay (20), the distance from the edge (0).

        Returns
        -------
        int
            How many masks changed; 0 is no step.

        Raises
        ------
        PromptError
            There is no such tool, object or frame, the object is committed, or the size makes no sense.
        """
        known = [one.value for one in CleanUp]
        if tool not in (*CleanUp, *known):
            raise PromptError(f"The tools are {', '.join(map(repr, known))}; got {tool!r}.")
        tool = CleanUp(tool)
        if object_ids is None:
            object_ids = [key for key, row in self.objects.items() if not (row.hidden or row.committed)]
        for number in object_ids:
            open_object(self._document, number)
        for frame in frames or ():
            self._check(frame)
        size = tool.usual if size is None else float(size)
        wanted = commands.Clean(
            tool,
            tuple(sorted({int(number) for number in object_ids})),
            None if frames is None else tuple(sorted({int(frame) for frame in frames})),
            None if size == inf and tool is CleanUp.FILL_HOLES else size,
        )
        masks = {place: self._document.read(place) for place in to_clean(wanted, self._document)}
        if not any(isinstance(mask, FrameMask) and cleaned(wanted, mask) for mask in masks.values()):
            return 0
        self._do(wanted)
        return sum(self._document.read(place) is not mask for place, mask in masks.items())

    def split(
        self,
        frame: FrameIndex,
        object_id: ObjectId,
        stroke: Sequence[tuple[float, float]],
        others: Sequence[ObjectId] | None = None,
    ) -> tuple[ObjectId, ...]:
        """Cut an object on a frame along a stroke.

        Every part becomes a painted mask there; `propagate` follows the parts from it. On other frames the
        object stays whole.

        Parameters
        ----------
        frame, object_id
            Which mask.
        stroke
            Points (y, x), two or more. What does not quite reach through is drawn out straight.
        others
            Numbers of the new objects, largest part first; free ones by default. The largest part of all
            stays the object.

        Returns
        -------
        tuple of int
            The new objects.

        Raises
        ------
        PromptError
            The object has no mask there, it is committed, or the stroke does not cut it.
        """
        self._check(frame)
        points = tuple((float(y), float(x)) for y, x in stroke)
        if others is None:
            open_object(self._document, object_id)
            mask = self._document.masks_of(object_id).get(frame)
            parts = 2 if mask is None else len(split(mask.runs.decode(), points))
            first = max(self.objects, default=0) + 1
            others = range(first, first + parts - 1)
        new = tuple(int(number) for number in others)
        self._do(commands.Split(int(frame), int(object_id), new, points))
        return new

    def relabel(self, numbers: Mapping[ObjectId, ObjectId] | None = None) -> dict[ObjectId, ObjectId]:
        """Give objects other numbers, the values of labels.

        A stopped propagation cannot be gone on with afterwards. What `effort` counted stays with the numbers
        that the objects had.

        Parameters
        ----------
        numbers
            By the old ones; two may change places. By default objects are numbered from 1 on without gaps, in
            their order, around committed ones, which keep theirs.

        Returns
        -------
        dict
            The new numbers that differ, by the old ones; where there are none, that is no step.

        Raises
        ------
        PromptError
            There is no such object, it is committed, or a number is taken.
        """
        if numbers is None:
            numbers = without_gaps(self.objects)
        changed = {int(old): int(new) for old, new in numbers.items() if old != new}
        if changed:
            self._do(commands.Relabel(tuple(changed), tuple(changed.values())))
        return changed

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
