"""A lesson in a thread of its own, that can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import QObject, Signal

from napari_sam2.plugin.lessons import Lesson, Moment

Work = Callable[[Callable[[Moment], object]], Lesson]
# How often progress is shown, in seconds.
TOLD_EVERY = 0.2


class _Stopped(Exception):
    """The user does not want it any more."""


class Teaching(QObject):
    """Has one lesson at a time.

    Parameters
    ----------
    parent
        What it lives as long as.
    """

    progressed = Signal(object)
    """(Moment)"""
    done = Signal(object)
    """(Lesson)"""
    failed = Signal(object)
    """(exception)"""
    stopped = Signal()
    """The thread has come to its end after `cancel`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()

    @property
    def running(self) -> bool:
        """Whether a lesson is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Work) -> None:
        """Begin a lesson; only when none is under way."""
        if self.running:
            return
        self._cancelled = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(work, self._cancelled), name="napari-sam2 training", daemon=True
        )
        self._thread.start()

    def cancel(self) -> None:
        """Stop after the step that it is at; nothing is written."""
        self._cancelled.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, and return whether it has come."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.running

    def _work(self, work: Work, cancelled: threading.Event) -> None:
        told = 0.0
        last = ""

        def tell(moment: Moment) -> None:
            nonlocal told, last
            if cancelled.is_set():
                raise _Stopped
            now = time.monotonic()
            if now - told > TOLD_EVERY or moment.text != last:
                told, last = now, moment.text
                self.progressed.emit(moment)

        # The dock may be gone when it ends.
        with suppress(RuntimeError):
            try:
                lesson = work(tell)
            except _Stopped:
                self.stopped.emit()
            except Exception as error:
                self.failed.emit(error)
            else:
                self.done.emit(lesson)
