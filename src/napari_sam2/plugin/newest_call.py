"""Short calls off the GUI thread, of which only the newest matters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Signal


class NewestCall(QObject):
    """Makes one call at a time; of those that wait only the newest is made.

    The thread ends when nothing waits, and never keeps the program from ending.

    Parameters
    ----------
    on_result, on_error
        Told in the GUI thread how a call ended.
    rest
        Seconds between the end of a call and the next one.
    parent
        What it lives as long as.
    """

    _ended = Signal(int, object, object)

    def __init__(
        self,
        on_result: Callable[[Any], object],
        on_error: Callable[[Exception], object],
        rest: float = 0.0,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._on_result = on_result
        self._on_error = on_error
        self._rest = rest
        self._lock = threading.Lock()
        self._next: tuple[int, Callable[[], Any]] | None = None
        self._running = False
        self._epoch = 0
        self._ended.connect(self._tell)

    def ask(self, call: Callable[[], Any]) -> None:
        """Have a call made soon, in place of one that still waits."""
        with self._lock:
            self._next = (self._epoch, call)
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._work, name="napari-sam2 panel", daemon=True).start()

    def forget(self) -> None:
        """Tell nobody about calls that were asked for so far."""
        with self._lock:
            self._next = None
            self._epoch += 1

    def _work(self) -> None:
        while True:
            with self._lock:
                asked, self._next = self._next, None
                if asked is None:
                    self._running = False
                    return
            epoch, call = asked
            result, failure = None, None
            try:
                result = call()
            except Exception as error:
                failure = error
            # The widget may be gone by now, and there is nobody to tell.
            with suppress(RuntimeError):
                self._ended.emit(epoch, result, failure)
            # What a call holds must not live on while nothing is asked for.
            del asked, call, result, failure
            time.sleep(self._rest)

    def _tell(self, epoch: int, result: Any, failure: Exception | None) -> None:
        if epoch != self._epoch:
            return
        if failure is not None:
            self._on_error(failure)
        else:
            self._on_result(result)
