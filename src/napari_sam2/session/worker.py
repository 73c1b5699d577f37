"""One thread that does what a session is asked for, the urgent first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any

from napari_sam2.prompts import Box, Click, FrameIndex, ObjectId, PromptSet
from napari_sam2.session.request import Call, PromptCall, Walk
from napari_sam2.session.session import Session
from napari_sam2.session.ticket import Outcome, Ticket

__all__ = ["Outcome", "Ticket", "Worker"]


class Worker:
    """Owns a session: from now on all changes go through here, and reading is safe from any thread.

    Prompts and other short requests go ahead of a propagation, between two of its frames; among each other
    they keep their order. A prompt on an object and frame for which another still waits takes that one's
    clicks along, and the two cost one look of the network. A propagation waits for the one before. While
    nothing else waits, the frames around the one that is looked at are encoded.

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
        self._urgent: list[Call] = []
        self._patient: list[Walk] = []
        self._walk: Walk | None = None
        self._stop = self._closing = False
        self._looked_at: FrameIndex | None = None
        self._gave_up = False
        self._ahead: Generator[FrameIndex] | None = None
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
        prompt = PromptCall(frame, object_id, given, replace)
        older: Ticket | None = None
        with self._wake:
            # Only with the last one that waits: what came between may depend on the earlier ones.
            before = self._urgent[-1].call if self._urgent else None
            joined = prompt.instead_of(before) if isinstance(before, PromptCall) else None
            if joined is not None:
                prompt, older = joined, self._urgent.pop().ticket
            ticket = self._queue(self._urgent, Call(Ticket("prompt"), prompt))
        if older is not None:
            self._finish(older, Outcome.SUPERSEDED)
        return ticket

    def do(self, call: Callable[[Session], Any], name: str = "change") -> Ticket:
        """Ask for anything short, such as ``lambda session: session.merge(1, [2])``."""
        return self._queue(self._urgent, Call(Ticket(name), call))

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
        walk = Walk(Ticket("propagate"), lambda session: session.propagate(*args, **options))
        return self._queue(self._patient, walk)

    def resume(self) -> Ticket:
        """Ask for `Session.resume`."""
        return self._queue(self._patient, Walk(Ticket("resume"), lambda session: session.resume()))

    def look_at(self, frame: FrameIndex) -> None:
        """Say which frame is on the screen: it and its neighbours are encoded while nothing else is to do.

        One frame at a time, and only the newest call counts. Where it fails, ``events.failed`` says so, and
        calls are ignored until a request has worked.
        """
        with self._wake:
            if not self._gave_up:
                self._looked_at = frame
                self._wake.notify()

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

    def _queue(self, queue: list[Any], job: Call | Walk) -> Ticket:
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
                self._wake.wait_for(
                    lambda: self._closing or self._urgent or self._patient or self._walk or self._idle_work
                )
                job: Call | Walk | None
                stopped = self._walk if self._stop or self._closing else None
                if stopped is not None:
                    job, self._walk, self._stop = stopped, None, False
                elif self._closing:
                    return
                elif self._urgent:
                    job = self._urgent.pop(0)
                elif self._walk or self._patient:
                    job = self._walk = self._walk or self._patient.pop(0)
                else:
                    job, looked_at, self._looked_at = None, self._looked_at, None
            if job is None:
                self._encode_ahead(looked_at)
            elif isinstance(job, Call):
                self._do(job)
            elif stopped is not None:
                job.stop()
                self._finish(job.ticket, Outcome.CANCELLED, job.count)
            else:
                self._step(job)

    @property
    def _idle_work(self) -> bool:
        return self._looked_at is not None or self._ahead is not None

    def _encode_ahead(self, looked_at: FrameIndex | None) -> None:
        """Encode one frame more; a frame that is looked at since then begins anew."""
        try:
            if looked_at is not None:
                self._ahead = self.session.look_at(looked_at)
            if self._ahead is not None and next(self._ahead, None) is None:
                self._ahead = None
        except Exception as error:
            self._ahead, self._gave_up = None, True
            self.session.events.failed.emit(error)

    def _do(self, job: Call) -> None:
        if not job.ticket.future.set_running_or_notify_cancel():
            self._finish(job.ticket, Outcome.CANCELLED)
            return
        try:
            result = job.call(self.session)
        except Exception as error:
            self._finish(job.ticket, Outcome.FAILED, error)
        else:
            self._finish(job.ticket, Outcome.COMPLETED, result)

    def _step(self, walk: Walk) -> None:
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
        self._gave_up = self._gave_up and outcome is not Outcome.COMPLETED
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
