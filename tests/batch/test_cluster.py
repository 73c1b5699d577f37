"""Twenty sequences on two workers of a Dask cluster: whatever is killed, nothing is lost or done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.batch.check import jobs_of
from napari_sam2.batch.job import Part
from napari_sam2.batch.journal import Journal
from napari_sam2.batch.outcome import Note, Outcome, Status
from napari_sam2.batch.plan import Plan
from napari_sam2.batch.pool import Cluster
from napari_sam2.batch.run import run_batch
from napari_sam2.errors import StorageError
from tests.batch.conftest import make_movies, outputs, run_here, table_plan
from tests.batch.counting import LOG, counted_lines

distributed: Any = pytest.importorskip("distributed", reason="Dask's scheduler is not installed")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COUNT, FRAMES = 20, 4
PATIENCE = 300.0


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_movies(tmp_path_factory.mktemp("movies"), COUNT, FRAMES)


@pytest.fixture(scope="module")
def serial(movies: Path, weights: Path) -> dict[str, np.ndarray]:
    plan = table_plan(movies, weights, out="serial")
    assert {one.status for one in run_here(plan)} == {Status.DONE}
    return outputs(plan)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "encoded"


@pytest.fixture(scope="module")
def environment(log: Path) -> dict[str, str]:
    return {
        **os.environ,
        LOG: str(log),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "OMP_NUM_THREADS": "1",
        "DASK_DISTRIBUTED__WORKER__PRELOAD": "tests.batch.counting",
    }


@dataclass(frozen=True)
class Machines:
    """A scheduler and two workers, as somebody would start them."""

    address: str
    processes: list[subprocess.Popen[bytes]]

    def kill(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def machines(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    place = tmp_path_factory.mktemp("dask")
    where = ["--scheduler-file", str(place / "scheduler.json"), "--no-dashboard"]
    two = ["--nworkers", "2", "--nthreads", "1", "--local-directory", str(place)]
    lines = [["scheduler", *where, "--host", "127.0.0.1", "--port", "0"], ["worker", *where, *two]]
    started = [_start([sys.executable, "-m", "dask", *line], environment) for line in lines]
    try:
        with distributed.Client(scheduler_file=where[1], set_as_default=False, timeout=PATIENCE) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
            address = client.scheduler.address
        yield Machines(address, started)
    finally:
        Machines("", started).kill()


def _start(line: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, to be killed with all that it starts."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        line, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )


def client_of(
    plan: Plan, movies: Path, machines: Machines, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """The command line."""
    line = [
        sys.executable,
        "-c",
        "from napari_sam2.cli import main; main()",
        "batch",
        str(movies / "prompts.csv"),
        "--way",
        "both",
    ]
    line += ["--model", plan.settings.model, "--out", str(plan.folder), "--scheduler", machines.address]
    return _start(line, environment)


def wait(what: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)


def unfinished(plan: Plan) -> int:
    """Frames of which at least one visit is left, in all sequences."""
    left = 0
    for job in jobs_of(plan):
        if job.marker.exists():
            continue
        part = Part(0, 0, FRAMES)
        if not job.journal(part).exists():
            left += FRAMES
            continue
        with Journal(job.journal(part)) as journal:
            # On frames 1, 2, 3 forward (object 2 from frame 2 on), then on 1 and 0 backward.
            frames = [1, 2, 3, 1, 0][max(0, len(journal) - 1) :]
        left += len(set(frames))
    return left


def assert_complete(plan: Plan, found: tuple[Outcome, ...], serial: dict[str, np.ndarray]) -> None:
    assert [one.status for one in found if one.status is Status.FAILED] == []
    labels = outputs(plan)
    assert labels.keys() == serial.keys()
    assert [name for name in serial if not np.array_equal(labels[name], serial[name])] == []


def test_the_serial_labels_say_something(serial: dict[str, np.ndarray]) -> None:
    assert len(serial) == COUNT
    for labels in serial.values():
        assert set(np.unique(labels)) == {0, 1, 2}
        assert not np.array_equal(labels[1], labels[3])


def test_a_worker_is_killed(
    movies: Path, weights: Path, serial: dict[str, np.ndarray], machines: Machines, log: Path
) -> None:
    plan = table_plan(movies, weights, out="worker-killed")
    log.unlink(missing_ok=True)
    killed: list[int] = []
    notes: list[Note] = []

    def tell(note: Note) -> None:
        notes.append(note)
        lines = counted_lines(log)
        if not killed and len(lines) > 3 * FRAMES:
            killed.append(lines[-1][0])
            os.kill(killed[0], signal.SIGKILL)

    pool = Cluster(tell, machines.address)
    try:
        found = run_batch(plan, pool)
    finally:
        pool.close()
    assert killed
    assert_complete(plan, found, serial)
    lines = counted_lines(log)
    assert {note.worker.split(":")[1] for note in notes} >= {str(pid) for pid, _ in lines} - {str(killed[0])}
    times = Counter(frame for _, frame in lines)
    assert len(times) == COUNT * FRAMES
    twice = [frame for frame, n in times.items() if n > 1]
    # What the dead one had begun and not finished: the prompts of one sequence, or one frame.
    assert len(twice) <= 3
    assert {pid for pid, frame in lines if frame in twice} >= ({killed[0]} if twice else set())
    assert max(times.values()) <= 2


def test_the_client_is_killed(
    movies: Path,
    weights: Path,
    serial: dict[str, np.ndarray],
    machines: Machines,
    log: Path,
    environment: dict[str, str],
) -> None:
    plan = table_plan(movies, weights, out="client-killed")
    log.unlink(missing_ok=True)
    client = client_of(plan, movies, machines, environment)
    wait(lambda: len(counted_lines(log)) > 3 * FRAMES or client.poll() is not None)
    client.kill()
    assert client.wait() == -signal.SIGKILL
    assert unfinished(plan)
    pool = Cluster(address=machines.address)
    try:
        found = run_batch(plan, pool)
    finally:
        pool.close()
    assert_complete(plan, found, serial)
    # Workers go on with what they had begun, and nobody begins it beside them.
    times = Counter(frame for _, frame in counted_lines(log))
    assert len(times) == COUNT * FRAMES
    assert set(times.values()) == {1}


def test_everything_is_killed(
    movies: Path,
    weights: Path,
    serial: dict[str, np.ndarray],
    machines: Machines,
    log: Path,
    environment: dict[str, str],
    encoded: list[str],
) -> None:
    plan = table_plan(movies, weights, out="all-killed")
    log.unlink(missing_ok=True)
    client = client_of(plan, movies, machines, environment)
    wait(lambda: len(counted_lines(log)) > 3 * FRAMES or client.poll() is not None)
    machines.kill()
    client.kill()
    assert client.wait() == -signal.SIGKILL
    left = unfinished(plan)
    assert 0 < left < COUNT * FRAMES
    found = run_here(plan)
    assert_complete(plan, found, serial)
    assert len(encoded) == len(set(encoded)) == left  # each unfinished frame once, and no other


def test_a_scheduler_that_is_not_there() -> None:
    with pytest.raises(StorageError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9 "):
        Cluster(address="tcp://127.0.0.1:9", patience=0.5)
