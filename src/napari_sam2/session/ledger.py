"""The one place where a session changes: steps are carried out, remembered, undone, saved and announced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np

from napari_sam2.prompts import FrameIndex, ObjectId
from napari_sam2.session.carry_out import carry_out, followed
from napari_sam2.session.commands import (
    AddObject,
    ClassifyObject,
    Command,
    CommitObject,
    HideObject,
    Propagate,
    RenameObject,
)
from napari_sam2.session.document import Change, Document, Kind, Place
from napari_sam2.session.draft import Draft
from napari_sam2.session.engine import Engine
from napari_sam2.session.events import SessionEvents
from napari_sam2.session.history import Edit, History
from napari_sam2.session.objects import FrameMask, SessionObject
from napari_sam2.session.region import Region, joined
from napari_sam2.session.step_note import StepNote

Changes = Mapping[Place, Change]

# What is told to the object table alone: the engine need not be awake for it.
_OF_THE_TABLE = AddObject | RenameObject | ClassifyObject | HideObject | CommitObject

Given = ParamSpec("Given")
Found = TypeVar("Found")


def _alone(
    method: Callable[Concatenate[Ledger, Given], Found],
) -> Callable[Concatenate[Ledger, Given], Found]:
    """Let no other thread change the ledger meanwhile."""

    def locked(ledger: Ledger, /, *given: Given.args, **named: Given.kwargs) -> Found:
        with ledger.lock:
            return method(ledger, *given, **named)

    locked.__doc__ = method.__doc__
    return locked


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of going to a frame: objects that the leak guard stopped there."""

    stopped: tuple[ObjectId, ...]


class Ledger:
    """Owns the document and its history; threads that change it wait for each other, a frame at the most.

    Parameters
    ----------
    document
        What is there already; it is changed in place.
    engine
        Asked for masks.
    history
        What can be undone.
    events
        Told about every change.
    cold
        Whether the engine knows nothing yet of what the document's steps made it remember.
    """

    def __init__(
        self, document: Document, engine: Engine, history: History, events: SessionEvents, cold: bool = False
    ) -> None:
        self.document = document
        self.engine = engine
        self.history = history
        self.events = events
        engine.on_halved = events.halved.emit
        self.on_note: Callable[[StepNote], None] | None = None
        self.lock = threading.RLock()
        self._cold = cold
        self._draft: Draft | None = None
        self._propagation: Propagate | None = None
        self._run: object = None

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo; a propagation under way is one."""
        return self._propagation is not None or self.history.can_undo

    @_alone
    def begin_run(self) -> object:
        """Return the name of a new propagation; another that was under way ends with it."""
        self.seal()
        self._run = object()
        return self._run

    def runs(self, run: object) -> bool:
        """Whether a propagation is still the one that is under way."""
        return self._run is run

    @_alone
    def do(self, command: Command) -> None:
        """Carry out a command, whole or not at all; a propagation that is under way is a step of its own."""
        self.seal()
        if isinstance(command, Propagate):
            self._repeat(command)
            return
        if not isinstance(command, _OF_THE_TABLE):
            self.warm()
        draft = Draft(self.document)
        try:
            carry_out(command, self.engine, draft)
        except BaseException:
            draft.discard()
            raise
        edit = draft.seal(command)
        self.document.steps.append(command)
        self.history.push(edit, self.engine.records)
        self._tell(edit.changes, StepNote(edit.changes, 0, command, self.document.unfinished))

    @_alone
    def visit(self, frame: FrameIndex, wanted: Propagate, rest: Propagate | None) -> Visit | None:
        """Follow objects onto one frame.

        Parameters
        ----------
        frame
            The next one.
        wanted
            Which objects, which way.
        rest
            What is unfinished afterwards.

        Returns
        -------
        Visit or None
            None where there was no object to follow.
        """
        step, length = wanted.direction.step, len(self.engine.frames)
        chosen = [
            number
            for number in wanted.object_ids
            if followed(self.document, number, frame, step, wanted.from_first, length)
        ]
        if not chosen:
            return None
        self.warm()
        first = self._propagation is None
        draft = self._draft = self._draft or Draft(self.document)
        try:
            stopped = self.engine.visit(draft, frame, chosen, wanted.direction)
        except BaseException:
            if first:
                self._draft = None
                draft.discard()
            self.seal()
            raise
        if self._propagation is None:
            command = replace(wanted, start=frame, stop=frame)
            self.document.steps.append(command)
        else:
            command = replace(self._propagation, stop=frame)
            self.document.steps[-1] = command
        self._propagation = command
        rest = rest and without(rest, stopped)
        self.document.unfinished = rest
        places = [Place(Kind.MASK, number, frame) for number in chosen]
        changes = {place: draft.changes[place] for place in places if place in draft.changes}
        self._tell(changes, StepNote(changes, 0 if first else 1, command, rest))
        for object_id in stopped:
            self.events.stopped.emit(object_id, frame)
        return Visit(stopped)

    @_alone
    def seal(self) -> None:
        """Make a step of the frames that a propagation has been over so far."""
        draft, command = self._draft, self._propagation
        self._draft = self._propagation = None
        if draft is not None and command is not None:
            self.history.push(draft.seal(command), self.engine.records)

    @_alone
    def undo(self) -> Command | None:
        """Take back the newest step and return it, None where there is none; a propagation ends."""
        self._run = None
        self.seal()
        edit = self.history.undo()
        if edit is None:
            return None
        for track in edit.tracks:
            track.undo(self.engine.state)
        back = {place: Change(change.after, change.before) for place, change in edit.changes.items()}
        self._apply(back)
        self.document.steps.pop()
        if isinstance(edit.command, Propagate):
            self.document.unfinished = None
        self._tell(back, StepNote(back, 1, None, self.document.unfinished))
        return edit.command

    @_alone
    def redo(self) -> Command | None:
        """Do again what was undone last and return it, None where there is nothing; a propagation ends."""
        self._run = None
        self.seal()
        edit: Edit | None = self.history.redo(self.engine.records)
        if edit is None:
            return None
        for track in edit.tracks:
            track.redo(self.engine.state)
        self._apply(edit.changes)
        self.document.steps.append(edit.command)
        self._tell(edit.changes, StepNote(edit.changes, 0, edit.command, self.document.unfinished))
        return edit.command

    @_alone
    def warm(self) -> None:
        """Let the engine remember what it did when the session was saved, by doing all of it again."""
        if not self._cold:
            return
        engine = self.engine
        again = engine.anew()
        ledger = Ledger(Document(), again, History(0), SessionEvents())
        total = len(self.document.steps)
        for done, step in enumerate(self.document.steps, 1):
            ledger.do(step)
            self.events.progress.emit(done, total)
        engine.state = again.state
        self._cold = False

    def _repeat(self, command: Propagate) -> None:
        total, wanted = len(command.frames), command
        for done, frame in enumerate(command.frames, 1):
            visit = self.visit(frame, wanted, None)
            self.events.progress.emit(done, total)
            wanted = without(wanted, visit.stopped if visit else ()) or wanted
        self.seal()

    def _apply(self, changes: Changes) -> None:
        for place, change in changes.items():
            self.document.write(place, change.after)

    def _tell(self, changes: Changes, note: StepNote) -> None:
        if self.on_note is not None:
            self.on_note(note)
        for frame, region in self._changed_labels(changes).items():
            self.events.labels_changed.emit(frame, region)
        if any(place.kind is not Kind.MASK for place in changes):
            self.events.objects_changed.emit()

    def _changed_labels(self, changes: Changes) -> dict[FrameIndex, Region]:
        """The region of each frame in which labels may differ now."""
        regions: dict[FrameIndex, Region] = {}

        def add(frame: FrameIndex, masks: Iterable[object]) -> None:
            covered = [Region.of(mask.runs) for mask in masks if isinstance(mask, FrameMask)]
            if (region := joined(regions.get(frame), *covered)) is not None:
                regions[frame] = region

        for place, change in changes.items():
            if place.kind is Kind.MASK and not _alike(change.before, change.after):
                add(place.frame, (change.before, change.after))
            elif place.kind is Kind.OBJECT and _looks(change.before) != _looks(change.after):
                for frame, mask in self.document.masks_of(place.object_id).items():
                    add(frame, (mask,))
        return regions


def without(propagation: Propagate, stopped: Collection[ObjectId]) -> Propagate | None:
    """Return a propagation of the other objects; None where there are none."""
    left = tuple(number for number in propagation.object_ids if number not in stopped)
    return replace(propagation, object_ids=left) if left else None


def _alike(one: object, other: object) -> bool:
    """Whether two masks come out alike in the labels, whatever they overlap."""
    return (
        isinstance(one, FrameMask)
        and isinstance(other, FrameMask)
        and (one.score, one.painted) == (other.score, other.painted)
        and np.array_equal(one.runs.counts, other.runs.counts)
    )


def _looks(row: object) -> tuple[bool, bool] | None:
    return (row.hidden, row.committed) if isinstance(row, SessionObject) else None
