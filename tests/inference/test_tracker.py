"""The tracker keeps its promises: bounded is unbounded, corrections stick, objects stay apart."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_sam2.errors import ImageError, PromptError, Sam2Error
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.imaging.phantoms import Phantom, moving_nuclei
from napari_sam2.inference.frame_result import FrameResult
from napari_sam2.inference.pixels import clicked_cells
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.postprocess import HOLE_LOGIT, fill_holes
from napari_sam2.inference.track_state import TrackState
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import NO_OBJECT
from napari_sam2.prompts import Box, Click, Direction
from tests.conftest import seed_weights

WINDOW = IntensityMap.window(100, 3000)


@pytest.fixture(scope="module")
def model(small_model: SAM2) -> SAM2:
    """Weights under which masks are neither empty nor full, and change from frame to frame."""
    lively = copy.deepcopy(small_model)
    seed_weights(lively, 8)
    return lively


@pytest.fixture(scope="module")
def scene() -> Phantom:
    return moving_nuclei(60, 96, 96, objects=4, divisions=0, radius=8.0)


@pytest.fixture
def video(scene: Phantom) -> np.ndarray:
    return scene.images[:12]


def middle(scene: Phantom, frame: int, label: int) -> Click:
    y, x = np.argwhere(scene.labels[frame] == label).mean(axis=0)
    return Click(float(y), float(x))


def run(model: SAM2, video: Any, *steps: Any, policy: TrackingPolicy | None = None) -> list[FrameResult]:
    """Prompt by (frame, object, click), then go forward once."""
    tracker = VideoTracker(model, policy)
    state = tracker.start(video, WINDOW)
    for frame, object_id, click in steps:
        tracker.prompt(state, frame, object_id, clicks=[click])
    return list(tracker.propagate(state))


def assert_same(a: Iterable[FrameResult], b: Iterable[FrameResult]) -> None:
    for one, other in zip(a, b, strict=True):
        assert one.frame == other.frame
        assert one.object_ids == other.object_ids
        assert torch.equal(one.logits, other.logits), f"frame {one.frame}"
        assert torch.equal(one.scores, other.scores)
        assert np.array_equal(one.labels(), other.labels())


def masks(state: TrackState, object_id: int) -> dict[int, np.ndarray]:
    return {frame: runs.decode() for frame, runs in state.objects[object_id].masklet.masks.items()}


A, B, C = Click(30, 30), Click(60, 70), Click(75, 20)


# Stray pieces


def strays(state: TrackState, frame: int, wanted: torch.Tensor) -> int:
    """How many pieces of object 1's mask on a frame meet nothing of (h, w), where another piece does."""
    record = state.objects[1].record_at(frame, prompted=False)
    assert record is not None
    mask = (state.records.prediction(record, torch.device("cpu")).logits[0, 0] > 0).numpy()
    pieces, count = ndimage.label(mask, structure=np.ones((3, 3)))
    met = np.setdiff1d(pieces[wanted.numpy()], [0]).size
    return count - met if met else 0


def strays_of_a_run(model: SAM2, video: np.ndarray, drop: bool) -> tuple[int, int]:
    """Stray pieces on the frame of the click, and on those that followed."""
    tracker = VideoTracker(model, TrackingPolicy(drop_strays=drop, fill_hole_area=0))
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    first = state.objects[1].fresh_prompted[0]
    list(tracker.propagate(state))

    def found(record: Any) -> torch.Tensor:
        return state.records.prediction(record, torch.device("cpu")).logits[0, 0] > 0

    grid = found(state.objects[1].bank.prompted[0]).shape
    assert first.mask == state.objects[1].bank.prompted[0].mask
    clicked = strays(state, 0, clicked_cells([A], video.shape[1:], grid))
    records = {**state.objects[1].bank.tracked, **state.objects[1].bank.prompted}
    followed = [strays(state, t, found(records[t - 1])) for t in range(1, len(video))]
    return clicked, sum(followed)


def test_strays_are_dropped_where_a_user_clicked_and_where_an_object_is_followed(
    model: SAM2, video: np.ndarray
) -> None:
    assert strays_of_a_run(model, video, drop=True) == (0, 0)
    clicked, followed = strays_of_a_run(model, video, drop=False)
    assert clicked > 0 and followed > 0, "without the policy there are some, or nothing was tested"


# Bounded state


def annotate(tracker: VideoTracker, scene: Phantom) -> tuple[list[FrameResult], TrackState]:
    """Three objects, both directions, corrections on old frames, and tracking on from them."""
    state = tracker.start(scene.images)
    results = [tracker.prompt(state, 0, label, clicks=[middle(scene, 0, label)]) for label in (1, 2)]
    results += [tracker.prompt(state, 30, 3, clicks=[middle(scene, 30, 3)])]
    results += tracker.propagate(state)
    results += tracker.propagate(state, start=30, length=12, direction="backward")
    results += [tracker.prompt(state, 10, 1, clicks=[middle(scene, 10, 1)], replace=False)]
    results += tracker.propagate(state, start=10, length=12)
    wrong = middle(scene, 25, 4)
    results += [tracker.prompt(state, 25, 2, clicks=[Click(wrong.y, wrong.x, positive=False)])]
    results += [tracker.prompt(state, 25, 3, box=Box(20, 20, 60, 60))]
    results += tracker.propagate(state, start=25, length=12)
    results += tracker.propagate(state, start=25, length=12, direction="backward")
    results += [tracker.clear(state, 25, 2)]
    results += tracker.propagate(state, start=22, length=6)
    return results, state


def test_a_tightly_bounded_run_gives_what_an_unbounded_one_gives(model: SAM2, scene: Phantom) -> None:
    free = VideoTracker(model, TrackingPolicy(state_bytes=2**40, embedding_bytes=2**40))
    tight = VideoTracker(model, TrackingPolicy(state_bytes=0, embedding_bytes=0))
    unbounded, roomy = annotate(free, scene)
    bounded, narrow = annotate(tight, scene)
    assert_same(unbounded, bounded)
    for object_id in (1, 2, 3):
        ours, theirs = masks(roomy, object_id), masks(narrow, object_id)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[frame], theirs[frame]) for frame in ours)
    assert len({result.labels().tobytes() for result in unbounded}) > 60, "the labels say something"
    assert roomy.records.resident_bytes > 10**6
    assert roomy.records.spilled_bytes == 0
    assert narrow.records.resident_bytes == 0
    assert narrow.embeddings.nbytes * 10 < roomy.embeddings.nbytes


def test_memory_is_bounded_at_every_frame(model: SAM2, video: np.ndarray) -> None:
    budget = 40_000
    tracker = VideoTracker(model, TrackingPolicy(state_bytes=budget))
    state = tracker.start(video)
    for object_id, click in enumerate((A, B, C), 1):
        tracker.prompt(state, 0, object_id, clicks=[click])
    for result in tracker.propagate(state):
        assert state.records.resident_bytes <= budget, result.frame
    assert state.records.spilled_bytes > budget, "more than the budget was remembered"


def test_nothing_is_left_of_what_was_dropped(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model, TrackingPolicy(state_bytes=2**40))
    state = tracker.start(video)
    tracker.prompt(state, 0, 1, clicks=[A])
    list(tracker.propagate(state))
    alone = state.records.resident_bytes
    tracker.prompt(state, 0, 2, clicks=[B])
    tracker.prompt(state, 5, 2, clicks=[B])
    tracker.prompt(state, 5, 2, clicks=[C])
    list(tracker.propagate(state))
    list(tracker.propagate(state))
    assert state.records.resident_bytes == 2 * alone
    tracker.prompt(state, 3, 2, clicks=[A])
    tracker.remove(state, 2)
    assert state.records.resident_bytes == alone
    tracker.reset(state)
    assert state.records.resident_bytes == 0


# What the default policy promises


def corrected(tracker: VideoTracker, video: np.ndarray) -> tuple[FrameResult, list[FrameResult]]:
    """A correction on frame 5 of a tracked video, and tracking once more over all of it."""
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    list(tracker.propagate(state))
    correction = tracker.prompt(state, 5, 1, clicks=[B])
    return correction, list(tracker.propagate(state))


def test_corrections_stick(model: SAM2, video: np.ndarray) -> None:
    correction, after = corrected(VideoTracker(model), video)
    before = run(model, video, (0, 1, A))
    assert not np.array_equal(correction.labels(), before[5].labels()), "it corrected something"
    assert torch.equal(after[5].logits, correction.logits)
    assert not torch.equal(after[6].logits, before[6].logits), "and later frames follow it"


def test_corrections_are_lost_in_the_reference(model: SAM2, video: np.ndarray) -> None:
    correction, after = corrected(VideoTracker(model, TrackingPolicy.reference()), video)
    assert not np.array_equal(after[5].labels(), correction.labels())


def test_a_correction_of_the_first_prompt_sticks(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    list(tracker.propagate(state))
    tracker.prompt(state, 0, 1, clicks=[B])
    assert_same(tracker.propagate(state), run(model, video, (0, 1, B)))


def test_an_object_begins_at_its_own_first_prompt(model: SAM2, scene: Phantom) -> None:
    video = scene.images[:26]
    both = run(model, video, (0, 1, A), (20, 2, B))
    first = run(model, video, (0, 1, A))
    second = run(model, video, (20, 2, B))
    assert [r.frame for r in both] == list(range(26))
    assert [r.frame for r in second] == list(range(20, 26))
    for result, alone in zip(both, first, strict=True):
        assert torch.equal(result.logits[0], alone.logits[0]), result.frame
        if result.frame < 20:
            assert (result.logits[1] == NO_OBJECT).all()
            assert float(result.scores[1]) == 0
            assert 2 not in result.labels()
    for result, alone in zip(both[20:], second, strict=True):
        assert torch.equal(result.logits[1], alone.logits[0]), result.frame
    assert (both[25].logits[1] > NO_OBJECT).any()


def test_backward_each_object_begins_at_its_own_first_prompt(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 3, 1, clicks=[A])
    tracker.prompt(state, 7, 2, clicks=[B])
    results = list(tracker.propagate(state, direction=Direction.BACKWARD))
    assert [r.frame for r in results] == list(range(7, -1, -1))
    assert masks(state, 1).keys() == set(range(4))
    assert masks(state, 2).keys() == set(range(8))
    assert all((r.logits[0] == NO_OBJECT).all() for r in results[:4])


def test_from_a_frame_that_no_prompt_lies_behind_an_object_waits(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 4, 1, clicks=[A])
    forward = list(tracker.propagate(state, start=2, length=4))
    assert [bool((r.logits == NO_OBJECT).all()) for r in forward] == [True, True, False, False]
    backward = list(tracker.propagate(state, start=7, length=5, direction="backward"))
    assert masks(state, 1).keys() == {3, 4, 5}
    assert [r.frame for r in backward] == [7, 6, 5, 4, 3]


def test_the_reference_follows_an_object_through_frames_before_its_prompt(
    model: SAM2, video: np.ndarray
) -> None:
    results = run(model, video, (0, 1, A), (6, 2, B), policy=TrackingPolicy.reference())
    assert (results[3].logits[1] != NO_OBJECT).any()


@pytest.mark.parametrize("area", [8, 60])
def test_holes_are_filled_on_any_device(model: SAM2, video: np.ndarray, area: int) -> None:
    def low_resolution(fill: int) -> torch.Tensor:
        tracker = VideoTracker(model, TrackingPolicy(fill_hole_area=fill))
        state = tracker.start(video, WINDOW)
        for object_id, click in enumerate((A, B, C), 1):
            tracker.prompt(state, 0, object_id, clicks=[click])
        list(tracker.propagate(state, length=2))
        keys = [track.bank.at(frame) for track in state.objects.values() for frame in (0, 1)]
        cpu = torch.device("cpu")
        return torch.cat([state.records.prediction(key, cpu).logits for key in keys if key is not None])

    raw, filled = low_resolution(0), low_resolution(area)
    assert torch.equal(filled[::2], fill_holes(raw[::2], area)), "prompted frames"
    assert (filled == HOLE_LOGIT).any()
    assert not (raw == HOLE_LOGIT).any()
    assert torch.equal(fill_holes(filled, area), filled), "tracked frames too"


def test_replace_starts_anew(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    again = tracker.prompt(state, 0, 1, clicks=[B])
    fresh = tracker.prompt(tracker.start(video, WINDOW), 0, 1, clicks=[B])
    assert_same([again], [fresh])
    assert state.objects[1].prompts[0].clicks == (B,)
    list(tracker.propagate(state))
    boxed = tracker.prompt(state, 0, 1, box=Box(10, 10, 50, 50))
    fresh = tracker.prompt(tracker.start(video, WINDOW), 0, 1, box=Box(10, 10, 50, 50))
    assert_same([boxed], [fresh])


def test_a_prompt_given_again_keeps_its_place(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 4, 1, clicks=[A])
    tracker.prompt(state, 0, 1, clicks=[B])
    list(tracker.propagate(state))
    tracker.prompt(state, 4, 1, clicks=[C])
    list(tracker.propagate(state))
    assert list(state.objects[1].bank.prompted) == [4, 0], "ties between memories go to the one added first"


def test_replace_feeds_the_old_mask_in_the_reference(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model, TrackingPolicy.reference())
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    again = tracker.prompt(state, 0, 1, clicks=[B])
    fresh = tracker.prompt(tracker.start(video, WINDOW), 0, 1, clicks=[B])
    assert not torch.equal(again.logits, fresh.logits)


def test_without_replace_prompts_add_up(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    added = tracker.prompt(state, 0, 1, clicks=[B], replace=False)
    assert state.objects[1].prompts[0].clicks == (A, B)
    fresh = tracker.start(video, WINDOW)
    assert not torch.equal(added.logits, tracker.prompt(fresh, 0, 1, clicks=[B]).logits)
    assert not torch.equal(added.logits, tracker.prompt(fresh, 0, 1, clicks=[A, B]).logits), "mask fed back"
    tracker.prompt(state, 0, 1, box=Box(1, 1, 50, 50), replace=False)
    assert state.objects[1].prompts[0].clicks == (A, B)
    assert state.objects[1].prompts[0].box == Box(1, 1, 50, 50)
    mask = np.zeros((96, 96), bool)
    mask[20:60, 20:60] = True
    tracker.prompt(state, 0, 1, mask=mask, replace=False)
    assert state.objects[1].prompts[0].clicks == ()
    tracker.prompt(state, 0, 1, clicks=[C], replace=False)
    assert state.objects[1].prompts[0].mask is None
    assert state.objects[1].prompts[0].clicks == (C,)


def test_clear_really_clears(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    tracker.prompt(state, 5, 1, clicks=[B])
    list(tracker.propagate(state))
    cleared = tracker.clear(state, 5, 1)
    assert (cleared.logits == NO_OBJECT).all()
    assert 5 not in masks(state, 1)
    assert_same(tracker.propagate(state), run(model, video, (0, 1, A)))
    assert state.objects[1].prompts.keys() == {0}


def test_clearing_a_correction_brings_back_what_tracking_found(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    before = list(tracker.propagate(state))[5]
    mask = masks(state, 1)[5]
    tracker.prompt(state, 5, 1, clicks=[B])
    assert not np.array_equal(masks(state, 1)[5], mask)
    assert_same([tracker.clear(state, 5, 1)], [before])
    assert np.array_equal(masks(state, 1)[5], mask)
    assert state.objects[1].masklet.scores[5] == float(before.scores[0])


def test_clearing_before_tracking_leaves_no_trace(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    tracker.clear(state, 0, 1)
    assert not state.objects[1].masklet.masks
    assert state.records.resident_bytes == 0
    tracker.prompt(state, 0, 1, clicks=[B])
    assert_same(tracker.propagate(state), run(model, video, (0, 1, B)))


def test_clearing_what_was_never_said_changes_nothing(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    results = list(tracker.propagate(state))
    assert_same([tracker.clear(state, 4, 1)], [results[4]])
    assert_same(tracker.propagate(state), results)


@pytest.mark.parametrize(
    "policy", [TrackingPolicy(), TrackingPolicy.reference()], ids=["default", "reference"]
)
def test_a_video_of_one_frame_can_be_prompted_again(
    model: SAM2, video: np.ndarray, policy: TrackingPolicy
) -> None:
    tracker = VideoTracker(model, policy)
    state = tracker.start(video[:1], WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    assert [r.frame for r in tracker.propagate(state)] == [0]
    again = tracker.prompt(state, 0, 1, clicks=[B])
    assert again.logits.isfinite().all()
    assert (again.logits != NO_OBJECT).any()
    for direction in Direction:
        (last,) = tracker.propagate(state, direction=direction)
        assert last.logits.isfinite().all()


# Objects together


def test_objects_in_one_batch_equal_objects_alone(model: SAM2, video: np.ndarray) -> None:
    policy = TrackingPolicy(memory_dtype="float32")
    together = run(model, video, (0, 1, A), (0, 2, B), (0, 3, C), policy=policy)
    for row, click in enumerate((A, B, C)):
        for result, alone in zip(together, run(model, video, (0, 7, click), policy=policy), strict=True):
            torch.testing.assert_close(result.logits[row], alone.logits[0], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("most", [1, 2])
def test_small_batches_give_what_one_large_batch_gives(model: SAM2, video: np.ndarray, most: int) -> None:
    steps = ((0, 1, A), (0, 2, B), (0, 3, C))
    large = run(model, video, *steps, policy=TrackingPolicy(memory_dtype="float32"))
    small = run(model, video, *steps, policy=TrackingPolicy(memory_dtype="float32", objects_at_once=most))
    for one, other in zip(large, small, strict=True):
        torch.testing.assert_close(one.logits, other.logits, atol=2e-4, rtol=1e-3)


def test_objects_of_one_layout_go_through_the_network_together(
    model: SAM2, video: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    original = SAM2.memorize

    def counted(self: SAM2, embedding: Any, prediction: Any, binarize: bool) -> Any:
        sizes.append(len(prediction.logits))
        return original(self, embedding, prediction, binarize)

    tracker = VideoTracker(model)
    state = tracker.start(video[:5], WINDOW)
    for object_id, click in enumerate((A, B, C), 1):
        tracker.prompt(state, 0, object_id, clicks=[click])
    results = tracker.propagate(state)
    next(results)
    monkeypatch.setattr(SAM2, "memorize", counted)
    list(results)
    assert sizes == [3, 3, 3, 3]


def test_an_object_added_later_has_no_history(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    first = list(tracker.propagate(state))
    tracker.prompt(state, 2, 5, clicks=[B])
    again = list(tracker.propagate(state))
    alone = run(model, video, (2, 5, B))
    assert all(torch.equal(a.logits[0], b.logits[0]) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(a.logits[1], b.logits[0]) for a, b in zip(again[2:], alone, strict=True))


def test_removing_an_object_leaves_the_others(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    tracker.prompt(state, 0, 2, clicks=[B])
    results = list(tracker.propagate(state))
    tracker.remove(state, 1)
    assert list(state.objects) == [2]
    for result in results:
        left = tracker.result(state, result.frame)
        assert left.object_ids == (2,)
        assert torch.equal(left.logits[0], result.logits[1])


def test_reset_forgets_objects_but_not_frames(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model, TrackingPolicy(state_bytes=0))
    frames = Reads(video)
    state = tracker.start(frames, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    list(tracker.propagate(state))
    tracker.reset(state)
    assert not state.objects
    frames.read.clear()
    tracker.prompt(state, 0, 1, clicks=[B])
    assert_same(tracker.propagate(state), run(model, video, (0, 1, B)))
    assert not frames.read


def test_without_overlap_a_pixel_has_one_object(model: SAM2, video: np.ndarray) -> None:
    steps = ((0, 1, A), (0, 2, B), (0, 3, C))
    free = run(model, video, *steps)
    parted = run(model, video, *steps, policy=TrackingPolicy(non_overlap_masks=True))
    assert any(((r.logits > 0).sum(dim=0) > 1).any() for r in free)
    for one, other in zip(free, parted, strict=True):
        assert ((other.logits > 0).sum(dim=0) <= 1).all()
        assert np.array_equal(one.labels(), other.labels())


# Stopping, resuming and reading


def test_closing_keeps_what_is_done_and_resuming_goes_on(model: SAM2, video: np.ndarray) -> None:
    whole = run(model, video, (0, 1, A), (0, 2, B))
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    tracker.prompt(state, 0, 2, clicks=[B])
    results = tracker.propagate(state)
    first = [next(results) for _ in range(5)]
    results.close()  # type: ignore[attr-defined]
    assert masks(state, 1).keys() == masks(state, 2).keys() == set(range(5))
    assert_same([tracker.result(state, frame) for frame in range(5)], whole[:5])
    rest = list(tracker.propagate(state, start=5))
    assert_same([*first, *rest], whole)


class Reads:
    """Frames that count how often each is read, one at a time, and allow nothing else."""

    def __init__(self, frames: Any, shape: tuple[int, ...] | None = None) -> None:
        self.frames = frames
        self.shape = shape or frames.shape
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Any:
        assert isinstance(index, int), "one frame at a time"
        self.read.append(index)
        return self.frames[index]


@pytest.mark.parametrize("budget", [2**40, 0])
def test_frames_are_read_when_needed_and_once_for_all_objects(
    model: SAM2, video: np.ndarray, budget: int
) -> None:
    frames = Reads(video)
    tracker = VideoTracker(model, TrackingPolicy(embedding_bytes=budget))
    state = tracker.start(frames, WINDOW)
    assert not frames.read
    for object_id, click in enumerate((A, B, C), 1):
        tracker.prompt(state, 0, object_id, clicks=[click])
    assert frames.read == [0]
    for result in tracker.propagate(state):
        assert frames.read == list(range(result.frame + 1))


def test_prompts_of_several_objects_on_the_same_frames_encode_each_frame_once(
    model: SAM2, video: np.ndarray
) -> None:
    frames = Reads(video)
    tracker = VideoTracker(model, TrackingPolicy(embedding_bytes=0))
    state = tracker.start(frames, WINDOW)
    for object_id, click in enumerate((A, B, C), 1):
        for frame in (0, 6, 3):
            tracker.prompt(state, frame, object_id, clicks=[click])
    frames.read.clear()
    next(tracker.propagate(state))
    assert sorted(frames.read) in ([0, 6], [0, 3, 6]), "frame 3 may still be in the cache"


def test_the_default_intensity_reads_a_sample_only(model: SAM2, scene: Phantom) -> None:
    frames = Reads(scene.images)
    VideoTracker(model).start(frames)
    assert len(set(frames.read)) <= 16


@pytest.mark.parametrize(
    ("start", "length", "direction", "expected"),
    [
        (None, None, "forward", range(4, 12)),
        (None, 3, "forward", range(4, 7)),
        (5, 2, Direction.FORWARD, [5, 6]),
        (10, 5, "forward", [10, 11]),
        (None, 0, "forward", []),
        (None, 1, "forward", [4]),
        (None, None, "backward", range(4, -1, -1)),
        (None, 2, Direction.BACKWARD, [4, 3]),
        (2, 9, "backward", [2, 1, 0]),
        (0, None, "backward", [0]),
    ],
)
def test_start_length_and_direction(
    model: SAM2,
    video: np.ndarray,
    start: int | None,
    length: int | None,
    direction: Direction | str,
    expected: Iterable[int],
) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 4, 1, clicks=[A])
    results = tracker.propagate(state, start=start, length=length, direction=direction)
    assert [r.frame for r in results] == list(expected)


def test_results_are_at_the_size_of_the_video(model: SAM2) -> None:
    video = moving_nuclei(3, 70, 110, objects=3, divisions=0, radius=7.0).images
    tracker = VideoTracker(model)
    state = tracker.start(video)
    tracker.prompt(state, 0, 3, clicks=[Click(40, 100)])
    tracker.prompt(state, 0, 70_000, box=Box(5, 5, 40, 60))
    for result in tracker.propagate(state):
        assert result.logits.shape == (2, 70, 110)
        assert result.logits.dtype == torch.float32
        assert result.scores.shape == (2,)
        labels = result.labels()
        assert labels.shape == (70, 110)
        assert labels.dtype == np.int64
        best = result.logits.max(dim=0)
        expected = np.where(best.values > 0, np.array([3, 70_000])[best.indices], 0)
        assert np.array_equal(labels, expected)
        assert labels.any()
    tracker.remove(state, 70_000)
    assert tracker.result(state, 0).labels().dtype == np.uint16
    tracker.reset(state)
    assert not tracker.result(state, 0).labels().any()


def test_colour_and_lists_of_frames(model: SAM2, video: np.ndarray) -> None:
    gray = (video[:3] // 16).clip(0, 255).astype(np.uint8)
    color = np.repeat(gray[..., None], 3, axis=-1)
    tracker = VideoTracker(model)
    found = []
    for frames in (color, Reads(list(color), color.shape)):
        state = tracker.start(frames)
        tracker.prompt(state, 0, 1, clicks=[A])
        found.append(list(tracker.propagate(state)))
    state = tracker.start(gray, IntensityMap.window(0, 255))
    tracker.prompt(state, 0, 1, clicks=[A])
    assert_same(found[0], found[1])
    assert_same(found[0], tracker.propagate(state))


def test_a_mask_prompt_is_the_result_itself(model: SAM2, video: np.ndarray) -> None:
    mask = np.zeros((96, 96), bool)
    mask[24:60, 30:72] = True
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    result = tracker.prompt(state, 0, 1, mask=mask)
    assert ((result.logits[0] > 0).numpy() ^ mask).mean() < 0.02
    assert float(result.scores[0]) > 0.99
    assert np.array_equal(masks(state, 1)[0], (result.logits[0] > 0).numpy())


# Errors


@pytest.fixture
def tracker(model: SAM2) -> VideoTracker:
    return VideoTracker(model)


def test_propagating_without_an_object(tracker: VideoTracker, video: np.ndarray) -> None:
    with pytest.raises(PromptError, match="no object yet: prompt at least one before propagating"):
        next(tracker.propagate(tracker.start(video, WINDOW)))


def test_propagating_an_object_without_a_prompt(tracker: VideoTracker, video: np.ndarray) -> None:
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    tracker.prompt(state, 0, 2, clicks=[B])
    list(tracker.propagate(state))
    tracker.clear(state, 0, 2)
    with pytest.raises(PromptError, match=r"Object 2 has no prompt: give it a click, .* or remove it"):
        next(tracker.propagate(state))
    tracker.remove(state, 2)
    assert_same(tracker.propagate(state), run(tracker.model, video, (0, 1, A)))


@pytest.mark.parametrize("frame", [-1, 12, 100])
def test_no_such_frame(tracker: VideoTracker, video: np.ndarray, frame: int) -> None:
    state = tracker.start(video, WINDOW)
    message = f"There is no frame {frame}: the sequence has 12, numbered 0 to 11"
    with pytest.raises(PromptError, match=message):
        tracker.prompt(state, frame, 1, clicks=[A])
    assert not state.objects
    tracker.prompt(state, 0, 1, clicks=[A])
    with pytest.raises(PromptError, match=message):
        next(tracker.propagate(state, start=frame))
    with pytest.raises(PromptError, match=message):
        tracker.clear(state, frame, 1)


@pytest.mark.parametrize("object_id", [0, -3, 1.5, "a", None])
def test_no_such_object_id(tracker: VideoTracker, video: np.ndarray, object_id: Any) -> None:
    state = tracker.start(video, WINDOW)
    with pytest.raises(PromptError, match=f"whole numbers from 1 on, got {object_id!r}; 0 is the background"):
        tracker.prompt(state, 0, object_id, clicks=[A])
    assert not state.objects


def test_ids_may_be_numpy_s(tracker: VideoTracker, video: np.ndarray) -> None:
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, np.uint16(3), clicks=[A])  # type: ignore[arg-type]
    assert list(state.objects) == [3]
    assert type(next(iter(state.objects))) is int


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "The prompt is empty"),
        ({"clicks": [Click(96, 5)]}, "click at y=96, x=5 lies outside the image of 96 x 96"),
        ({"box": Box(0, 97, 5, 99)}, "lies outside the image"),
        ({"mask": np.ones((5, 5), bool)}, r"shape \(5, 5\), but the image is \(96, 96\)"),
        ({"mask": np.zeros((96, 96), bool)}, "The mask is empty"),
        ({"mask": np.ones((1, 96, 96), bool)}, r"one image \(H, W\), got shape \(1, 96, 96\)"),
        ({"clicks": [A], "mask": np.ones((96, 96), bool)}, "either a mask, or clicks and a box"),
    ],
)
def test_prompts_that_cannot_be(
    tracker: VideoTracker, video: np.ndarray, prompt: dict[str, Any], message: str
) -> None:
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    for object_id in (1, 2):
        with pytest.raises(PromptError, match=message):
            tracker.prompt(state, 0, object_id, **prompt)
    assert list(state.objects) == [1], "nothing is changed"
    assert state.objects[1].prompts[0].clicks == (A,)


def test_unknown_objects_are_named_with_the_known(tracker: VideoTracker, video: np.ndarray) -> None:
    state = tracker.start(video, WINDOW)
    with pytest.raises(PromptError, match="no object 4; known are: none yet"):
        tracker.remove(state, 4)
    tracker.prompt(state, 0, 1, clicks=[A])
    tracker.prompt(state, 0, 3, clicks=[A])
    with pytest.raises(PromptError, match="no object 4; known are: 1, 3"):
        tracker.clear(state, 0, 4)


@pytest.mark.parametrize("direction", ["sideways", "", None, 1])
def test_no_such_direction(tracker: VideoTracker, video: np.ndarray, direction: Any) -> None:
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    with pytest.raises(PromptError, match=f'"forward" or "backward", got {direction!r}'):
        next(tracker.propagate(state, direction=direction))


def test_a_negative_length(tracker: VideoTracker, video: np.ndarray) -> None:
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    with pytest.raises(PromptError, match="length counts frames from 0 on, got -1"):
        next(tracker.propagate(state, length=-1))


def test_a_bad_frame_is_named_and_earlier_ones_are_kept(tracker: VideoTracker, video: np.ndarray) -> None:
    broken = video.astype(np.float32)
    broken[6, 3, 4] = np.nan
    state = tracker.start(broken, WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    results = tracker.propagate(state)
    done = [next(results) for _ in range(6)]
    with pytest.raises(ImageError, match=r"Frame 6 .*1 NaN or infinite value"):
        next(results)
    assert masks(state, 1).keys() == set(range(6))
    assert state.objects[1].passed.keys() == set(range(6)), "the bad frame was not passed"
    with pytest.raises(ImageError, match="Frame 6"):
        tracker.prompt(state, 6, 2, clicks=[B])
    assert list(state.objects) == [1]
    broken[6] = video[6]
    rest = list(tracker.propagate(state, start=6))
    assert_same([*done, *rest], run(tracker.model, video.astype(np.float32), (0, 1, A)))


def test_a_frame_of_another_size_is_named(tracker: VideoTracker, video: np.ndarray) -> None:
    state = tracker.start(Reads([*video[:4], video[4, :50]], (5, 96, 96)), WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    with pytest.raises(ImageError, match=r"Frame 4 has the shape \(50, 96\), .* \(96, 96\)"):
        list(tracker.propagate(state))
    assert masks(state, 1).keys() == set(range(4))


@pytest.mark.parametrize("shape", [(96, 96), (0, 96, 96), (4, 0, 96), (2, 2, 2, 2, 2), (5,)])
def test_videos_that_cannot_be(tracker: VideoTracker, shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError) as caught:
        tracker.start(np.zeros(shape))
    assert f"(T, H, W) or (T, H, W, 3), got {shape}" in str(caught.value)


def test_a_video_that_shows_nothing(tracker: VideoTracker) -> None:
    with pytest.raises(ImageError, match="Every sampled pixel is 5: there is nothing to segment"):
        tracker.start(np.full((3, 20, 20), 5, np.uint16))


def test_the_policy_knows_the_reference_s_switches() -> None:
    policy = TrackingPolicy.reference(fill_hole_area=3, dynamic_multimask_via_stability=False)
    assert policy.fill_hole_area == 3
    assert policy.mask.fallback is None
    assert not policy.add_all_frames_to_correct_as_cond
    with pytest.raises(
        Sam2Error, match=r"no switch 'fill_holes'; it has .*fill_hole_area, .*non_overlap_masks"
    ):
        TrackingPolicy.reference(fill_holes=3)


# Taken back


def test_nothing_is_recalled_from_what_replaced_prompts_led_to(model: SAM2, video: np.ndarray) -> None:
    """Re-prompted after tracking, an object goes on as if it had been prompted so at first."""
    tracker = VideoTracker(model)
    state = tracker.start(video, WINDOW)
    tracker.prompt(state, 6, 1, clicks=[A])
    list(tracker.propagate(state))
    list(tracker.propagate(state, direction="backward"))
    tracker.prompt(state, 6, 1, clicks=[B])
    assert state.objects[1].bank.outdated == set(range(12)) - {6}
    again = list(tracker.propagate(state))
    assert state.objects[1].bank.outdated == set(range(6)), "what is tracked anew counts again"

    fresh = tracker.start(video, WINDOW)
    tracker.prompt(fresh, 6, 1, clicks=[B])
    assert_same(again, tracker.propagate(fresh))


def test_one_of_several_prompts_outdates_its_surroundings(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    state = tracker.start(np.concatenate((video, video)), WINDOW)
    tracker.prompt(state, 0, 1, clicks=[A])
    tracker.prompt(state, 20, 1, clicks=[A])
    list(tracker.propagate(state))
    before = masks(state, 1)
    tracker.clear(state, 20, 1)
    assert state.objects[1].bank.outdated == {*range(13, 20), *range(21, 24)}
    assert masks(state, 1).keys() == before.keys() - {20}, "the other masks stay to be seen"


def test_clicks_sent_again_start_from_the_same_mask(model: SAM2, video: np.ndarray) -> None:
    """On a tracked frame all clicks may be sent with each one more."""
    tracker = VideoTracker(model)

    def corrected(*calls: list[Click]) -> torch.Tensor:
        state = tracker.start(video, WINDOW)
        tracker.prompt(state, 0, 1, clicks=[A])
        list(tracker.propagate(state))
        return [tracker.prompt(state, 5, 1, clicks=clicks) for clicks in calls][-1].logits

    assert torch.equal(corrected([B], [B, C]), corrected([B, C]))
    assert not torch.equal(corrected([B]), corrected([B, C]))


def test_errors_come_at_the_call(model: SAM2, video: np.ndarray) -> None:
    tracker = VideoTracker(model)
    with pytest.raises(PromptError, match="no object yet"):
        tracker.propagate(tracker.start(video, WINDOW))


@pytest.mark.parametrize(
    "switches",
    [
        {"max_cond_frames_in_attn": 0},
        {"memory_temporal_stride_for_eval": 0},
        {"objects_at_once": 0},
        {"memory_dtype": "int8"},
    ],
)
def test_impossible_policies_are_refused(switches: dict[str, Any]) -> None:
    with pytest.raises(Sam2Error, match=next(iter(switches))):
        TrackingPolicy(**switches)
