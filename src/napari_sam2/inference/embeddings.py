"""Frames as the tracker sees them, and the encoded ones under a budget."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from napari_sam2.model.values import ImageEmbedding
from napari_sam2.prompts import FrameIndex


class FrameSource(Protocol):
    """A sequence of frames: an array, or anything that reads them one at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, H, W), or (T, H, W, C) in colour."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class EmbeddingShelf(Protocol):
    """Keeps embeddings for longer than memory does."""

    def embedding(self, image: np.ndarray[Any, Any], encode: Callable[[], ImageEmbedding]) -> ImageEmbedding:
        """Return the embedding of a frame's pixels; `encode` is called where it is not at hand."""


class EmbeddingCache:
    """The most recently used embeddings; at least one is kept.

    Parameters
    ----------
    budget
        Bytes that they may take.
    shelf
        Asked before a frame is encoded; None for none.
    """

    def __init__(self, budget: int, shelf: EmbeddingShelf | None = None) -> None:
        self.budget = budget
        self.shelf = shelf
        self.nbytes = 0
        self._kept: OrderedDict[FrameIndex, ImageEmbedding] = OrderedDict()

    def get(self, frame: FrameIndex) -> ImageEmbedding | None:
        """Return a frame's embedding if it is still here."""
        if frame in self._kept:
            self._kept.move_to_end(frame)
        return self._kept.get(frame)

    @property
    def room(self) -> int:
        """How many embeddings fit, going by those that are here; at least one."""
        return max(1, self.budget * len(self._kept) // self.nbytes) if self.nbytes else 1

    def put(self, frame: FrameIndex, embedding: ImageEmbedding) -> None:
        """Keep an embedding; the least recently used make room."""
        if (old := self._kept.pop(frame, None)) is not None:
            self.nbytes -= old.nbytes
        self._kept[frame] = embedding
        self.nbytes += embedding.nbytes
        while self.nbytes > self.budget and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self.nbytes -= gone.nbytes

    def clear(self) -> None:
        """Forget all of them; the shelf keeps its own."""
        self._kept.clear()
        self.nbytes = 0


def read_frame(frames: FrameSource, index: FrameIndex) -> np.ndarray[Any, Any]:
    """Read one frame (H, W) or (H, W, C) into memory, whatever array holds it."""
    return np.asarray(frames[index])
