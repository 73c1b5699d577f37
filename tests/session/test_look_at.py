"""Frames are encoded ahead while nobody waits, and never otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from napari_sam2.errors import PromptError
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.session import Session
from napari_sam2.session.worker import Worker
from tests.session.conftest import LENGTH, contents
from tests.session.test_worker import PATIENCE, Slow

Middle = Callable[[int, int], Click]


class Idle(Slow):
    """What is encoded ahead is logged; it waits, as everything does, until it is let go."""

    def look_at(self, frame: int) -> Iterator[int]:
        for at in (frame, frame + 1, frame - 1):
            self.work(f"encode {at}")
            yield at


@pytest.fixture
def idle() -> Idle:
    return Idle()


@pytest.fixture
def worker(idle: Idle) -> Iterator[Worker]:
    worker = Worker(idle)  # type: ignore[arg-type]
    yield worker
    for _ in range(100):
        idle.go.release()
    worker.close()


def drained(idle: Idle, worker: Worker) -> list[str]:
    """Let everything go, and return the log once nothing is left to do."""
    for _ in range(100):
        idle.go.release()
    worker.do(lambda session: None).future.result(PATIENCE)
    return idle.log


def test_idle_time_goes_to_the_frame_on_the_screen_and_its_neighbours(idle: Idle, worker: Worker) -> None:
    worker.look_at(5)
    idle.step(3)
    worker.look_at(0)
    idle.step(1)
    assert drained(idle, worker)[:4] == ["encode 5", "encode 6", "encode 4", "encode 0"]


def test_everything_else_goes_first(idle: Idle, worker: Worker) -> None:
    worker.look_at(5)
    idle.wait()  # encoding 5
    run = worker.propagate(0, 2)
    prompt = worker.prompt(0, 1, [Click(1, 0)])
    idle.go.release()
    idle.step(3)
    assert prompt.future.result(PATIENCE) == "1"
    assert run.future.result(PATIENCE) == 2
    idle.step(1)
    assert drained(idle, worker)[:6] == [
        "encode 5",
        "prompt 0,1: 1",
        "frame 0",
        "frame 1",
        "end",
        "encode 6",
    ]


def test_a_newer_frame_takes_the_place_of_the_older_ones_neighbours(idle: Idle, worker: Worker) -> None:
    worker.look_at(5)
    idle.wait()
    for frame in (20, 30, 40):
        worker.look_at(frame)
    idle.go.release()
    idle.step(3)
    assert drained(idle, worker) == ["encode 5", "encode 40", "encode 41", "encode 39"]


def test_a_failure_is_told_once_until_something_works(idle: Idle, worker: Worker) -> None:
    heard: list[Exception] = []
    idle.events.failed.connect(heard.append)
    tried: list[int] = []

    def broken(frame: int) -> Iterator[int]:
        tried.append(frame)
        raise PromptError(f"There is no frame {frame}.")

    idle.look_at = broken  # type: ignore[method-assign]

    def settle() -> None:
        """Until the worker has come by everything; it fails, so that it counts as no success."""
        with pytest.raises(ZeroDivisionError):
            worker.do(lambda session: 1 / 0).future.result(PATIENCE)

    settle()
    worker.look_at(70)
    while not heard:
        settle()
    for frame in (71, 72):
        worker.look_at(frame)
        settle()
    assert tried == [70]
    assert [str(error) for error in heard] == ["There is no frame 70."]
    worker.do(lambda session: 1).future.result(PATIENCE)
    settle()
    worker.look_at(73)
    while len(heard) < 2:
        settle()
    assert tried == [70, 73]


def test_closing_does_not_wait_for_neighbours(idle: Idle) -> None:
    with Worker(idle) as worker:  # type: ignore[arg-type]
        worker.look_at(5)
        idle.wait()
        worker._closing = True  # as close() does before it joins
        idle.go.release()
    assert idle.log == ["encode 5"]


def test_a_real_session_encodes_each_frame_once(
    scene: Phantom, network: SAM2, middle: Middle, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    encode = network.encode
    monkeypatch.setattr(network, "encode", lambda image: (calls.append(1), encode(image))[1])
    plain = Session(scene.images, network)
    ahead = Session(scene.images, network)
    plain.prompt(3, 1, clicks=[middle(3, 1)])
    calls.clear()
    assert list(ahead.look_at(3)) == [3, 4, 2, 5, 1]
    assert len(calls) == 5
    assert list(ahead.look_at(0)) == [0, 1, 2]
    assert list(ahead.look_at(LENGTH - 1)) == [7, 6, 5]
    assert len(calls) == LENGTH
    ahead.prompt(3, 1, clicks=[middle(3, 1)])
    assert len(calls) == LENGTH
    for one in (plain, ahead):
        list(one.propagate())
    assert contents(plain) == contents(ahead)
    with pytest.raises(PromptError, match="no frame 8"):
        next(ahead.look_at(8))


def test_what_is_encoded_ahead_survives_loading(
    scene: Phantom, network: SAM2, middle: Middle, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    session = Session(scene.images, network)
    session.prompt(3, 1, clicks=[middle(3, 1)])
    loaded = Session.load(session.save(tmp_path / "a.json"), scene.images, network)
    assert next(loaded.look_at(3)) == 3
    monkeypatch.setattr(network, "encode", lambda image: pytest.fail("encoded again"))
    for one in (session, loaded):
        one.prompt(3, 1, clicks=[middle(3, 2)])
    assert contents(session) == contents(loaded)


def test_neighbours_do_not_push_out_the_frame_on_the_screen(scene: Phantom, network: SAM2) -> None:
    one = Session(scene.images, network)
    next(one.look_at(3))
    size = one._ledger.engine.state.embeddings.nbytes
    for budget, wanted in ((1, [3]), (3 * size, [3, 4, 2]), (4 * size + 1, [3, 4, 2, 5])):
        session = Session(scene.images, network, TrackingPolicy(embedding_bytes=budget))
        assert list(session.look_at(3)) == wanted
        assert session._ledger.engine.state.embeddings.get(3) is not None
