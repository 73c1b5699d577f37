"""Writing results beside everything else: with progress, and so that it can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from psygnal import Signal, SignalGroup

from napari_sam2.io.export import export_results
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.io.results import Results


class _Stopped(Exception):
    """Somebody changed their mind."""


class ExportEvents(SignalGroup):
    """How it goes; emitted in the main thread.

    Attributes
    ----------
    progress
        (frames written, of how many).
    done
        (path): it is there, whole.
    stopped
        Nothing was written.
    failed
        (error).
    """

    progress = Signal(int, int)
    done = Signal(Path)
    stopped = Signal()
    failed = Signal(Exception)


class Exporting:
    """Writes one result at a time, in a thread of its own.

    Parameters
    ----------
    on_progress, on_done, on_stopped, on_failed
        Told in the main thread.
    """

    def __init__(
        self,
        on_progress: Callable[[int, int], object],
        on_done: Callable[[Path], object],
        on_stopped: Callable[[], object],
        on_failed: Callable[[BaseException], object],
    ) -> None:
        self.events = ExportEvents()
        self.events.progress.connect(on_progress, thread="main")
        self.events.done.connect(on_done, thread="main")
        self.events.stopped.connect(on_stopped, thread="main")
        self.events.failed.connect(on_failed, thread="main")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being written."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, results: Results, path: Path, kind: ExportKind | None, overwrite: bool) -> None:
        """Write results, a snapshot that nobody changes any more."""
        self._stop.clear()
        given = (results, path, kind, overwrite)
        self._thread = threading.Thread(
            target=self._write, args=given, name="napari-sam2 export", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop at the next frame; what was there before stays."""
        self._stop.set()

    def _write(self, results: Results, path: Path, kind: ExportKind | None, overwrite: bool) -> None:
        def count(frame: int) -> None:
            if self._stop.is_set():
                raise _Stopped
            self.events.progress.emit(frame, results.shape[0])

        try:
            self.events.done.emit(export_results(results, path, kind, overwrite, count))
        except _Stopped:
            self.events.stopped.emit()
        except Exception as error:
            self.events.failed.emit(error)
