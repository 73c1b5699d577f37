"""Computations beside the main thread that are asked for often and done now and then."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar
from weakref import ref

from psygnal import Signal
from qtpy.QtCore import QTimer

T = TypeVar("T")


class Background(Generic[T]):
    """One computation at a time; what is asked for meanwhile is done once, afterwards.

    All methods are for the main thread, which has to run `psygnal.qt.start_emitting_from_queue`.

    Parameters
    ----------
    begin
        Called in the main thread; returns what to compute in the other one, or None for nothing.
    take
        Called in the main thread with the result.
    fail
        Called in the main thread with an error.
    pause_ms
        How long to wait before each computation, so that several wishes become one.
    """

    _done = Signal(object)

    def __init__(
        self,
        begin: Callable[[], Callable[[], T] | None],
        take: Callable[[T], object],
        fail: Callable[[BaseException], object],
        pause_ms: Callable[[], int],
    ) -> None:
        self._begin, self._take, self._fail, self._pause_ms = begin, take, fail, pause_ms
        self._thread = ThreadPoolExecutor(1, "napari-sam2 background")
        self._waiting = self._running = self._again = False
        # Neither the clock nor the queue keeps this alive, and no part of it is Qt's: garbage is collected in
        # whatever thread is at work, where nothing of Qt may end.
        me = ref(self)

        def start() -> None:
            found = me()
            if found is not None:
                found._start()

        def finish(done: Future[Any]) -> None:
            found = me()
            if found is not None:
                found._finish(done)

        self._wake = start
        self._done.connect(finish, thread="main")

    @property
    def idle(self) -> bool:
        """Whether nothing is asked for."""
        return not (self._waiting or self._running)

    def ask(self) -> None:
        """Say that the result may have changed."""
        if self._running:
            self._again = True
        elif not self._waiting:
            self._waiting = True
            QTimer.singleShot(self._pause_ms(), self._wake)

    def _start(self) -> None:
        self._waiting = False
        compute = self._begin()
        if compute is not None:
            self._running = True
            self._thread.submit(compute).add_done_callback(self._done.emit)

    def _finish(self, done: Future[Any]) -> None:
        self._running = False
        error = done.exception()
        if error is None:
            self._take(done.result())
        else:
            self._fail(error)
        if self._again:
            self._again = False
            self.ask()
