"""Where memory runs out, fewer objects go together, and nothing is half-written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from napari_sam2.errors import MemoryShortage
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.engine import Engine
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.session import Session
from napari_sam2.session.shortage import is_shortage
from tests.session.conftest import LENGTH, contents
from tests.session.test_history import snapshot

Middle = Callable[[int, int], Click]

OBJECTS = 6


class Narrow:
    """A network whose memory encoder has room for so many objects, and fails after so many calls."""

    def __init__(self, network: SAM2, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.calls, self.error = OBJECTS, 10**6, lambda: torch.OutOfMemoryError("full")
        self.asked: list[int] = []
        memorize = network.memorize

        def narrow(embedding: Any, prediction: Any, binarize: bool) -> Any:
            self.asked.append(len(prediction.logits))
            self.calls -= 1
            if self.asked[-1] > self.room or self.calls < 0:
                raise self.error()
            return memorize(embedding, prediction, binarize)

        monkeypatch.setattr(network, "memorize", narrow)


@pytest.fixture
def narrow(network: SAM2, monkeypatch: pytest.MonkeyPatch) -> Narrow:
    return Narrow(network, monkeypatch)


def prompted(session: Session, middle: Middle) -> Session:
    for number in range(1, OBJECTS + 1):
        # Two memory layouts, so that some objects of a frame are done when the others fail.
        frame = 0 if number < 5 else 2
        session.prompt(frame, number, clicks=[middle(frame, 1 + number % 3), Click(10 * number - 5, 40)])
    return session


def remembered(session: Session) -> tuple[int, list[tuple[int, ...]]]:
    """How many records the tracker holds, and what it knows of each object."""
    state = session._ledger.engine.state
    tables = [
        tuple(len(table) for table in (track.bank.prompted, track.bank.tracked, track.passed))
        for track in state.objects.values()
    ]
    return len(state.records._layouts), tables


ERRORS = [
    lambda: torch.OutOfMemoryError("CUDA out of memory."),
    MemoryError,
    lambda: RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
]


@pytest.mark.parametrize("error", ERRORS, ids=["device", "python", "windows"])
def test_a_frame_is_done_again_with_fewer_objects(
    scene: Phantom, network: SAM2, middle: Middle, narrow: Narrow, error: Callable[[], Exception]
) -> None:
    wanted = prompted(Session(scene.images, network, TrackingPolicy(objects_at_once=2)), middle)
    list(wanted.propagate())
    session = prompted(Session(scene.images, network), middle)
    told: list[int] = []
    session.events.halved.connect(told.append)
    start = snapshot(session)
    narrow.room, narrow.error = 2, error
    narrow.asked.clear()
    frames = [done.frame for done in session.propagate()]
    assert frames == list(range(LENGTH))
    assert told == [4, 2]
    assert max(narrow.asked) == 4, "six objects, of which four share a layout"
    assert contents(session) == contents(wanted)
    assert remembered(session) == remembered(wanted), "what failed left nothing behind"
    session.undo()
    assert snapshot(session) == start
    session.redo()
    for one in (session, wanted):
        one.prompt(4, 2, clicks=[middle(4, 1)])
        list(one.propagate(start=4))
    assert contents(session) == contents(wanted)
    assert told == [4, 2]
    assert session.policy == TrackingPolicy(), "what was asked for is what is saved"


@pytest.mark.parametrize("calls", [0, 7, 15])
def test_with_one_object_left_it_is_an_error_and_nothing_is_lost(
    scene: Phantom, network: SAM2, middle: Middle, narrow: Narrow, calls: int
) -> None:
    unbroken = prompted(Session(scene.images, network, TrackingPolicy(objects_at_once=1)), middle)
    list(unbroken.propagate())
    session = prompted(Session(scene.images, network, TrackingPolicy(objects_at_once=1)), middle)
    narrow.calls = calls
    with pytest.raises(MemoryShortage, match=r"even with one object at a time.*smaller model") as caught:
        list(session.propagate())
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)
    assert caught.value.__cause__.__traceback__ is None, "it would hold on to what is in memory"
    whole = contents(unbroken)
    done = sorted(session.masks(1))
    assert done == list(range(len(done)))
    for number in session.objects:
        masks = {frame: whole[number, frame] for frame in done if (number, frame) in whole}
        kept = {frame: mask for (one, frame), mask in contents(session).items() if one == number}
        assert {frame: kept[frame] for frame in masks} == masks
        assert kept.keys() - masks.keys() <= set(session.prompts(number)), "no other frame has anything"
    narrow.calls = 10**6
    list(session.propagate() if session.unfinished is None else session.resume())
    assert contents(session) == contents(unbroken)
    assert remembered(session) == remembered(unbroken)


def test_what_a_second_run_would_have_replaced_stays(
    scene: Phantom, network: SAM2, middle: Middle, narrow: Narrow
) -> None:
    policy = TrackingPolicy(objects_at_once=1)
    session = prompted(Session(scene.images, network, policy, undo_bytes=0), middle)
    list(session.propagate())
    narrow.calls = 4 * 2 + 2  # two frames, and half of the third
    with pytest.raises(MemoryShortage):
        list(session.propagate(start=1))
    narrow.calls = 10**6
    session.rename(1, "first")  # for which undo gives up all that was dropped before
    state = session._ledger.engine.state
    for track in state.objects.values():
        for key in (*track.bank.tracked.values(), *track.bank.prompted.values()):
            state.records.prediction(key, network.device)
    list(session.resume())
    unbroken = prompted(Session(scene.images, network, policy), middle)
    list(unbroken.propagate())
    list(unbroken.propagate(start=1))
    assert contents(session) == contents(unbroken)


def test_an_object_is_stopped_once(
    scene: Phantom, network: SAM2, middle: Middle, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(scene.images, network, guard=LeakGuard(growth=0, shift=1e-9))
    for number in (1, 2):
        session.prompt(0, number, clicks=[middle(0, number)])
    session.prompt(1, 3, clicks=[middle(1, 3)])
    stopped: list[tuple[int, int]] = []
    session.events.stopped.connect(lambda *told: stopped.append(told))
    found, errors = Engine._found, [torch.OutOfMemoryError("full")]

    def late(engine: Engine, frame: int, track: Any) -> Any:
        if errors:
            raise errors.pop()
        return found(engine, frame, track)

    run = session.propagate()
    next(run)
    monkeypatch.setattr(Engine, "_found", late)
    done = next(run)
    assert done.stopped == (1, 2)
    assert stopped == [(1, 1), (2, 1)]
    assert sorted(session.masks(3)) == [1]


def test_a_prompt_that_does_not_fit_changes_nothing(
    session: Session, network: SAM2, middle: Middle, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.prompt(0, 1, clicks=[middle(0, 1)])
    before, known = snapshot(session), remembered(session)
    told: list[int] = []
    session.events.halved.connect(told.append)
    decode = network.decode
    left = [2]

    def full(*args: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise torch.OutOfMemoryError("full")
        return decode(*args)

    monkeypatch.setattr(network, "decode", full)
    again = session.fresh()
    again.prompt(0, 1, clicks=[middle(0, 1)])
    assert contents(again) == contents(session), "the third try"
    left[0] = 4
    with pytest.raises(MemoryShortage):
        session.prompt(0, 2, clicks=[middle(0, 2)])
    assert told == [4, 2, 1]
    assert (snapshot(session), remembered(session)) == (before, known)
    left[0] = 1
    with pytest.raises(MemoryShortage):
        session.prompt(0, 1, clicks=[middle(0, 2)])
    assert (snapshot(session), remembered(session)) == (before, known)
    one, two = session.prompt(0, 1, clicks=[middle(0, 2)]), again.prompt(0, 1, clicks=[middle(0, 2)])
    assert np.array_equal(one, two)
    assert session.prompts(1)[0].clicks == (middle(0, 1), middle(0, 2)), "once, not once a try"


def test_other_errors_are_what_they_are(session: Session, middle: Middle, narrow: Narrow) -> None:
    prompted(session, middle)
    before, known = snapshot(session), remembered(session)
    told: list[int] = []
    session.events.halved.connect(told.append)
    narrow.error, narrow.calls = lambda: RuntimeError("shapes do not match"), OBJECTS + 1
    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(session.propagate())
    assert not told
    assert sorted(session.masks(1)) == [0, 1], "the frames that were done are kept, the broken one is not"
    session.undo()
    assert remembered(session)[1] == known[1]
    assert snapshot(session) == before


@pytest.mark.parametrize(
    "hungry", [lambda: torch.empty(2**58), lambda: np.ones((2**40, 2**16), np.uint8)], ids=["torch", "numpy"]
)
def test_what_the_allocators_really_say(hungry: Callable[[], object]) -> None:
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        hungry()
    assert is_shortage(caught.value)
    assert not is_shortage(RuntimeError("CUDA error: device-side assert triggered"))
    assert not is_shortage(OSError(28, "No space left on device: out of memory"))
