"""Curves kept up step by step agree with curves computed at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.inference.masklet import RunLengths
from napari_sam2.plugin.confidence_curve import Curve, described, jumps, refreshed
from napari_sam2.session.confidence import Confidence
from napari_sam2.session.objects import FrameMask


def square(side: int, at: int = 0, iou: float = 0.8) -> FrameMask:
    mask = np.zeros((40, 40), bool)
    mask[:side, at : at + side] = True
    return FrameMask(RunLengths.encode(mask), iou, 0.9)


POOL = [square(side, at, iou) for side in (0, 4, 9, 16) for at in (0, 12) for iou in (0.3, 0.9)]
MASKS = st.dictionaries(st.integers(0, 12), st.sampled_from(POOL))


def same(one: Curve, other: Curve) -> bool:
    return (
        list(one.values.items()) == list(other.values.items())
        and list(one.levels.items()) == list(other.levels.items())
        and one.jumps == other.jumps
        and one.covered == other.covered
    )


@given(st.lists(st.tuples(MASKS, st.sets(st.integers(0, 12), max_size=2)), min_size=2, max_size=4))
def test_step_by_step_is_as_at_once(states: list[tuple[dict[int, FrameMask], set[int]]]) -> None:
    curve = None
    for masks, prompted in states:
        curve = refreshed(curve, masks, prompted)
        assert same(curve, Curve.of(masks, prompted))


@given(MASKS, MASKS)
def test_masks_change_and_prompts_stay(before: dict[int, FrameMask], after: dict[int, FrameMask]) -> None:
    assert same(refreshed(Curve.of(before, {3}), after, {3}), Curve.of(after, {3}))


def test_nothing_new_is_the_same_curve() -> None:
    masks = {0: square(9), 1: square(9)}
    curve = Curve.of(masks, {0})
    assert refreshed(curve, dict(masks), [0]) is curve
    assert refreshed(curve, {**masks, 1: square(9)}, [0]) is not curve


def test_sums() -> None:
    masks = {0: square(9), 1: square(9, iou=0.5), 2: square(9, iou=0.5), 3: square(0)}
    curve = Curve.of(masks, {0})
    assert curve.covered == 3
    assert curve.worst == 3  # lost, with nothing that says so
    assert curve.least == 0
    assert curve.jumps == {3}
    assert Curve.of({0: masks[0]}, {0}).worst is None
    assert Curve.of({0: masks[0]}, {0}).least == 1
    assert Curve.of({}, ()).least is None
    assert Curve.of({1: masks[1], 2: masks[2]}, ()).worst == 1


@pytest.mark.parametrize(
    ("confidence", "jump", "text"),
    [
        (Confidence(0.9, 0.9, 1.0, 0.0, False, False), False, "confidence 0.81"),
        (Confidence(0.9, 0.9, 3.0, 0.9, True, False), False, "prompted by you"),
        (
            Confidence(1.0, 1.0, 4.0, 0.0, False, False),
            True,
            "confidence 0.25, 4.0 times its size",
        ),
        (Confidence(1.0, 1.0, 0.25, 0.0, False, False), True, "confidence 0.25, 25% of its size"),
        (Confidence(1.0, 1.0, 1.0, 1.0, False, False), True, "confidence 0.50, moved by 1.0 diameters"),
        (Confidence(1.0, 1.0, float("inf"), 0.0, False, False), True, "confidence 0.00, appears here"),
        (Confidence(0.9, 0.2, 0.0, 0.0, False, True), True, "confidence 0.00, lost on this slice"),
        (Confidence(0.9, 0.2, 1.0, 0.0, False, True), False, "confidence 0.80, out of view"),
    ],
)
def test_in_words(confidence: Confidence, jump: bool, text: str) -> None:
    assert jumps(confidence) is jump
    assert described(confidence, "slice") == text
