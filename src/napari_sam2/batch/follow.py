"""A part of a sequence through the tracker, visit by visit; what a killed run had done is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from napari_sam2.batch.job import Job, Part
from napari_sam2.batch.journal import Entry, Found, Journal, Mask
from napari_sam2.batch.memories import Memories, Place
from napari_sam2.batch.plan import ObjectPrompt
from napari_sam2.batch.route import Life, Needed, Visit, lives, reach, route
from napari_sam2.batch.starting import births_in
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.embeddings import FrameSource
from napari_sam2.inference.frame_result import FrameResult
from napari_sam2.inference.records import RecordKey
from napari_sam2.inference.shortage import give_back, is_shortage, shortage
from napari_sam2.inference.track_state import ObjectTrack
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.model.sam2 import SAM2

SYNC_SECONDS = 2.0
"""Work reaches the disk itself so often: a power failure costs no more, and a killed process nothing."""


class Follower:
    """Follows the objects of one part.

    Parameters
    ----------
    job, part
        What is followed.
    prompts
        On frames of the part, counted from its first one.
    frames, intensity
        The part's pixels, and how they are seen.
    model
        The network.
    at_once
        Objects that go through it together, until memory runs out.

    Attributes
    ----------
    route : tuple of Visit
        All visits, of this and of earlier runs.
    before : int
        How many an earlier run had finished.
    at_once : int
        Objects that go through the network together now.

    Raises
    ------
    StorageError
        The journal cannot be read or written.
    """

    def __init__(
        self,
        job: Job,
        part: Part,
        prompts: tuple[ObjectPrompt, ...],
        frames: FrameSource,
        intensity: IntensityMap,
        model: SAM2,
        at_once: int,
    ) -> None:
        self.at_once = at_once
        self._job, self._part, self._prompts = job, part, prompts
        self._model = model
        length = len(frames)
        self._lives: tuple[Life, ...] = lives(
            ((one.object_id, one.frame) for one in prompts), births_in(job, part), length
        )
        self.route = route(self._lives, length, job.settings.way)
        self._painted = {
            (one.object_id, one.frame): one.prompt.mask.mask for one in prompts if one.prompt.mask is not None
        }
        distance = reach(job.settings.policy, model.config.num_maskmem)
        self._needed = Needed(self.route, self._lives, distance)
        self._tracker = self._new_tracker()
        self._state = self._tracker.start(frames, intensity)
        self.journal = Journal(job.journal(part), head_of(job, part))
        self._memories = Memories(job.memories(part))
        self._synced = time.monotonic()
        self._device = model.device
        self.before = self._go_on()

    @torch.inference_mode()
    def run(self, on_visit: Callable[[int, int], object] = lambda done, total: None) -> None:
        """Do all visits that are left.

        Parameters
        ----------
        on_visit
            Told how many are done, of how many.

        Raises
        ------
        MemoryShortage
            Memory is not enough even with one object at a time.
        Sam2Error
            A frame cannot be read or seen; what is done stays done.
        """
        on_visit(self.before, len(self.route))
        if not len(self.journal):
            self._begin()
        for number in range(self.before, len(self.route)):
            visit = self.route[number]
            result = self._within_memory(partial(self._visit, visit))
            self._keep(number, visit, result)
            on_visit(number + 1, len(self.route))
        self._sync(len(self.route))

    def close(self) -> None:
        """Give files and memory back; what is done stays on disk."""
        self.journal.close()
        self._state.records.close()

    def _new_tracker(self) -> VideoTracker:
        return VideoTracker(self._model, replace(self._job.settings.policy, objects_at_once=self.at_once))

    def _begin(self) -> None:
        """Give the prompts to the tracker, and keep what it makes of them."""
        for one in self._prompts:
            self._within_memory(partial(self._ask, one))
        # Following for no frame at all makes the prompts count.
        self._within_memory(lambda: list(self._tracker.propagate(self._state, 0, length=0)))
        records: dict[Place, RecordKey] = {
            (number, frame): record
            for number, track in self._state.objects.items()
            for frame, record in track.bank.prompted.items()
        }
        self._memories.prune(())
        self.journal.append(Entry(-1, (), self._memories.write(None, records, self._state.records)))

    def _ask(self, one: ObjectPrompt) -> None:
        # On its own: the tracker would bring all objects of the frame to the size of the image.
        track = self._state.objects.setdefault(one.object_id, ObjectTrack())
        alone = replace(self._state, objects={one.object_id: track})
        said = one.prompt
        self._tracker.prompt(alone, one.frame, one.object_id, said.clicks, said.box, said.mask)

    def _visit(self, visit: Visit) -> FrameResult:
        state = replace(self._state, objects={i: self._state.objects[i] for i in visit.object_ids})
        (result,) = self._tracker.propagate(state, visit.frame, 1, visit.direction)
        return result

    def _keep(self, number: int, visit: Visit, result: FrameResult) -> None:
        """Write a finished visit down, first what is remembered, then what was found."""
        found = self._found(result)
        records = {
            (i, visit.frame): record
            for i in visit.object_ids
            if (record := self._state.objects[i].bank.tracked.get(visit.frame)) is not None
        }
        checksum = self._memories.write(number, records, self._state.records)
        self.journal.append(Entry(visit.frame + self._part.start, found, checksum))
        self._forget(number + 1)
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self._sync(number + 1)

    def _found(self, result: FrameResult) -> tuple[Found, ...]:
        logits = result.logits.cpu().numpy()
        masks: list[Mask] = list(logits > 0)
        for row, number in enumerate(result.object_ids):
            painted = self._painted.get((number, result.frame))
            if painted is not None:  # what came from elsewhere stays as it came, and keeps its pixels
                masks[row] = np.asarray(painted, dtype=bool)
                logits[row] = np.where(masks[row], np.inf, -np.inf)
        winner = logits.argmax(axis=0)
        return tuple(
            Found.of(number, round(float(result.scores[row]), 4), masks[row], winner == row)
            for row, number in enumerate(result.object_ids)
        )

    def _forget(self, done: int) -> None:
        """Drop what no visit to come looks at, so that memory does not grow with the sequence."""
        needed = self._needed.frames(done)
        for track in self._state.objects.values():
            for frame in [at for at in track.bank.tracked if at not in needed]:
                self._state.drop(track.bank.tracked, frame)
            for frame in [at for at in track.masklet.masks if at not in needed]:
                track.masklet.clear(frame)
            for frame in [at for at in track.passed if at not in needed]:
                del track.passed[frame]

    def _sync(self, done: int) -> None:
        """Bring everything to the disk; only then may older memories go."""
        needed = self._visits_to(done)
        self._memories.sync(needed)
        self.journal.sync()
        self._memories.prune(needed)
        self._synced = time.monotonic()

    def _visits_to(self, done: int) -> set[int]:
        """Return the numbers of those finished visits whose memories are looked at from visit `done` on."""
        needed = self._needed.frames(done)
        return {number for number in range(done) if self.route[number].frame in needed}

    def _go_on(self) -> int:
        """Bring the tracker to where an earlier run was, and return how many visits are finished."""
        if not self._recall_prompts():
            return 0
        done = len(self.journal) - 1
        while done:
            missing = next((n for n in sorted(self._visits_to(done)) if not self._recall(n)), None)
            if missing is None:
                break
            done = missing  # a power failure: everything up to there was on the disk
        self.journal.cut(done + 1)
        return done

    def _recall_prompts(self) -> bool:
        """Put back what the tracker made of the prompts; where that is lost, all begins anew."""
        if not len(self.journal):
            return False
        records = self._memories.read(None, self.journal[0].checksum, self._state.records, self._device)
        if records is None:
            self.journal.cut(0)
            return False
        for one in self._prompts:
            track = self._state.objects.setdefault(one.object_id, ObjectTrack())
            track.prompts[one.frame] = one.prompt
        for (number, frame), record in records.items():
            self._state.objects[number].bank.prompted[frame] = record
        return True

    def _recall(self, number: int) -> bool:
        visit, entry = self.route[number], self.journal[number + 1]
        records = self._memories.read(number, entry.checksum, self._state.records, self._device)
        if records is None:
            return False
        for (object_id, frame), record in records.items():
            self._state.put(self._state.objects[object_id].bank.tracked, frame, record)
        for one in entry.found:
            track = self._state.objects[one.object_id]
            track.passed[visit.frame] = visit.direction
            track.masklet.set(visit.frame, one.pixels(self._state.shape), one.score)
        return True

    def _within_memory(self, act: Callable[[], Any]) -> Any:
        """Do something; where memory runs out, again with half as many objects at a time."""
        while True:
            try:
                return act()
            except Exception as error:
                if not is_shortage(error):
                    raise
                if self.at_once == 1:
                    raise shortage(self._device) from error.with_traceback(None)
            self.at_once //= 2
            self._tracker = self._new_tracker()
            self._state.embeddings.clear()
            give_back(self._device)


def head_of(job: Job, part: Part) -> dict[str, Any]:
    """Return what the entries of a part's journal depend on."""
    return {"fingerprint": job.fingerprint(), "part": asdict(part), "torch": str(torch.__version__)}
