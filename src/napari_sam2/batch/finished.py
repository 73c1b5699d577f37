"""Finished parts as one: their objects joined by the frames they share, and everything as `Results`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from napari_sam2.batch.job import Job, Part
from napari_sam2.batch.journal import Found, Journal
from napari_sam2.inference.matching import match
from napari_sam2.prompts import FrameIndex, ObjectId

Labels = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]
Ids = dict[ObjectId, ObjectId]


def cut(length: int, frames: int, shared: int) -> tuple[Part, ...]:
    """Return the parts of a sequence: of so many frames each, as many of them shared with the next.

    The last one takes what would be too short to stand alone.
    """
    step = frames - shared
    count = max(1, -(-(length - shared) // step))
    starts = [number * step for number in range(count)]
    stops = [*(start + frames for start in starts[:-1]), length]
    return tuple(Part(i, start, stop) for i, (start, stop) in enumerate(zip(starts, stops, strict=True)))


def join(
    common: npt.NDArray[np.int64],
    before: Mapping[ObjectId, int],
    after: Mapping[ObjectId, int],
    overlap: float,
) -> Ids:
    """Decide which objects of two neighbours are the same.

    Parameters
    ----------
    common
        Pixels that an object of the former (rows) and one of the latter (columns) have in common on all
        shared frames together.
    before, after
        Pixels of each object there, in the order of rows and of columns.
    overlap
        The least IoU of two that are one.

    Returns
    -------
    dict
        The former's object for those of the latter that have one; the sum of IoUs is the highest possible.
    """
    own = np.array(list(before.values()), np.int64)[:, None]
    other = np.array(list(after.values()), np.int64)[None]
    iou = common / np.maximum(1, own + other - common)
    olds, news = list(before), list(after)
    return {news[column]: olds[row] for row, column in match(iou, overlap).items()}


class Finished:
    """What was found in all parts of a sequence, read from their journals frame by frame.

    Parameters
    ----------
    job, parts
        All of its parts, in their order; they are finished.
    shape
        (T, H, W).

    Attributes
    ----------
    objects : set of int
        Who was looked for.

    Raises
    ------
    StorageError
        A journal is missing or damaged.
    """

    def __init__(self, job: Job, parts: Sequence[Part], shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._parts = tuple(parts)
        with ExitStack() as stack:
            self._journals = [stack.enter_context(Journal(job.journal(part))) for part in parts]
            self._visits, looked_for = [], []
            for journal in self._journals:
                visits, objects = _index(journal)
                self._visits.append(visits)
                looked_for.append(objects)
            self._files = stack.pop_all()
        self._ids: list[Ids] = []
        self.objects: set[ObjectId] = set()
        settled = {one.object_id for one in job.sequence.prompts}
        for number, objects in enumerate(looked_for):
            # Who prompts belong to is said; who labels belong to is seen on the frames that parts share.
            chunks = job.settings.cut
            ids = self._joined(number, chunks.overlap) if number and chunks and not settled else {}
            for own in sorted(objects):
                if own not in ids:
                    taken = own in self.objects and own not in settled
                    ids[own] = max(self.objects) + 1 if taken else own
                self.objects.add(ids[own])
            self._ids.append(ids)

    @property
    def visits(self) -> int:
        """How often a frame went through the tracker."""
        return sum(len(journal) - 1 for journal in self._journals)

    def found(self, frame: FrameIndex) -> dict[ObjectId, Found]:
        """Return the objects of a frame; the former of two neighbours has the say, the latter may add."""
        all_found: dict[ObjectId, Found] = {}
        for number, part in enumerate(self._parts):
            if frame in part.frames:
                for one in self._of_part(number, frame):
                    all_found.setdefault(self._ids[number][one.object_id], one)
        return all_found

    def labels(self, frame: FrameIndex) -> Labels:
        """Return a frame's labels (H, W); who was found first keeps a pixel."""
        labels = np.zeros(self.shape[1:], np.uint32)
        for number, one in self.found(frame).items():
            labels[one.owned(self.shape[1:]) & (labels == 0)] = number
        return labels

    def masks(self, frame: FrameIndex) -> Iterator[tuple[ObjectId, Mask]]:
        """Yield the masks (H, W) of a frame in the order of ids; they may overlap."""
        for number, one in sorted(self.found(frame).items()):
            yield number, one.pixels(self.shape[1:])

    def confidence(self, frame: FrameIndex) -> dict[ObjectId, float]:
        """Return the scores of a frame."""
        return {number: one.score for number, one in self.found(frame).items()}

    def close(self) -> None:
        """Give the journals back."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _of_part(self, number: int, frame: FrameIndex) -> Iterator[Found]:
        for visit in self._visits[number].get(frame, ()):
            yield from self._journals[number][visit].found

    def _joined(self, number: int, overlap: float) -> Ids:
        """Return which objects of a part are known from the one before, by the frames that both have."""
        shape = self.shape[1:]
        before: dict[ObjectId, int] = {}
        after: dict[ObjectId, int] = {}
        common: dict[tuple[ObjectId, ObjectId], int] = {}
        for frame in sorted(set(self._parts[number - 1].frames) & set(self._parts[number].frames)):
            old = {
                self._ids[number - 1][o.object_id]: o.pixels(shape) for o in self._of_part(number - 1, frame)
            }
            new = {o.object_id: o.pixels(shape) for o in self._of_part(number, frame)}
            for table, masks in ((before, old), (after, new)):
                for one, mask in masks.items():
                    table[one] = table.get(one, 0) + int(mask.sum())
            for a, old_mask in old.items():
                for b, new_mask in new.items():
                    common[a, b] = common.get((a, b), 0) + int((old_mask & new_mask).sum())
        table_of = np.array([[common.get((a, b), 0) for b in after] for a in before], np.int64)
        return join(table_of.reshape(len(before), len(after)), before, after, overlap)


def _index(journal: Journal) -> tuple[dict[FrameIndex, list[int]], set[ObjectId]]:
    """Return the numbers of a journal's entries by frame, and who was looked for.

    The first entry is that of the prompts.
    """
    visits: dict[FrameIndex, list[int]] = {}
    objects: set[ObjectId] = set()
    for number in range(1, len(journal)):
        entry = journal[number]
        visits.setdefault(entry.frame, []).append(number)
        objects.update(one.object_id for one in entry.found)
    return visits, objects
