"""Clips by the number of the step that they are for, so that a resumed run goes on with the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from napari_sam2.training.clips import Clip, ClipLoader, ClipSource
from napari_sam2.training.recordings import Recording

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


class SteppedSource(ClipSource):
    """Draws what belongs to a step: the same whatever was drawn before."""

    def at(self, seed: int, step: int, rank: int, batch: int) -> list[Clip]:
        """Return the clips of one step of one process."""
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, step, rank]))
        return [self.sample() for _ in range(batch)]


class StepClips:
    """Batches for any step; call it with the first step wanted.

    Parameters
    ----------
    recordings
        What to draw from.
    batch
        Clips a step.
    workers
        Background processes; 0 draws inline. The clips are the same for any number.
    seed, rank
        Together with the step they decide the clips.
    **source
        Of `ClipSource`: size, frames, max_objects, min_area, mix, lively.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        batch: int,
        workers: int = 0,
        seed: int = 0,
        rank: int = 0,
        **source: Any,
    ) -> None:
        self._batch, self._workers, self._key = batch, workers, (seed, rank)
        self._source = source
        self._recordings = recordings
        # Finds out at once whether there is anything to draw.
        SteppedSource(None, recordings=recordings, **source)  # type: ignore[arg-type]

    def __call__(self, step: int) -> Iterator[Batch]:
        """Yield the batches of `step` and all later ones."""
        feed = _Feed(self._recordings, self._batch, self._key, step, self._source)
        return _StepLoader(feed, self._workers, int(self._source.get("max_objects", 8)))


class _Feed(IterableDataset[list[Clip]]):
    """The steps of one worker: every n-th, which the loader interleaves again."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        batch: int,
        key: tuple[int, int],
        start: int,
        source: dict[str, Any],
    ) -> None:
        self._recordings, self._batch, self._key = recordings, batch, key
        self._start, self._source = start, source

    def __iter__(self) -> Iterator[list[Clip]]:
        info = torch.utils.data.get_worker_info()
        if info:
            torch.set_num_threads(1)
        source = SteppedSource(None, recordings=self._recordings, **self._source)  # type: ignore[arg-type]
        seed, rank = self._key
        step = self._start + (info.id if info else 0)
        while True:
            yield source.at(seed, step, rank, self._batch)
            step += info.num_workers if info else 1


class _StepLoader(ClipLoader):
    """A `ClipLoader` that is fed whole batches in a fixed order."""

    def __init__(self, feed: _Feed, workers: int, objects: int) -> None:
        self._objects = objects
        forked = "fork" in torch.multiprocessing.get_all_start_methods()
        self._batches = iter(
            DataLoader(
                feed,
                batch_size=None,
                num_workers=workers,
                collate_fn=self._collate,
                multiprocessing_context="fork" if forked and workers else None,
                prefetch_factor=4 if workers else None,
            )
        )
