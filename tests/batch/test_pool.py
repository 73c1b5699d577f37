"""Tasks and answers: trying again, GPUs, and what happens to those that break a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from napari_sam2.batch import pool as pools
from napari_sam2.batch.job import Task
from napari_sam2.batch.outcome import Outcome, Status
from napari_sam2.batch.pool import Answer, Cluster
from napari_sam2.batch.run import run_batch
from napari_sam2.batch.work import Retry
from napari_sam2.errors import StorageError
from tests.batch.conftest import Folder, table_plan


class Scripted:
    """Gives the answers of a list, whatever the task."""

    def __init__(self, *answers: Answer | Status) -> None:
        self._answers = list(answers)
        self._waiting: list[Task] = []
        self.seen: list[int] = []

    def submit(self, task: Task) -> None:
        self._waiting.append(task)

    def answers(self) -> Iterator[tuple[Task, Answer]]:
        while self._waiting:
            task = self._waiting.pop(0)
            self.seen.append(task.at_once)
            answer = self._answers.pop(0)
            if isinstance(answer, Status):
                answer = Outcome(task.job.name, "image", "output", answer)
            yield task, answer

    def close(self) -> None:
        pass


SHORT, SHAKY = Retry("full", smaller=True), Retry("gone", smaller=False)


@pytest.mark.parametrize(
    ("answers", "at_once", "status"),
    [
        ((SHORT, SHORT, Status.DONE), [8, 4, 2], Status.DONE),
        ((SHAKY, SHORT, Status.DONE), [8, 8, 4], Status.DONE),
        ((SHORT, SHORT, SHORT), [8, 4, 2], Status.FAILED),
        ((Status.FAILED,), [8], Status.FAILED),
    ],
)
def test_trying_again(
    folder: Folder, weights: Path, answers: tuple[Any, ...], at_once: list[int], status: Status
) -> None:
    pool = Scripted(*answers)
    (outcome,) = run_batch(table_plan(folder(1), weights), pool)
    assert pool.seen == at_once
    assert outcome.status is status
    if SHORT in answers[2:]:
        assert outcome.message == "full (tried 3 times)"


def test_each_sequence_has_its_own_tries(folder: Folder, weights: Path) -> None:
    pool = Scripted(SHAKY, SHAKY, SHAKY, SHAKY, Status.DONE, Status.DONE)
    found = run_batch(table_plan(folder(2), weights), pool)
    assert [one.status for one in found] == [Status.DONE] * 2


@pytest.mark.parametrize(
    ("gpus", "visible", "wanted"),
    [(0, None, [None, None, None]), (2, None, ["0", "1", "0"]), (2, "3,GPU-7", ["3", "GPU-7", "3"])],
)
def test_each_worker_has_a_gpu_of_its_own(
    monkeypatch: pytest.MonkeyPatch, gpus: int, visible: str | None, wanted: list[str | None]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    stand_in = SimpleNamespace(
        Nanny=object,
        Scheduler=object,
        SpecCluster=lambda **options: options,
        system=SimpleNamespace(MEMORY_LIMIT=3000),
    )
    workers = pools._local(stand_in, 3)["workers"]
    options = [workers[number]["options"] for number in range(3)]
    assert [one["env"].get("CUDA_VISIBLE_DEVICES") for one in options] == wanted
    assert [one["resources"] for one in options] == [{"GPU": 1} if gpus else {}] * 3
    assert {one["memory_limit"] for one in options} == {1000}


@pytest.fixture
def threads() -> Iterator[Any]:
    """A scheduler and a worker with a GPU to its name, as threads of this process."""
    distributed = pytest.importorskip("distributed", reason="Dask's scheduler is not installed")
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        resources={"GPU": 1},
    ) as cluster:
        yield cluster


def test_tasks_are_pinned_to_gpus_where_workers_have_some(
    folder: Folder, weights: Path, threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[Any] = []
    pool = Cluster(notes.append, threads.scheduler_address)
    asked: list[Any] = []
    submit = pool._client.submit

    def watched(*args: Any, **options: Any) -> Any:
        asked.append(options["resources"])
        return submit(*args, **options)

    monkeypatch.setattr(pool._client, "submit", watched)
    try:
        (outcome,) = run_batch(table_plan(folder(1), weights), pool)
    finally:
        pool.close()
    assert outcome.status is Status.DONE
    assert asked == [{"GPU": 1}]
    assert notes and notes[0].name == "movie00.tif"


def test_what_breaks_on_a_worker_is_tried_smaller_and_then_told(
    folder: Folder, weights: Path, threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(task: Task, topic: str) -> Outcome:
        raise SystemError(f"gone with {task.at_once}")

    monkeypatch.setattr(pools, "_on_a_worker", broken)
    pool = Cluster(address=threads.scheduler_address)
    try:
        (outcome,) = run_batch(table_plan(folder(1), weights), pool, retries=1)
    finally:
        pool.close()
    assert outcome.status is Status.FAILED
    assert outcome.message == "The worker died or failed: gone with 4 (tried 2 times)"


def test_work_that_the_scheduler_drops(
    folder: Folder, weights: Path, threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Cluster(address=threads.scheduler_address)
    submit = pool.submit

    def dropped(task: Task) -> None:
        submit(task)
        pool._client.cancel(list(pool._tasks), force=True)

    monkeypatch.setattr(pool, "submit", dropped)
    try:
        with pytest.raises(StorageError, match="run the same command again"):
            run_batch(table_plan(folder(1), weights), pool)
    finally:
        pool.close()
