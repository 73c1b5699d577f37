"""A batch looked through and carried out beside the window: what comes of it arrives as signals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_sam2.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam2.batch.apart import Apart, Order
    from napari_sam2.batch.plan import Plan

# How often frames of a sequence are told of, in seconds.
TOLD_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Row:
    """A sequence of the plan: by what name it is spoken of, where it is read and written, and how long it is.

    Attributes
    ----------
    frames
        None where it cannot be opened.
    """

    name: str
    image: Path
    output: Path
    frames: int | None


class BatchWork(QObject):
    """Does one batch at a time.

    Parameters
    ----------
    parent
        What it lives as long as.
    """

    checked = Signal(object)
    """(tuple of `Row`): nothing is wrong with the plan."""
    noted = Signal(object)
    """(Note)"""
    ended = Signal(object)
    """(Outcome)"""
    reported = Signal(object)
    """(Report): the end."""
    failed = Signal(object)
    """(exception): the end; a `PlanError` lists all that is wrong."""
    stopped = Signal()
    """The end after `stop`, or of a mere check."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._apart: Apart | None = None
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def start(self, plan: Callable[[], Plan], order: Callable[[Plan], Order], only_check: bool) -> None:
        """Begin; only when nothing is under way.

        Parameters
        ----------
        plan
            Reads the plan, in the other thread.
        order
            Says who carries it out; what it says of overwriting counts for the check, too.
        only_check
            Whether to stop when it is known what is wrong.
        """
        if self.running:
            return
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(plan, order, only_check), name="napari-sam2 batch", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop soon; what is finished stays."""
        with self._lock:
            self._stopping.set()
            if self._apart is not None:
                self._apart.stop()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, and return whether it has come."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.running

    def _work(self, plan: Callable[[], Plan], order: Callable[[Plan], Order], only_check: bool) -> None:
        # The dock may be gone when it ends.
        with suppress(RuntimeError):
            try:
                told = order(plan())
                self.checked.emit(_look_through(told))
                if not (only_check or self._stopping.is_set()):
                    self._carry_out(told)
                    return
            except Exception as error:
                self.failed.emit(error)
            else:
                self.stopped.emit()

    def _carry_out(self, order: Order) -> None:
        from napari_sam2.batch.apart import Apart, Report
        from napari_sam2.batch.outcome import Outcome

        try:
            order.plan.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{order.plan.folder} cannot be made ({error.strerror}): choose another folder."
            ) from error
        apart = Apart(order)
        try:
            with self._lock:
                self._apart = apart
                if self._stopping.is_set():
                    apart.stop()
            report = None
            told: dict[str, float] = {}
            for event in apart.events():
                if isinstance(event, Report):
                    report = event
                elif isinstance(event, Outcome):
                    self.ended.emit(event)
                elif time.monotonic() - told.get(event.name, 0.0) > TOLD_EVERY:
                    told[event.name] = time.monotonic()
                    self.noted.emit(event)
        finally:
            with self._lock:
                self._apart = None
            apart.close()
        if report is None:
            self.stopped.emit()
        else:
            self.reported.emit(report)


def _look_through(order: Order) -> tuple[Row, ...]:
    from napari_sam2.batch.check import check_plan, jobs_of

    shapes = check_plan(order.plan, order.overwrite)
    rows = [Row(job.name, job.sequence.image, job.sequence.output, None) for job in jobs_of(order.plan)]
    return tuple(replace(row, frames=shapes[row.image][0]) if row.image in shapes else row for row in rows)
