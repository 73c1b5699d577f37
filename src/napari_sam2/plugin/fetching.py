"""A download in the background that can be stopped; what came is kept for the next time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_sam2.io.download import Progress

Fetch = Callable[..., Path]
# Progress is told so often, in seconds.
TOLD_EVERY = 0.1


class _Stopped(Exception):
    """The user does not want it any more."""


class Fetching(QObject):
    """Fetches one checkpoint at a time.

    Parameters
    ----------
    fetch
        Called with the name and ``progress=``, as `napari_sam2.io.registry.fetch`.
    parent
        What it lives as long as.
    """

    progressed = Signal(object, object)
    """(bytes there, bytes in all or None)"""
    done = Signal(str)
    """(name): it is on the disk."""
    failed = Signal(object)
    """(exception)"""

    _ended = Signal(object, str, object)
    _came = Signal(object, object, object)

    def __init__(self, fetch: Fetch, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._fetch = fetch
        self._current: object | None = None
        # A download that was stopped may hang at its server for a while; the next one waits for it, since two
        # must not write one file.
        self._turn = threading.Lock()
        self._ended.connect(self._end)
        self._came.connect(self._tell)

    @property
    def running(self) -> bool:
        """Whether something is being fetched."""
        return self._current is not None

    def start(self, name: str) -> None:
        """Fetch a checkpoint; another one is stopped."""
        self._current = mark = object()
        threading.Thread(
            target=self._work, args=(mark, name), name="napari-sam2 download", daemon=True
        ).start()

    def cancel(self) -> None:
        """Stop; what came is kept."""
        self._current = None

    def _work(self, mark: object, name: str) -> None:
        told = 0.0

        def tell(there: int, total: int | None) -> None:
            nonlocal told
            if self._current is not mark:
                raise _Stopped
            now = time.monotonic()
            if now - told > TOLD_EVERY:
                told = now
                self._came.emit(mark, there, total)

        failure: Exception | None = None
        progress: Progress = tell
        with self._turn:
            if self._current is not mark:
                return
            try:
                self._fetch(name, progress=progress)
            except _Stopped:
                return
            except Exception as error:
                failure = error
        # The panel may be gone by now.
        with suppress(RuntimeError):
            self._ended.emit(mark, name, failure)

    def _tell(self, mark: object, there: Any, total: Any) -> None:
        if mark is self._current:
            self.progressed.emit(there, total)

    def _end(self, mark: object, name: str, failure: Exception | None) -> None:
        if mark is not self._current:
            return
        self._current = None
        if failure is None:
            self.done.emit(name)
        else:
            self.failed.emit(failure)
