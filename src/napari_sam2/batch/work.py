"""What a worker does with a task: load the network once, follow, write, and answer whatever happens."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from napari_sam2.batch.follow import Follower
from napari_sam2.batch.job import Job, Part, Task
from napari_sam2.batch.outcome import Note, Outcome, Status
from napari_sam2.batch.output import write_output
from napari_sam2.batch.reading import Opened, opened
from napari_sam2.batch.starting import prompts_in
from napari_sam2.errors import MemoryShortage, Sam2Error
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.shortage import is_shortage
from napari_sam2.io import checkpoints
from napari_sam2.io.frames import Frames
from napari_sam2.io.output import failure
from napari_sam2.io.read_ahead import ReadAhead
from napari_sam2.model.digest import digest
from napari_sam2.model.families import tracking
from napari_sam2.model.sam2 import SAM2

Tell = Callable[[Note], object]


class Retry(Exception):
    """Something that may go well another time: `smaller` where memory was short."""

    def __init__(self, message: str, smaller: bool) -> None:
        super().__init__(message, smaller)
        self.message = message
        self.smaller = smaller


class _Networks:
    """The network of this process: loaded with the first task, and kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._name: tuple[str, str | None] | None = None
        self._model: SAM2 | None = None
        self._sha256 = ""

    def get(self, name: str, device: str | None) -> SAM2:
        with self._lock:
            if self._model is None or self._name != (name, device):
                self._model = None  # two would not fit where one just does
                model = tracking(checkpoints.load_model(name, device))
                self._model, self._name, self._sha256 = model, (name, device), digest(model)
            return self._model

    def sha256(self) -> str:
        return self._sha256

    def forget(self) -> None:
        with self._lock:
            self._model = None


networks = _Networks()


def work(task: Task, tell: Tell = lambda note: None) -> Outcome:
    """Do a task as far as it is not done yet.

    Parameters
    ----------
    task
        Which sequence, which parts of it.
    tell
        Told of every finished frame.

    Returns
    -------
    Outcome
        Also of what is wrong with the file: that is an answer, and no reason to try again.

    Raises
    ------
    Retry
        Memory was short, or something that nobody expected happened.
    """
    began = time.monotonic()
    job = task.job
    try:
        return _work(task, tell, began)
    except MemoryShortage as error:
        raise Retry(str(error), smaller=True) from None
    except Sam2Error as error:
        image, output = str(job.sequence.image), str(job.sequence.output)
        passed = time.monotonic() - began
        return Outcome(job.name, image, output, Status.FAILED, passed, worker=_here(), message=str(error))
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}, line {last.lineno}"
        raise Retry(f"{type(error).__name__}: {error} ({place})", is_shortage(error)) from None


def done_before(job: Job) -> Outcome | None:
    """Return what was written down of a finished sequence; None if it is not, or has changed since."""
    outcome = Outcome.read(job.marker, job.fingerprint())
    if outcome is None or not job.sequence.output.exists():
        return None
    return replace(outcome, status=Status.BEFORE, computed=0)


def _work(task: Task, tell: Tell, began: float) -> Outcome:
    job, settings = task.job, task.job.settings
    try:
        job.own.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(job.own, error) from error
    with (
        _alone(job, None if task.finish else task.parts),
        opened(job.sequence.image, settings.reading) as source,
    ):
        if (before := done_before(job)) is not None:
            return before
        model = networks.get(settings.model, settings.device)
        intensity = IntensityMap.for_frames(source.frames)
        parts = task.parts or (Part(0, 0, len(source.frames)),)
        computed, at_once = 0, task.at_once
        for part in () if task.finish and task.parts else parts:
            follower = _followed(job, part, source, intensity, model, at_once, tell)
            computed += len(follower.route) - follower.before
            at_once = follower.at_once
        outcome = Outcome(job.name, str(job.sequence.image), str(job.sequence.output), Status.RUNNING)
        if task.finish:
            outcome = write_output(job, parts, source, intensity, networks.sha256())
        passed = time.monotonic() - began
        outcome = replace(outcome, seconds=passed, computed=computed, at_once=at_once, worker=_here())
        if task.finish:
            # Before the journals go, and before anybody who waits for the same sequence may look.
            outcome.write(job.marker, job.fingerprint())
            _clear(job, parts)
        return outcome


def _followed(
    job: Job, part: Part, source: Opened, intensity: IntensityMap, model: SAM2, at_once: int, tell: Tell
) -> Follower:
    """Follow the objects of a part to the end; the next frames are read meanwhile."""
    whole = source.frames
    shape = (len(part.frames), *whole.shape[1:])
    prompts = prompts_in(job, part, whole.shape)
    here = _here()
    with ReadAhead(Frames(whole.name, shape, whole.dtype, lambda i: whole[part.start + i])) as frames:
        follower = Follower(job, part, prompts, frames, intensity, model, at_once)
        with contextlib.closing(follower):
            follower.run(lambda done, total: tell(Note(job.name, part.number, done, total, here)))
    return follower


def _clear(job: Job, parts: tuple[Part, ...]) -> None:
    """Take away what only an unfinished sequence needs."""
    for part in parts:
        with contextlib.suppress(OSError):
            job.journal(part).unlink(missing_ok=True)
        shutil.rmtree(job.memories(part), ignore_errors=True)


@contextmanager
def _alone(job: Job, parts: tuple[Part, ...] | None) -> Iterator[None]:
    """Wait until nobody else works on this: a task whose client was killed goes on to its end."""
    with contextlib.ExitStack() as stack:
        for lock in [job.lock(None)] if parts is None else [job.lock(part) for part in parts]:
            stack.enter_context(FileLock(lock, thread_local=False))
        yield


def _here() -> str:
    """Return the machine and the process."""
    return f"{platform.node()}:{os.getpid()}"
