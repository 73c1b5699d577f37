"""One thread that does what a session is asked for, the urgent first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from napari_sam2.prompts import Box, Click, FrameIndex, ObjectId, PromptSet
from napari_sam2.session.session import Session


class Outcome(Enum):
    """How a request ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(slots=True, eq=False)
class Ticket:
    """A request, and what becomes of it.

    Attributes
    ----------
    name
        What was asked for, in a word.
    future
        The result, or the error where it failed; cancelled where the request was superseded, or cancelled
        before it began. The result of a propagation is how many frames it went over, to its end or not.
    outcome
        None as long as it is not done.
    """

    name: str
    future: Future[Any] = field(default_factory=Future)
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """Something short, done at once."""

    ticket: Ticket
    call: Callable[[Session], Any]


@dataclass(slots=True, eq=False)
class _Walk:
    """A propagation, done frame by frame."""

    ticket: Ticket
    begin: Callable[[Session], Iterator[Any]]
    frames: Iterator[Any] | None = None
    count: int = 0

    def step(self, session: Session) -> bool:
        """Go one frame further; return whether there was one."""
        if self.frames is None:
            self.frames = self.begin(session)
        if next(self.frames, None) is None:
            return False
        self.count += 1
        return True

    def stop(self) -> None:
        """Stop where it is."""
        if isinstance(self.frames, Generator):
            self.frames.close()


@dataclass(frozen=True, slots=True, eq=False)
class _Prompt:
    frame: FrameIndex
    object_id: ObjectId
    given: PromptSet
    replace: bool

    def __call__(self, session: Session) -> Any:
        given = self.given
        return session.prompt(
            self.frame, self.object_id, given.clicks, given.box, given.mask, replace=self.replace
        )

    def instead_of(self, older: _Prompt) -> _Prompt | None:
        """Return the one prompt that says what `older` and this one say in turn; None where there is none."""
        if (self.frame, self.object_id) != (older.frame, older.object_id):
            return None
        if self.replace or self.given.mask is not None:
            return self
        if older.given.mask is not None:
            return None
        both = PromptSet((*older.given.clicks, *self.given.clicks), self.given.box or older.given.box)
        return replace(self, given=both, replace=older.replace)


class Worker:
    """Owns a session: from now on all changes go through here, and reading is safe from any thread.

    Prompts and other short requests go ahead of a propagation, between two of its frames; among each other
    they keep their order. A prompt on an object and frame for which another still waits takes that one's
    clicks along, and the two cost one look of the network. A propagation waits for the one before.

    Parameters
    ----------
    session
        Its events are emitted in the worker's thread; psygnal's ``connect(..., thread="main")`` brings them
        elsewhere.
    deliver
        Called with every ticket, whatever its outcome, once it is done; in the worker's thread, or in that of
        whoever cancelled or superseded what still waited.
    """

    def __init__(self, session: Session, deliver: Callable[[Ticket], object] = lambda ticket: None) -> None:
        self.session = session
        self._deliver = deliver
        self._wake = threading.Condition()
        self._urgent: list[_Call] = []
        self._patient: list[_Walk] = []
        self._walk: _Walk | None = None
        self._stop = self._closing = False
        self._thread = threading.Thread(target=self._work, name="napari-sam2 worker", daemon=True)
        self._thread.start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def busy(self) -> bool:
        """Whether a propagation is under way or waiting."""
        with self._wake:
            return self._walk is not None or bool(self._patient)

    def prompt(
        self,
        frame: FrameIndex,
        object_id: ObjectId,
        clicks: Sequence[Click] = (),
        box: Box | None = None,
        mask: Any = None,
        replace: bool = False,
    ) -> Ticket:
        """Ask for `Session.prompt`; the result is the mask, bool (H, W).

        Raises
        ------
        PromptError
            A mask came together with clicks or a box.
        """
        given = PromptSet(tuple(clicks), box, mask)
        prompt = _Prompt(frame, object_id, given, replace)
        older: Ticket | None = None
        with self._wake:
            # Only with the last one that waits: what came between may depend on the earlier ones.
            before = self._urgent[-1].call if self._urgent else None
            joined = prompt.instead_of(before) if isinstance(before, _Prompt) else None
            if joined is not None:
                prompt, older = joined, self._urgent.pop().ticket
            ticket = self._queue(self._urgent, _Call(Ticket("prompt"), prompt))
        if older is not None:
            self._finish(older, Outcome.SUPERSEDED)
        return ticket

    def do(self, call: Callable[[Session], Any], name: str = "change") -> Ticket:
        """Ask for anything short, such as ``lambda session: session.merge(1, [2])``."""
        return self._queue(self._urgent, _Call(Ticket(name), call))

    def undo(self) -> Ticket:
        """Ask for `Session.undo`; a propagation that is under way is cancelled first."""
        self.cancel()
        return self.do(lambda session: session.undo(), "undo")

    def redo(self) -> Ticket:
        """Ask for `Session.redo`; a propagation that is under way is cancelled first."""
        self.cancel()
        return self.do(lambda session: session.redo(), "redo")

    def propagate(self, *args: Any, **options: Any) -> Ticket:
        """Ask for `Session.propagate`; the session's events tell of every frame."""
        walk = _Walk(Ticket("propagate"), lambda session: session.propagate(*args, **options))
        return self._queue(self._patient, walk)

    def resume(self) -> Ticket:
        """Ask for `Session.resume`."""
        return self._queue(self._patient, _Walk(Ticket("resume"), lambda session: session.resume()))

    def cancel(self) -> None:
        """Stop the propagation after its current frame, which stays, and forget those that wait."""
        with self._wake:
            waiting, self._patient = self._patient, []
            self._stop = self._walk is not None
            self._wake.notify()
        for job in waiting:
            self._finish(job.ticket, Outcome.CANCELLED)

    def close(self) -> None:
        """Cancel everything, and end the thread after what it is at."""
        self.cancel()
        with self._wake:
            waiting, self._urgent = self._urgent, []
            self._closing = True
            self._wake.notify()
        for job in waiting:
            self._finish(job.ticket, Outcome.CANCELLED)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _queue(self, queue: list[Any], job: _Call | _Walk) -> Ticket:
        with self._wake:
            closed = self._closing
            if not closed:
                queue.append(job)
                self._wake.notify()
        if closed:
            self._finish(job.ticket, Outcome.CANCELLED)
        return job.ticket

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._urgent or self._patient or self._walk)
                job: _Call | _Walk
                stopped = self._walk if self._stop or self._closing else None
                if stopped is not None:
                    job, self._walk, self._stop = stopped, None, False
                elif self._closing:
                    return
                elif self._urgent:
                    job = self._urgent.pop(0)
                else:
                    job = self._walk = self._walk or self._patient.pop(0)
            if isinstance(job, _Call):
                self._do(job)
            elif stopped is not None:
                job.stop()
                self._finish(job.ticket, Outcome.CANCELLED, job.count)
            else:
                self._step(job)

    def _do(self, job: _Call) -> None:
        if not job.ticket.future.set_running_or_notify_cancel():
            self._finish(job.ticket, Outcome.CANCELLED)
            return
        try:
            result = job.call(self.session)
        except Exception as error:
            self._finish(job.ticket, Outcome.FAILED, error)
        else:
            self._finish(job.ticket, Outcome.COMPLETED, result)

    def _step(self, walk: _Walk) -> None:
        future = walk.ticket.future
        value: int | Exception | None
        if not (future.running() or future.set_running_or_notify_cancel()):
            ending, value = Outcome.CANCELLED, None
        else:
            try:
                if walk.step(self.session):
                    return
                ending, value = Outcome.COMPLETED, walk.count
            except Exception as error:
                ending, value = Outcome.FAILED, error
        with self._wake:
            self._walk, self._stop = None, False
        self._finish(walk.ticket, ending, value)

    def _finish(self, ticket: Ticket, outcome: Outcome, value: Any = None) -> None:
        ticket.outcome = outcome
        if ticket.future.cancelled() or not ticket.future.running():
            ticket.future.cancel()
        elif outcome is Outcome.FAILED:
            ticket.future.set_exception(value)
        else:
            ticket.future.set_result(value)
        try:
            self._deliver(ticket)
        except Exception as error:
            self.session.events.failed.emit(error)
