"""The urgent goes first, and every request ends in one of four ways."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Box, Click, PromptSet
from napari_sam2.session.events import SessionEvents
from napari_sam2.session.session import Session
from napari_sam2.session.worker import Outcome, Ticket, Worker
from tests.session.conftest import contents

PATIENCE = 20.0  # seconds until a test that hangs fails; none waits so long


class Slow:
    """A session whose every frame and prompt waits until it is let go."""

    def __init__(self) -> None:
        self.events = SessionEvents()
        self.log: list[str] = []
        self.began = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def work(self, what: str) -> None:
        self.began.release()
        assert self.go.acquire(timeout=PATIENCE)
        self.log.append(what)

    def prompt(self, frame: int, object_id: int, clicks: Any, box: Any, mask: Any, replace: bool) -> str:
        joined = "+".join(f"{click.y:g}" for click in clicks)
        self.work(f"prompt {frame},{object_id}: {joined}{' replace' if replace else ''}")
        return joined

    def propagate(self, start: int, stop: int) -> Iterator[int]:
        try:
            for frame in range(start, stop):
                self.work(f"frame {frame}")
                yield frame + 1000
        finally:
            self.log.append("end")

    def undo(self) -> None:
        self.log.append("undo")

    def wait(self) -> None:
        """Until something has begun."""
        assert self.began.acquire(timeout=PATIENCE)

    def step(self, count: int = 1) -> None:
        """Let what has begun finish, `count` times."""
        for _ in range(count):
            self.wait()
            self.go.release()


class Told(list[Ticket]):
    """What was delivered; the future of a ticket may be done a moment earlier."""

    def __init__(self) -> None:
        super().__init__()
        self._more = threading.Condition()

    def append(self, ticket: Ticket) -> None:
        with self._more:
            super().append(ticket)
            self._more.notify_all()

    def wait(self, count: int) -> list[Ticket]:
        with self._more:
            assert self._more.wait_for(lambda: len(self) >= count, PATIENCE)
            return list(self)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def worker(slow: Slow, told: Told) -> Iterator[Worker]:
    worker = Worker(slow, told.append)  # type: ignore[arg-type]
    yield worker
    for _ in range(100):
        slow.go.release()
    worker.close()
    assert not worker._thread.is_alive()


def test_clicks_go_before_the_next_frame(slow: Slow, worker: Worker, told: Told) -> None:
    run = worker.propagate(0, 4)
    slow.step()
    slow.wait()  # frame 1 is under way
    first = worker.prompt(1, 1, [Click(1, 0)])
    second = worker.prompt(1, 2, [Click(2, 0)])
    slow.go.release()
    slow.step(4)
    assert run.future.result(PATIENCE) == 4
    assert first.future.result(PATIENCE) == "1"
    assert slow.log == ["frame 0", "frame 1", "prompt 1,1: 1", "prompt 1,2: 2", "frame 2", "frame 3", "end"]
    assert told.wait(3) == [first, second, run]
    assert {ticket.outcome for ticket in told} == {Outcome.COMPLETED}
    assert not worker.busy


def test_newer_clicks_supersede_queued_ones_and_lose_none(slow: Slow, worker: Worker, told: Told) -> None:
    worker.prompt(0, 1, [Click(0, 0)])
    slow.wait()  # under way: it cannot be superseded any more
    one = worker.prompt(0, 1, [Click(1, 0)], replace=True)
    two = worker.prompt(0, 1, [Click(2, 0)])
    three = worker.prompt(0, 1, [Click(3, 0)])
    other = worker.prompt(0, 2, [Click(4, 0)])
    again = worker.prompt(0, 1, [Click(5, 0)])
    anew = worker.prompt(0, 1, [Click(6, 0)], replace=True)
    slow.go.release()
    slow.step(3)
    assert anew.future.result(PATIENCE) == "6"
    assert slow.log == [
        "prompt 0,1: 0",
        "prompt 0,1: 1+2+3 replace",
        "prompt 0,2: 4",
        "prompt 0,1: 6 replace",
    ]
    assert [t.outcome for t in (one, two, again)] == [Outcome.SUPERSEDED] * 3
    assert [t.outcome for t in (three, other, anew)] == [Outcome.COMPLETED] * 3
    assert sorted(map(id, told.wait(7)[:3])) == sorted(map(id, (one, two, again)))
    with pytest.raises(CancelledError):
        one.future.result(PATIENCE)


@pytest.mark.parametrize(
    ("older", "newer", "joined"),
    [
        ({"clicks": (Click(1, 1),)}, {"box": Box(0, 0, 5, 5)}, PromptSet((Click(1, 1),), Box(0, 0, 5, 5))),
        ({"box": Box(1, 1, 2, 2)}, {"box": Box(0, 0, 5, 5)}, PromptSet((), Box(0, 0, 5, 5))),
        ({"mask": np.ones((2, 2))}, {"clicks": (Click(1, 1),)}, None),
    ],
)
def test_joining(
    slow: Slow, worker: Worker, older: dict[str, Any], newer: dict[str, Any], joined: PromptSet | None
) -> None:
    calls: list[PromptSet] = []
    slow.prompt = lambda f, o, clicks, box, mask, replace: calls.append(PromptSet(clicks, box, mask))  # type: ignore[method-assign, assignment]
    blocker = worker.do(lambda session: session.work("block"))  # type: ignore[attr-defined]
    slow.wait()
    first = worker.prompt(0, 1, **older)
    last = worker.prompt(0, 1, **newer)
    slow.go.release()
    last.future.result(PATIENCE)
    assert blocker.outcome is Outcome.COMPLETED
    if joined is None:
        assert first.outcome is Outcome.COMPLETED
        assert len(calls) == 2
    else:
        assert first.outcome is Outcome.SUPERSEDED
        assert calls == [joined]


def test_cancel_stops_after_the_current_frame(slow: Slow, worker: Worker, told: Told) -> None:
    run, waiting = worker.propagate(0, 50), worker.propagate(50, 60)
    slow.step(2)
    slow.wait()
    assert worker.busy
    worker.cancel()
    assert waiting.outcome is Outcome.CANCELLED, "at once"
    slow.go.release()
    assert run.future.result(PATIENCE) == 3
    assert run.outcome is Outcome.CANCELLED
    assert slow.log == ["frame 0", "frame 1", "frame 2", "end"]
    later = worker.propagate(7, 8)
    slow.step()
    assert later.future.result(PATIENCE) == 1
    assert told.wait(3) == [waiting, run, later]


def test_undo_cancels_first(slow: Slow, worker: Worker) -> None:
    run = worker.propagate(0, 50)
    slow.wait()
    undone = worker.undo()
    slow.go.release()
    undone.future.result(PATIENCE)
    assert run.outcome is Outcome.CANCELLED
    assert slow.log == ["frame 0", "end", "undo"]


def test_errors_reach_who_asked_and_work_goes_on(slow: Slow, worker: Worker, told: Told) -> None:
    def wrong(session: Any) -> None:
        raise PromptError("There is no object 3.")

    failed = worker.do(wrong)
    with pytest.raises(PromptError, match="no object 3"):
        failed.future.result(PATIENCE)
    broken = worker.propagate("a", 1)
    with pytest.raises(TypeError):
        broken.future.result(PATIENCE)
    fine = worker.do(lambda session: 5)
    assert fine.future.result(PATIENCE) == 5
    assert [t.outcome for t in told.wait(3)] == [Outcome.FAILED, Outcome.FAILED, Outcome.COMPLETED]


def test_a_receiver_that_breaks_is_told_of(slow: Slow) -> None:
    heard: list[Exception] = []
    slow.events.failed.connect(heard.append)

    def broken(ticket: Ticket) -> None:
        raise RuntimeError("the window is gone")

    with Worker(slow, broken) as worker:  # type: ignore[arg-type]
        for number in (1, 2):
            ticket = worker.do(lambda session, number=number: number)
            assert ticket.future.result(PATIENCE) == number
    assert [str(error) for error in heard] == ["the window is gone"] * 2


def test_closing_ends_everything(slow: Slow, told: Told) -> None:
    worker = Worker(slow, told.append)  # type: ignore[arg-type]
    run = worker.propagate(0, 50)
    slow.wait()
    queued = worker.prompt(0, 1, [Click(0, 0)])
    closing = threading.Thread(target=worker.close)
    closing.start()
    slow.go.release()
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert (run.outcome, queued.outcome) == (Outcome.CANCELLED, Outcome.CANCELLED)
    late = worker.do(lambda session: 1)
    assert late.outcome is Outcome.CANCELLED
    assert late.future.cancelled()
    assert slow.log == ["frame 0", "end"]


def test_a_real_session_behind_the_worker_gives_what_it_gives_inline(
    scene: Phantom, network: SAM2, middle: Callable[[int, int], Click]
) -> None:
    inline = Session(scene.images, network)
    session = Session(scene.images, network)
    threads: set[str] = set()
    session.events.labels_changed.connect(lambda *_: threads.add(threading.current_thread().name))
    inline.prompt(0, 1, clicks=[middle(0, 1)])
    list(inline.propagate())
    inline.prompt(3, 1, clicks=[middle(3, 1)])
    list(inline.propagate(start=3))
    with Worker(session) as worker:
        worker.prompt(0, 1, [middle(0, 1)])
        worker.propagate().future.result(PATIENCE)
        mask = worker.prompt(3, 1, [middle(3, 1)])
        count = worker.propagate(start=3)
        assert count.future.result(PATIENCE) == len(scene.images) - 3
        assert np.array_equal(mask.future.result(), session.masks(1)[3].runs.decode())
        assert contents(session) == contents(inline)
        frames: list[int] = []
        session.events.progress.connect(
            lambda done, total: (frames.append(done), done == 2 and worker.cancel())
        )
        run = worker.propagate(start=0)
        assert run.future.result(PATIENCE) == 2
        assert run.outcome is Outcome.CANCELLED
        assert frames == [1, 2]
        session.events.progress.disconnect()
        assert worker.resume().future.result(PATIENCE) == len(scene.images) - 2
    list(inline.propagate(start=0))
    assert contents(session) == contents(inline)
    assert threads == {"napari-sam2 worker"}
