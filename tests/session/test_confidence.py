"""Where masks jump, following stops, and review begins."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_sam2.errors import Sam2Error
from napari_sam2.imaging.phantoms import Phantom, moving_nuclei, nuclei_volume
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.confidence import Doubt, confidences
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.objects import FrameMask
from napari_sam2.session.session import Session
from napari_sam2.session.shape import Shape
from tests.session.conftest import contents, every_label

Middle = Callable[[int, int], Click]
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def square(y: int, x: int, side: int) -> RunLengths:
    mask = np.zeros((40, 60), bool)
    mask[y : y + side, x : x + side] = True
    return RunLengths.encode(mask)


@settings(deadline=None, max_examples=200)
@given(arrays(bool, SHAPES, elements=st.booleans()))
def test_shape_is_that_of_the_pixels(mask: np.ndarray) -> None:
    shape = Shape.of(RunLengths.encode(mask))
    assert shape.area == mask.sum()
    if mask.any():
        ys, xs = np.nonzero(mask)
        assert (shape.y, shape.x) == pytest.approx((ys.mean(), xs.mean()))


@pytest.mark.parametrize(
    ("before", "after", "stopped"),
    [
        (square(10, 10, 6), square(10, 10, 8), False),
        (square(10, 10, 6), square(10, 10, 13), True),  # 4.7 times the area
        (square(10, 10, 13), square(10, 10, 6), False),  # shrinking is no leak
        (square(10, 10, 6), square(10, 22, 6), False),  # 1.8 diameters
        (square(10, 10, 6), square(10, 26, 6), True),  # 2.4 diameters
        (square(10, 10, 6), square(0, 0, 0), False),
        (square(0, 0, 0), square(10, 10, 20), False),
    ],
)
def test_guard(before: RunLengths, after: RunLengths, stopped: bool) -> None:
    assert LeakGuard().stops(before, after) is stopped
    assert not LeakGuard(0, 0).stops(before, after)


def test_default_guard_lets_true_objects_pass() -> None:
    movie = moving_nuclei(20, 128, 128, objects=6, divisions=2, seed=3).labels
    stack = nuclei_volume(seed=3).labels

    def stopped(labels: np.ndarray, guard: LeakGuard) -> int:
        coded = [[RunLengths.encode(frame == label) for frame in labels] for label in np.unique(labels)[1:]]
        return sum(guard.stops(before, after) for one in coded for before, after in pairwise(one))

    assert stopped(movie, LeakGuard.along("T")) == 0
    assert stopped(stack, LeakGuard.along("Z")) == 0
    assert stopped(stack, LeakGuard.along("T")) > 0, "what would be a leak in time is the cap of an object"


@pytest.mark.parametrize("wrong", [{"growth": -1}, {"shift": float("nan")}])
def test_guard_numbers_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(Sam2Error, match="from 0"):
        LeakGuard(**wrong)


def test_confidence_looks_towards_the_nearest_prompt() -> None:
    masks = {
        0: FrameMask(square(10, 10, 4), 0.5, 0.5),
        1: FrameMask(square(10, 10, 8), 0.5, 0.5),
        2: FrameMask(square(10, 10, 8), 0.9, 0.9),
        3: FrameMask(square(10, 10, 8), 0.8, 0.5),
        4: FrameMask(square(0, 0, 0), 0.8, 0.1),
        5: FrameMask(square(0, 0, 0), 0.8, 0.1),
    }
    found = confidences(masks, [2])
    assert list(found) == [0, 1, 2, 3, 4, 5]
    assert found[0].growth == pytest.approx(1 / 4)
    assert found[0].shift == pytest.approx(2 * 2**0.5 / (2 * (64 / np.pi) ** 0.5))
    assert found[0].value == pytest.approx(0.25 * 0.25 / (1 + found[0].shift))
    assert (found[1].growth, found[1].shift) == (1, 0), "it comes from frame 2, not from frame 0"
    assert found[1].value == pytest.approx(0.25)
    assert found[2].value == 1, "prompted"
    assert found[3].value == pytest.approx(0.4)
    assert found[4].value == 0, "here it was lost"
    assert found[5].value == pytest.approx(0.9), "still out of view"


def test_next_worst_frame(session: Session, middle: Middle) -> None:
    for number in (1, 2):
        session.prompt(0, number, clicks=[middle(0, number)])
    assert session.next_worst_frame() is None, "all that is there was prompted"
    list(session.propagate())
    everything = [
        Doubt(number, frame, confidence.value)
        for number in (1, 2)
        for frame, confidence in session.confidence(number).items()
        if frame
    ]
    assert len({doubt.value for doubt in everything}) > 5
    everything.sort(key=lambda doubt: (doubt.value, doubt.frame, doubt.object_id))
    seen: list[Doubt] = []
    while (doubt := session.next_worst_frame(seen=seen)) is not None:
        seen.append(doubt)
    assert seen == everything
    worst = seen[0]
    session.prompt(worst.frame, worst.object_id, clicks=[middle(worst.frame, worst.object_id)])
    assert session.confidence(worst.object_id)[worst.frame].value == 1
    assert session.next_worst_frame() != worst
    assert session.next_worst_frame(below=0) is None
    session.commit(1)
    rest = session.next_worst_frame()
    assert rest is not None
    assert rest.object_id == 2
    session.hide(2)
    assert session.next_worst_frame() is None
    assert session.next_worst_frame([1]) is not None


@pytest.fixture
def jumping(scene: Phantom, network: SAM2, middle: Middle) -> tuple[LeakGuard, int]:
    """A guard that stops object 1, followed from frame 0, somewhere in the middle and not object 2 there."""
    plain = Session(scene.images, network, guard=LeakGuard(0, 0))
    for number in (1, 2):
        plain.prompt(0, number, clicks=[middle(0, number)])
    list(plain.propagate())
    shapes = {n: [Shape.of(mask.runs) for _, mask in sorted(plain.masks(n).items())] for n in (1, 2)}
    growths = {n: [b.growth(a) for a, b in pairwise(s)] for n, s in shapes.items()}
    limit = sorted(growths[1])[-2]
    frame = next(f for f, growth in enumerate(growths[1], 1) if growth > limit)
    assert 1 < frame < 7, "chosen so"
    return LeakGuard(limit, 0), frame


def test_guard_stops_one_object_and_not_the_run(
    scene: Phantom, network: SAM2, middle: Middle, jumping: tuple[LeakGuard, int], tmp_path: Path
) -> None:
    guard, frame = jumping
    session = Session(scene.images, network, guard=guard)
    told: list[tuple[int, int]] = []
    session.events.stopped.connect(lambda number, at: told.append((number, at)))
    session.prompt(0, 1, clicks=[middle(0, 1)])
    session.prompt(0, 2, mask=scene.labels[0] == 2)
    run = list(session.propagate())
    assert (1, frame) in told
    assert next(done.stopped for done in run if done.frame == frame)[0] == 1
    assert sorted(session.masks(1)) == list(range(frame))
    kept = contents(session)
    session.undo()
    assert sorted(session.masks(1)) == [0]
    session.redo()
    assert contents(session) == kept
    again = session.fresh()
    for step in session.steps:
        again.repeat(step)
    assert contents(again) == kept
    loaded = Session.load(session.save(tmp_path / "a.json"), frames=scene.images, model=network)
    for one in (session, loaded):
        one.prompt(frame, 1, clicks=[middle(frame, 1)])
        list(one.propagate([1], start=frame, stop=frame))
    assert sorted(session.masks(1)) == list(range(frame + 1)), "a prompt is believed"
    assert contents(loaded) == contents(session)
    assert np.array_equal(every_label(loaded), every_label(session))
    names = {"image": scene.images, "model": network}
    exec(session.script(), names)
    assert contents(names["session"]) == contents(session)


def test_stopped_objects_are_not_taken_up_again_by_resume(
    scene: Phantom, network: SAM2, middle: Middle, jumping: tuple[LeakGuard, int]
) -> None:
    guard, frame = jumping
    whole, broken = (Session(scene.images, network, guard=guard) for _ in range(2))
    for one in (whole, broken):
        one.prompt(0, 1, clicks=[middle(0, 1)])
        one.prompt(0, 2, mask=scene.labels[0] == 2)
    list(whole.propagate())
    run = broken.propagate()
    while next(run).frame < frame:
        pass
    run.close()
    if broken.unfinished is not None:
        list(broken.resume())
    assert contents(broken) == contents(whole)
    assert 1 not in {number for number, at in contents(broken) if at >= frame}
