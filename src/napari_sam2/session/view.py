"""What a session shows."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from napari_sam2.errors import PromptError
from napari_sam2.inference.embeddings import FrameSource
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.prompts import FrameIndex, ObjectId, PromptSet
from napari_sam2.session.access import known_object
from napari_sam2.session.commands import Command, Propagate
from napari_sam2.session.confidence import Confidence, Doubt, confidences
from napari_sam2.session.document import Document
from napari_sam2.session.events import SessionEvents
from napari_sam2.session.labels import flatten
from napari_sam2.session.ledger import Ledger
from napari_sam2.session.lineage import Division
from napari_sam2.session.objects import FrameMask, SessionObject
from napari_sam2.session.suggestion import SuggestedDivision, suggest_divisions


class SessionView:
    """Everything that can be read from a session, from any thread: what is returned is a copy.

    Parameters
    ----------
    ledger
        Where it stands.

    Attributes
    ----------
    events
        What changes: `SessionEvents`.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.events: SessionEvents = ledger.events

    @property
    def _document(self) -> Document:
        return self._ledger.document

    @property
    def frames(self) -> FrameSource:
        """The image as frames, (T, H, W) or (T, H, W, C)."""
        return self._ledger.engine.frames

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W); the number of frames is ``len(session)``."""
        height, width = self.frames.shape[1:3]
        return height, width

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def policy(self) -> TrackingPolicy:
        """Switches of the tracker."""
        return self._ledger.engine.policy

    @property
    def objects(self) -> Mapping[ObjectId, SessionObject]:
        """The object table."""
        return MappingProxyType(dict(self._document.objects))

    @property
    def lineage(self) -> Mapping[ObjectId, Division]:
        """Mother and first frame of every daughter."""
        return MappingProxyType(dict(self._document.divisions))

    @property
    def steps(self) -> tuple[Command, ...]:
        """What was done and not undone; carried out again, it gives the same masks."""
        return tuple(self._document.steps)

    @property
    def unfinished(self) -> Propagate | None:
        """What is left of a propagation that was stopped."""
        return self._document.unfinished

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return self._ledger.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return self._ledger.history.can_redo

    def prompts(self, object_id: ObjectId) -> Mapping[FrameIndex, PromptSet]:
        """Return an object's prompts by frame.

        Raises
        ------
        PromptError
            There is no such object.
        """
        known_object(self._document, object_id)
        return MappingProxyType(dict(self._document.prompts_of(object_id)))

    def masks(self, object_id: ObjectId) -> Mapping[FrameIndex, FrameMask]:
        """Return an object's masks by frame, hidden or not, overlapping others or not.

        Raises
        ------
        PromptError
            There is no such object.
        """
        known_object(self._document, object_id)
        return MappingProxyType(dict(self._document.masks_of(object_id)))

    def labels(self, frame: FrameIndex) -> np.ndarray[Any, Any]:
        """Return the labels of a frame; 0 outside, object ids inside.

        Where objects overlap, the pixel goes to the committed one; between equals to a painted mask, then to
        the higher score, then to the lower id. Hidden objects are left out.

        Returns
        -------
        numpy.ndarray
            (H, W) uint16, or uint32 where an object id needs it.

        Raises
        ------
        PromptError
            There is no such frame.
        """
        self._check(frame)
        return flatten(self._document, frame, self.shape)

    def confidence(self, object_id: ObjectId) -> dict[FrameIndex, Confidence]:
        """Return how far an object can be trusted on every frame that it has a mask on.

        Raises
        ------
        PromptError
            There is no such object.
        """
        return confidences(self.masks(object_id), self.prompts(object_id))

    def next_worst_frame(
        self,
        object_ids: Collection[ObjectId] | None = None,
        below: float = 1.0,
        seen: Collection[Doubt] = (),
    ) -> Doubt | None:
        """Return the object and frame that deserve a look most: of the least confidence.

        Parameters
        ----------
        object_ids
            Which objects to look at; by default all that are neither hidden nor committed.
        below
            Confidence from which on nothing is worth a look.
        seen
            What was looked at and found good.

        Returns
        -------
        Doubt or None
            None where nothing is in doubt. Between equals, the earliest frame.
        """
        if object_ids is None:
            object_ids = [key for key, row in self.objects.items() if not (row.hidden or row.committed)]
        known = {(doubt.object_id, doubt.frame) for doubt in seen}
        doubts = [
            Doubt(number, frame, confidence.value)
            for number in object_ids
            for frame, confidence in self.confidence(number).items()
            if not confidence.prompted and confidence.value < below and (number, frame) not in known
        ]
        return min(doubts, key=lambda doubt: (doubt.value, doubt.frame, doubt.object_id), default=None)

    def look_at(self, frame: FrameIndex) -> Generator[FrameIndex]:
        """Encode a frame and its neighbours ahead, so that a first click on them is answered sooner.

        Parameters
        ----------
        frame
            What is on the screen.

        Returns
        -------
        iterator of int
            Each encoded frame: this one, then those up to two away, as far as they fit into
            `TrackingPolicy.embedding_bytes` together. Closing it stops.

        Raises
        ------
        PromptError
            There is no such frame.
        """
        self._check(frame)
        near = (frame + step for step in (0, 1, -1, 2, -2))
        for done, at in enumerate((at for at in near if 0 <= at < len(self)), 1):
            with self._ledger.lock:
                room = self._ledger.engine.encode(at)
            yield at
            if done >= room:
                return

    def suggested_divisions(
        self, object_ids: Collection[ObjectId] | None = None
    ) -> tuple[SuggestedDivision, ...]:
        """Return where objects seem to divide, by frames: see `suggest_divisions`.

        Parameters
        ----------
        object_ids
            Which objects to look at; by default all that are neither hidden nor committed. Those that divide
            already are left out.

        Raises
        ------
        PromptError
            There is no such object.
        """
        if object_ids is None:
            object_ids = [key for key, row in self.objects.items() if not (row.hidden or row.committed)]
        mothers = {division.mother for division in self.lineage.values()}
        single = [number for number in object_ids if number not in mothers]
        found = [one for number in single for one in suggest_divisions(number, self.masks(number))]
        return tuple(sorted(found, key=lambda one: (one.frame, one.mother)))

    def _check(self, frame: FrameIndex) -> None:
        if not 0 <= frame < len(self):
            raise PromptError(
                f"There is no frame {frame}: the sequence has {len(self)}, numbered 0 to {len(self) - 1}."
            )
