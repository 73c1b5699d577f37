"""Objects that hang together from slice to slice, and end for good: scripted masks through the tracker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_sam2.errors import Sam2Error
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import MaskPrediction
from napari_sam2.prompts import Click, Direction

# What the network says: near the click, somewhat moved, elsewhere, nothing; a number is a score, for HERE.
HERE, NEAR, FAR, NONE = (2, 8), (6, 12), (20, 28), None
Script = Sequence[tuple[int, int] | float | None]


class Scripted:
    """Stands in for `SAM2.decode`: a square mask at each call in turn, the last one again and again."""

    def __init__(self, model: SAM2, script: Script) -> None:
        self._decode, self._script = model.decode, script
        self.calls = 0

    def __call__(self, *given: Any, **named: Any) -> MaskPrediction:
        said = self._script[min(self.calls, len(self._script) - 1)]
        self.calls += 1
        found = self._decode(*given, **named).best()
        logits = torch.full_like(found.logits, -6.0)
        score = said if isinstance(said, float) else -4.0 if said is None else 4.0
        if said is not None:
            low, high = HERE if isinstance(said, float) else said
            logits[..., low:high, low:high] = 6.0
        return replace(found, logits=logits, object_score=torch.full_like(found.object_score, score))


@pytest.fixture
def slices() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, (9, 64, 64)).astype(np.uint16)


@pytest.fixture
def scripted(small_model: SAM2, monkeypatch: pytest.MonkeyPatch) -> Callable[[Script], Scripted]:
    def say(script: Script) -> Scripted:
        monkeypatch.undo()
        fake = Scripted(small_model, script)
        monkeypatch.setattr(small_model, "decode", fake)
        return fake

    return say


@pytest.fixture
def follow(
    small_model: SAM2, slices: np.ndarray, scripted: Callable[[Script], Scripted]
) -> Callable[..., tuple[str, int]]:
    """Click on the first slice (or the last, going backward): where the mask was empty, and calls."""

    def run(
        script: Script, within: int, direction: Direction = Direction.FORWARD, start: int | None = None
    ) -> tuple[str, int]:
        fake = scripted(script)
        tracker = VideoTracker(small_model, TrackingPolicy(contiguous_within=within))
        state = tracker.start(slices)
        first = 0 if direction is Direction.FORWARD else len(slices) - 1
        tracker.prompt(state, first, 1, clicks=[Click(10, 10)])
        seen = [bool(result.labels().any()) for result in tracker.propagate(state, start, None, direction)]
        return "".join("#" if one else "." for one in seen), fake.calls

    return run


def test_by_default_an_object_may_jump_and_come_back(follow: Callable[..., tuple[str, int]]) -> None:
    assert follow([HERE, HERE, FAR, NONE, NONE, HERE], within=0) == ("###..####", 9)


@pytest.mark.parametrize("direction", list(Direction))
def test_a_body_that_was_missed_has_ended(
    follow: Callable[..., tuple[str, int]], direction: Direction
) -> None:
    seen, calls = follow([HERE, HERE, NONE, NONE, HERE], 2, direction)
    assert seen == "##......."
    assert calls == 4, "nothing is asked of the network any more"


def test_a_mask_that_touches_nothing_is_not_taken(follow: Callable[..., tuple[str, int]]) -> None:
    assert follow([HERE, NEAR, FAR], within=1) == ("##.......", 3)


def test_a_gap_is_bridged_where_the_mask_touches_what_was_before_it(
    follow: Callable[..., tuple[str, int]],
) -> None:
    assert follow([HERE, HERE, NONE, NEAR], within=2)[0] == "##.######"
    assert follow([HERE, HERE, NONE, NEAR], within=1)[0] == "##......."
    assert follow([HERE, HERE, NONE, FAR], within=2)[0] == "##......."


def test_bodies_end_each_by_itself(
    small_model: SAM2, slices: np.ndarray, scripted: Callable[[Script], Scripted]
) -> None:
    # Two objects, clicked where the masks will be; those on one slice are found together, row by row.
    tracker = VideoTracker(small_model, TrackingPolicy(contiguous_within=1, objects_at_once=1))
    state = tracker.start(slices)
    script = [HERE, FAR, *(HERE, FAR), *(NONE, FAR), FAR]
    scripted(script)
    for number, click in ((1, Click(10, 10)), (2, Click(48, 48))):
        tracker.prompt(state, 0, number, clicks=[click])
    list(tracker.propagate(state))
    areas = {n: [state.objects[n].masklet.masks[t].area > 0 for t in range(9)] for n in (1, 2)}
    assert areas == {1: [True, True] + [False] * 7, 2: [True] * 9}


def test_a_new_prompt_brings_an_ended_object_back(
    small_model: SAM2, slices: np.ndarray, scripted: Callable[[Script], Scripted]
) -> None:
    tracker = VideoTracker(small_model, TrackingPolicy(contiguous_within=1))
    state = tracker.start(slices)
    scripted([HERE, NONE])
    tracker.prompt(state, 0, 1, clicks=[Click(10, 10)])
    list(tracker.propagate(state))
    scripted([HERE])
    tracker.prompt(state, 5, 1, clicks=[Click(10, 10)])
    seen = [bool(result.labels().any()) for result in tracker.propagate(state, start=4)]
    assert seen == [False, True, True, True, True]


def test_what_an_earlier_pass_found_beyond_the_end_is_gone(
    small_model: SAM2, slices: np.ndarray, scripted: Callable[[Script], Scripted]
) -> None:
    tracker = VideoTracker(small_model, TrackingPolicy(contiguous_within=1))
    state = tracker.start(slices)
    scripted([HERE])
    tracker.prompt(state, 0, 1, clicks=[Click(10, 10)])
    assert all(result.labels().any() for result in tracker.propagate(state))
    scripted([HERE, NONE, HERE])
    again = [bool(result.labels().any()) for result in tracker.propagate(state)]
    assert again == [True, True] + [False] * 7
    assert sorted(state.objects[1].bank.tracked) == [1, 2]


@pytest.mark.parametrize(
    ("scores", "share", "seen"),
    [
        pytest.param([20.0, 4.0, 4.0, 2.1, 4.0], 0.5, "#########", id="not below the share"),
        pytest.param([20.0, 4.0, 4.0, 1.9, 4.0], 0.5, "###.#####", id="below it, on one slice"),
        pytest.param([20.0, 4.0, 4.0, 0.1, 4.0], 0.0, "#########", id="switched off"),
        pytest.param([20.0, 1.0, 3.0, 4.0, 3.0], 0.7, "#########", id="the prompt's own score is no measure"),
        pytest.param([20.0, 2.0, 4.0, 2.0], 0.7, "###......", id="the highest on the way is"),
        pytest.param([20.0, -1.0, 0.5], 0.7, "#.#######", id="nothing was in view before"),
    ],
)
def test_an_object_fades_where_its_score_falls(
    small_model: SAM2,
    slices: np.ndarray,
    scripted: Callable[[Script], Scripted],
    scores: list[float],
    share: float,
    seen: str,
) -> None:
    scripted(scores)
    tracker = VideoTracker(small_model, TrackingPolicy(fades_below=share))
    state = tracker.start(slices)
    tracker.prompt(state, 0, 1, clicks=[Click(10, 10)])
    found = [bool(result.labels().any()) for result in tracker.propagate(state)]
    assert "".join("#" if one else "." for one in found) == seen


def test_the_way_forward_is_no_measure_for_the_way_back(
    small_model: SAM2, slices: np.ndarray, scripted: Callable[[Script], Scripted]
) -> None:
    tracker = VideoTracker(small_model, TrackingPolicy(fades_below=0.5))
    state = tracker.start(slices)
    scripted([20.0, 9.0])
    tracker.prompt(state, 4, 1, clicks=[Click(10, 10)])
    list(tracker.propagate(state))
    scripted([3.0, 3.0, 1.0])
    back = [bool(result.labels().any()) for result in tracker.propagate(state, direction="backward")]
    assert back == [True, True, True, False, False]


def test_what_has_faded_is_not_in_view_for_memory_either(
    small_model: SAM2, slices: np.ndarray, scripted: Callable[[Script], Scripted]
) -> None:
    tracker = VideoTracker(small_model, TrackingPolicy(fades_below=0.5))
    state = tracker.start(slices)
    scripted([20.0, 4.0, 1.0])
    tracker.prompt(state, 0, 1, clicks=[Click(10, 10)])
    list(tracker.propagate(state))
    record = state.objects[1].bank.tracked[2]
    prediction = state.records.prediction(record, torch.device("cpu"))
    assert float(prediction.object_score) < 0 and (prediction.logits < 0).all()


def test_objects_fade_each_by_itself(
    small_model: SAM2, slices: np.ndarray, scripted: Callable[[Script], Scripted]
) -> None:
    tracker = VideoTracker(small_model, TrackingPolicy(fades_below=0.5, objects_at_once=1))
    state = tracker.start(slices)
    scripted([20.0, 20.0, *(8.0, 2.0), *(3.0, 1.5), *(8.0, 0.5)])
    for number in (1, 2):
        tracker.prompt(state, 0, number, clicks=[Click(10, 10)])
    list(tracker.propagate(state, length=4))
    areas = {n: [state.objects[n].masklet.masks[t].area > 0 for t in range(4)] for n in (1, 2)}
    assert areas == {1: [True, True, False, True], 2: [True, True, True, False]}


def test_stacks_have_both_and_the_rest_is_as_ever() -> None:
    policy = TrackingPolicy.for_stacks(fill_hole_area=3)
    assert policy.contiguous_within > 0 and policy.fades_below > 0
    assert replace(policy, contiguous_within=0, fades_below=0.0) == TrackingPolicy(fill_hole_area=3)


def test_it_is_off_in_both_policies_and_needs_drop_strays() -> None:
    assert TrackingPolicy().contiguous_within == TrackingPolicy.reference().contiguous_within == 0
    with pytest.raises(Sam2Error, match="switch that on"):
        TrackingPolicy.reference(contiguous_within=2)
    assert TrackingPolicy().fades_below == TrackingPolicy.reference().fades_below == 0
    with pytest.raises(Sam2Error, match="0 for never"):
        TrackingPolicy(contiguous_within=-1)
    with pytest.raises(Sam2Error, match="from 0 to 1"):
        TrackingPolicy(fades_below=1.5)
