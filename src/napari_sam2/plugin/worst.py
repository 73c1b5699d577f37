"""Going from one doubtful mask to the next."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from psygnal import Signal

from napari_sam2.session.confidence import Doubt
from napari_sam2.session.session import Session


class WorstFrames:
    """Finds the mask most in doubt in a thread of its own; asked again, the next one.

    Parameters
    ----------
    show
        Told in the main thread which it is; None where nothing is in doubt any more.
    """

    _found = Signal(object)

    def __init__(self, show: Callable[[Doubt | None], object]) -> None:
        self._show = show
        self._seen: list[Doubt] = []
        self._thread = ThreadPoolExecutor(1, "napari-sam2 doubts")
        self._asked: Future[Doubt | None] | None = None
        self._found.connect(self._take, thread="main")

    def ask(self, session: Session) -> None:
        """Look for the next one, unless that is under way."""
        if self._asked is None:
            seen = tuple(self._seen)
            self._asked = self._thread.submit(lambda: session.next_worst_frame(seen=seen))
            self._asked.add_done_callback(self._found.emit)

    def begin_again(self, *_: object) -> None:
        """Forget which ones were looked at: masks have changed."""
        self._seen.clear()

    def close(self) -> None:
        """Ask no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _take(self, asked: Future[Doubt | None]) -> None:
        self._asked = None
        if asked.cancelled():
            return
        doubt = asked.result()
        if doubt is None:
            self._seen.clear()
        else:
            self._seen.append(doubt)
        self._show(doubt)
