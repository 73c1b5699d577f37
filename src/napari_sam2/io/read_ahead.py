"""Frames that are read before they are asked for."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy.typing as npt

from napari_sam2.errors import ImageError
from napari_sam2.io.frames import Frames

Array = npt.NDArray[Any]


class ReadAhead(Frames):
    """Frames whose next ones are decoded on a thread of their own while somebody works on the current one.

    It follows the direction of the last two reads, holds `ahead` frames at the most, and raises what goes
    wrong with a frame when that frame is asked for. Closing stops the thread, then closes the frames.

    Parameters
    ----------
    frames
        What is read; it belongs to this object from now on.
    ahead
        How many frames may wait, from 1.

    Raises
    ------
    ImageError
        `ahead` is less than 1.
    """

    def __init__(self, frames: Frames, ahead: int = 2) -> None:
        if ahead < 1:
            raise ImageError(f"ahead is {ahead}, but at least 1 frame is read ahead: give 1 or more.")
        super().__init__(frames.name, frames.shape, frames.dtype, self._take, self._stop)
        self._frames = frames
        self._ahead = ahead
        self._previous = -1
        self._waiting: dict[int, Future[Array]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")

    def _take(self, index: int) -> Array:
        step = -1 if index < self._previous else 1
        self._previous = index
        wanted = [i for i in range(index, index + step * (self._ahead + 1), step) if 0 <= i < len(self)]
        for i in [i for i in self._waiting if i not in wanted]:
            self._waiting.pop(i).cancel()
        for i in wanted:
            if i not in self._waiting:
                self._waiting[i] = self._thread.submit(self._frames.__getitem__, i)
        return self._waiting.pop(index).result()

    def _stop(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._waiting.clear()
        self._frames.close()
