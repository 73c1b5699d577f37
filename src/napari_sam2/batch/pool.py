"""Who does the work: this process, workers on this machine, or a Dask cluster."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from napari_sam2.batch.job import Task
from napari_sam2.batch.outcome import Note, Outcome
from napari_sam2.batch.work import Retry, work
from napari_sam2.errors import Sam2Error, StorageError

Tell = Callable[[Note], object]
Answer = Outcome | Retry

GPU = "GPU"
"""The resource that pins tasks to GPUs: of a worker that has it, a task takes one whole."""

_TELL_SECONDS = 0.25


class Pool(Protocol):
    """Takes tasks, and gives answers in any order."""

    def submit(self, task: Task) -> None:
        """Add a task; that is possible between two answers as well."""

    def answers(self) -> Iterator[tuple[Task, Answer]]:
        """Yield tasks as they are done, until none is left."""

    def close(self) -> None:
        """Stop, whatever is left."""


class Here:
    """This process, one task after another.

    Parameters
    ----------
    tell
        Told of every finished frame.
    """

    def __init__(self, tell: Tell = lambda note: None) -> None:
        self._tell = tell
        self._waiting: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        """Add a task."""
        self._waiting.append(task)

    def answers(self) -> Iterator[tuple[Task, Answer]]:
        """Yield tasks as they are done."""
        while self._waiting:
            task = self._waiting.popleft()
            answer: Answer
            try:
                answer = work(task, self._tell)
            except Retry as again:
                answer = again
            yield task, answer

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()


class Cluster:
    """Workers of Dask, here or elsewhere; files have the same names for all of them.

    Parameters
    ----------
    tell
        Told of finished frames, a few times a second at most.
    address
        Of a scheduler; None to start workers on this machine.
    workers
        How many to start here. Each has a GPU of its own where there are any.
    patience
        Seconds until an address that does not answer is given up.

    Raises
    ------
    Sam2Error
        Dask is not installed.
    StorageError
        No scheduler answers at the address.
    """

    def __init__(
        self,
        tell: Tell = lambda note: None,
        address: str | None = None,
        workers: int = 1,
        patience: float = 30.0,
    ) -> None:
        try:
            import distributed as found
        except ImportError as error:
            raise Sam2Error(
                "Several workers need Dask: pip install 'napari-sam2[batch]', or go without --workers and "
                "--scheduler."
            ) from error
        distributed: Any = found  # its client has no types
        self._cluster = None if address is not None else _local(distributed, workers)
        try:
            self._client = distributed.Client(
                address or self._cluster, set_as_default=False, timeout=patience
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise StorageError(
                f"No Dask scheduler answers at {address} ({error}): check the address, and that it runs."
            ) from error
        self._topic = f"napari-sam2-{uuid.uuid4().hex}"
        self._client.subscribe_topic(self._topic, lambda event: tell(Note(*event[1])))
        self._completed = distributed.as_completed(loop=self._client.loop)
        self._tasks: dict[Any, Task] = {}
        about = self._client.scheduler_info(n_workers=-1)["workers"].values()
        self._resources = {GPU: 1} if any(GPU in one.get("resources", {}) for one in about) else {}

    def submit(self, task: Task) -> None:
        """Add a task."""
        part = "" if task.parts is None else f"-{'-'.join(str(one.number) for one in task.parts)}"
        future = self._client.submit(
            _on_a_worker,
            task,
            self._topic,
            key=f"sam2-{task.job.own.name}{part}-{uuid.uuid4().hex[:8]}",
            pure=False,
            resources=self._resources,
        )
        self._tasks[future] = task
        self._completed.add(future)

    def answers(self) -> Iterator[tuple[Task, Answer]]:
        """Yield tasks as they are done; one whose worker died is done as well.

        Raises
        ------
        StorageError
            The scheduler is gone.
        """
        for future in self._completed:
            task = self._tasks.pop(future)
            if future.status == "finished":
                yield task, future.result()
                continue
            error = future.exception() if future.status == "error" else None
            if error is None:
                raise StorageError(
                    "The Dask scheduler is gone, or it dropped the work. What is finished is kept: start it, "
                    "and run the same command again to go on."
                )
            if not isinstance(error, Retry):
                # KilledWorker: it died several times over this, most often for want of memory.
                error = Retry(f"The worker died or failed: {error}", smaller=True)
            yield task, error

    def close(self) -> None:
        """Take back what waits; what runs on another machine goes on, and a later run waits for it."""
        if self._client.status == "running":
            self._client.cancel(list(self._tasks))
            self._client.unsubscribe_topic(self._topic)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _on_a_worker(task: Task, topic: str) -> Outcome:
    """Work, and tell the client of it."""
    from distributed import get_worker

    worker = get_worker()
    told = -_TELL_SECONDS

    def tell(note: Note) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_SECONDS:
            told = time.monotonic()
            worker.log_event(topic, (note.name, note.part, note.done, note.total, note.worker))

    return work(task, tell)


def _local(distributed: Any, workers: int) -> Any:
    """Start workers on this machine: processes of one thread, which share cores, memory and GPUs evenly."""
    import torch

    cores = max(1, (os.cpu_count() or 1) // workers)
    gpus = torch.cuda.device_count()
    threads = {name: str(cores) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}

    def options(number: int) -> dict[str, Any]:
        pinned = {"CUDA_VISIBLE_DEVICES": _visible(number % gpus)} if gpus else {}
        return {
            "nthreads": 1,
            "memory_limit": distributed.system.MEMORY_LIMIT // workers,
            "resources": {GPU: 1} if gpus else {},
            "env": {**threads, **pinned},
            "silence_logs": logging.ERROR,
        }

    return distributed.SpecCluster(
        workers={i: {"cls": distributed.Nanny, "options": options(i)} for i in range(workers)},
        scheduler={
            "cls": distributed.Scheduler,
            "options": {"dashboard": False, "host": "127.0.0.1", "port": 0},
        },
        silence_logs=logging.ERROR,
    )


def _visible(number: int) -> str:
    """Return the name of a GPU, among those that this process may use itself."""
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[number] if number < len(named) else str(number)
