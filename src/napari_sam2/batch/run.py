"""A plan carried out: tasks to a pool, answers to a report."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

from napari_sam2.batch.check import check_plan, jobs_of, parts_of
from napari_sam2.batch.job import Job, Part, Task
from napari_sam2.batch.outcome import Outcome, Status
from napari_sam2.batch.plan import Plan
from napari_sam2.batch.pool import Answer, Pool
from napari_sam2.batch.work import Retry, done_before

Tell = Callable[[Outcome], object]


def run_batch(
    plan: Plan,
    pool: Pool,
    *,
    retries: int = 2,
    overwrite: bool = False,
    restart: bool = False,
    tell: Tell = lambda outcome: None,
) -> tuple[Outcome, ...]:
    """Carry out a plan, or what is left of it.

    Parameters
    ----------
    plan
        What to do.
    pool
        Who does it; it stays open.
    retries
        How often a part is tried again after what a file is not to blame for. Where memory was short, fewer
        objects go through the network together.
    overwrite
        Whether outputs that this plan did not make may be replaced.
    restart
        Whether to forget what earlier runs have finished.
    tell
        Told of every sequence that is finished.

    Returns
    -------
    tuple of Outcome
        One a sequence, in the order of the plan. One that failed never keeps the others from being done.

    Raises
    ------
    PlanError
        There is something wrong with the plan; nothing is done then.
    StorageError
        The scheduler is gone.
    """
    shapes = check_plan(plan, overwrite or restart)
    run = _Run(plan, pool, retries, tell)
    for job in jobs_of(plan, overwrite or restart):
        if restart:
            shutil.rmtree(job.own, ignore_errors=True)
        run.begin(job, shapes.get(job.sequence.image))
    for task, answer in pool.answers():
        run.hear(task, answer)
    return tuple(run.outcomes[job.name] for job in jobs_of(plan))


class _Run:
    """What is under way: chunks that are left of each sequence, and tries that are left of each task."""

    def __init__(self, plan: Plan, pool: Pool, retries: int, tell: Tell) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._plan, self._pool, self._retries, self._tell = plan, pool, retries, tell
        self._chunks: dict[str, tuple[Part, ...]] = {}
        self._answered: dict[str, list[Outcome]] = {}
        self._tries: dict[tuple[str, tuple[Part, ...] | None, bool], int] = {}

    def begin(self, job: Job, shape: tuple[int, ...] | None) -> None:
        """Hand the tasks of a sequence to the pool, unless it is finished."""
        if (before := done_before(job)) is not None:
            self._end(job, before)
            return
        at_once = self._plan.settings.policy.objects_at_once
        chunks = parts_of(self._plan.settings, shape)
        if chunks is None:
            self._pool.submit(Task(job, at_once))
            return
        self._chunks[job.name], self._answered[job.name] = chunks, []
        for chunk in chunks:
            self._pool.submit(Task(job, at_once, (chunk,), finish=False))

    def hear(self, task: Task, answer: Answer) -> None:
        """Take an answer in: try again, go on with what it makes possible, or note the end."""
        job = task.job
        if isinstance(answer, Retry):
            tried = (job.name, task.parts, task.finish)
            self._tries[tried] = self._tries.get(tried, 0) + 1
            if self._tries[tried] <= self._retries:
                smaller = max(1, task.at_once // 2) if answer.smaller else task.at_once
                self._pool.submit(replace(task, at_once=smaller))
                return
            answer = _failed(job, f"{answer.message} (tried {self._tries[tried]} times)")
        if task.finish:
            self._end(job, answer)
            return
        answers, chunks = self._answered[job.name], self._chunks[job.name]
        answers.append(answer)
        if len(answers) < len(chunks):
            return
        failed = [one for one in answers if one.status is Status.FAILED]
        if failed:
            self._end(job, failed[0])
        else:
            self._pool.submit(Task(job, task.at_once, chunks))

    def _end(self, job: Job, outcome: Outcome) -> None:
        for one in self._answered.get(job.name, ()):
            if one is not outcome:
                seconds = outcome.seconds + one.seconds
                outcome = replace(outcome, seconds=seconds, computed=outcome.computed + one.computed)
        self.outcomes[job.name] = outcome
        self._tell(outcome)


def _failed(job: Job, message: str) -> Outcome:
    image, output = str(job.sequence.image), str(job.sequence.output)
    return Outcome(job.name, image, output, Status.FAILED, message=message)
