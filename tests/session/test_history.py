"""Whatever was done can be taken back, exactly, and done again."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.session import Session
from tests.session.conftest import contents

Middle = Callable[[int, int], Click]


def snapshot(session: Session) -> Any:
    prompts = {
        (number, frame): (
            prompt.clicks,
            prompt.box,
            prompt.mask and bytes(np.asarray(prompt.mask.mask)),
        )
        for number in session.objects
        for frame, prompt in session.prompts(number).items()
    }
    return dict(session.objects), dict(session.lineage), prompts, contents(session), session.steps


def sitting(session: Session, middle: Middle) -> list[Callable[[], object]]:
    """Every verb once, in an order that makes sense."""

    def some_frames() -> None:
        with closing(session.propagate()) as run:
            next(run), next(run)

    square = np.zeros((64, 72), bool)
    square[10:20, 30:44] = True
    return [
        lambda: session.prompt(0, 1, clicks=[middle(0, 1)]),
        lambda: session.prompt(1, 2, clicks=[middle(1, 2)]),
        some_frames,
        lambda: list(session.resume()),
        lambda: session.prompt(4, 1, clicks=[middle(4, 2)]),
        lambda: session.prompt(2, 3, mask=square),
        lambda: list(session.propagate([1, 3], start=2, stop=6)),
        lambda: session.rename(3, "square"),
        lambda: session.divide(5, 2, [4, 5]),
        lambda: session.prompt(5, 4, clicks=[middle(5, 3)]),
        lambda: list(session.propagate(direction="backward")),
        lambda: session.merge(1, [3]),
        lambda: session.classify(2, "mother"),
        lambda: session.commit(2),
        lambda: session.clear(4, 1),
        lambda: session.delete(4),
        lambda: list(session.propagate()),
    ]


@pytest.mark.parametrize("policy", [TrackingPolicy(), TrackingPolicy.reference()], ids=["ours", "reference"])
def test_undo_and_redo_everything(
    scene: Phantom, network: SAM2, middle: Middle, policy: TrackingPolicy
) -> None:
    session = Session(scene.images, network, policy)
    states = [snapshot(session)]
    for act in sitting(session, middle):
        act()
        states.append(snapshot(session))
    assert len({repr(state) for state in states}) == len(states), "every step says something"
    for _ in range(2):
        for state in reversed(states[:-1]):
            assert session.undo() is not None
            assert snapshot(session) == state
        assert session.undo() is None
        for state in states[1:]:
            assert session.redo() is not None
            assert snapshot(session) == state
        assert session.redo() is None


def test_what_was_undone_leaves_no_trace_in_memory(
    session: Session, scene: Phantom, network: SAM2, middle: Middle
) -> None:
    """A random walk through undo and redo ends where the straight way ends, in what comes afterwards, too."""
    straight = Session(scene.images, network)
    for act in sitting(straight, middle):
        act()
    rng = random.Random(3)
    for act in sitting(session, middle):
        act()
        for _ in range(rng.randrange(4)):
            back = rng.randrange(1, 4)
            undone = sum(session.undo() is not None for _ in range(back))
            if rng.random() < 0.5 and undone:
                session.redo()
                undone -= 1
                session.undo()
                undone += 1
            assert sum(session.redo() is not None for _ in range(undone)) == undone
    # And a branch that is given up.
    session.undo()
    session.undo()
    session.prompt(6, 1, clicks=[middle(6, 1)])
    list(session.propagate())
    session.undo()
    session.undo()
    session.delete(4)
    list(session.propagate())
    assert contents(session) == contents(straight)
    for one in (session, straight):
        one.prompt(3, 1, clicks=[middle(3, 1)])
        list(one.propagate())
        list(one.propagate(start=7, direction="backward"))
    assert contents(session) == contents(straight)


def test_records_of_given_up_steps_are_given_back(session: Session, middle: Middle) -> None:
    session.prompt(0, 1, clicks=[middle(0, 1)])
    list(session.propagate())
    records = session._ledger.engine.records
    assert records is not None
    held = len(records._layouts)
    for _ in range(3):
        list(session.propagate())
        session.undo()
        assert len(records._layouts) > held, "redo may want them"
    list(session.propagate())
    session.undo()
    session.rename(1, "branch")
    assert len(records._layouts) == held


@pytest.mark.parametrize("budget", [0, 60_000])
def test_history_is_bounded(scene: Phantom, network: SAM2, middle: Middle, budget: int) -> None:
    session = Session(scene.images, network, undo_bytes=budget)
    session.prompt(0, 1, clicks=[middle(0, 1)])
    records = None
    sizes = []
    for _ in range(4):
        list(session.propagate())
        records = session._ledger.engine.records
        assert records is not None
        sizes.append(len(records._layouts))
        history = session._ledger.history
        assert history.nbytes <= budget or len(history._done) == 1
    assert sizes[-1] == sizes[-2], "what cannot be undone any more is forgotten"
    before = contents(session)
    assert session.undo() is not None, "the newest step can always be undone"
    assert contents(session) == before, "doing the same twice gives the same"
    while session.undo() is not None:
        pass
    assert session.steps, "older steps are true for good"
    session.prompt(2, 1, clicks=[middle(2, 1)])
    list(session.propagate())


def test_undo_ends_a_propagation(session: Session, middle: Middle) -> None:
    session.prompt(0, 1, clicks=[middle(0, 1)])
    run = session.propagate()
    next(run), next(run)
    assert session.can_undo
    session.undo()
    assert list(run) == []
    assert sorted(session.masks(1)) == [0]
    assert session.unfinished is None
    session.redo()
    assert sorted(session.masks(1)) == [0, 1]


def test_a_failing_step_is_taken_back_whole(
    session: Session, middle: Middle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        session.prompt(0, number, clicks=[middle(0, number)])
    list(session.propagate())
    before = snapshot(session)
    remove, calls = session._ledger.engine.remove, []

    def breaks(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise PromptError("broken")
        remove(*args)

    monkeypatch.setattr(session._ledger.engine, "remove", breaks)
    with pytest.raises(PromptError, match="broken"):
        session.merge(1, [2, 3])
    monkeypatch.undo()
    assert snapshot(session) == before
    list(session.propagate())
    assert contents(session) == before[3]


def test_a_frame_that_cannot_be_read_leaves_the_ones_before(
    scene: Phantom, network: SAM2, middle: Middle
) -> None:
    class Broken:
        shape = scene.images.shape

        def __len__(self) -> int:
            return len(scene.images)

        def __getitem__(self, index: int) -> np.ndarray:
            if index == 3 and self.broken:
                raise OSError("the disk is gone")
            return scene.images[index]

        broken = False
        ndim = 3

    frames = Broken()
    session = Session(scene.images, network)
    session._ledger.engine.frames = frames
    session.prompt(0, 1, clicks=[middle(0, 1)])
    frames.broken = True
    with pytest.raises(OSError, match="the disk is gone"):
        list(session.propagate())
    assert sorted(session.masks(1)) == [0, 1, 2]
    frames.broken = False
    assert [done.frame for done in session.resume()] == [3, 4, 5, 6, 7]
