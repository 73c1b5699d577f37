import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.evaluation.baselines import CarriedByOverlap
from napari_sam2.evaluation.methods import Tracked
from napari_sam2.evaluation.metrics import DAVIS, PRESENT
from napari_sam2.evaluation.objects import Choice, Prompting
from napari_sam2.evaluation.sequences import from_first_frame, from_middle_slice
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Direction
from tests.evaluation.conftest import Scripted, moving_disks, sequence_of


def test_each_object_begins_on_its_first_annotated_frame() -> None:
    images, labels = moving_disks()
    labels[:2][labels[:2] == 8] = 0
    follower = Scripted(lambda number, frame, _: labels[frame] == number)
    frames = []
    followed = from_first_frame(
        follower, sequence_of(images, labels, annotated=(1, 3, 4, 5)), advance=lambda: frames.append(1)
    )
    assert followed.prompted_on == {3: 1, 8: 3}
    assert follower.diary == ["restart", "prompt 3 on 1", "prompt 8 on 3", "forward from None"]
    assert len(frames) == 5
    three, eight = followed.scores(DAVIS)
    assert (three.object_id, three.frames.frames, three.frames.j) == (3, (3, 4), (1.0, 1.0))
    assert (eight.object_id, eight.frames.frames, eight.frames.f) == (8, (4,), (1.0,))
    assert three.volume == eight.volume == 1.0


def test_worst_frame_and_whole_body() -> None:
    images, labels = moving_disks()
    images, labels = images[:3], labels[:3]

    def answer(number: int, frame: int, _: object) -> np.ndarray:
        mask = labels[frame] == number
        return mask & (np.arange(48)[:, None] <= 12) if frame == 2 else mask

    followed = from_first_frame(
        Scripted(answer), sequence_of(images, labels), choice=Choice(only=frozenset({3}))
    )
    (score,) = followed.scores(PRESENT, with_f=False)
    area, half = (labels[0] == 3).sum(), ((labels[0] == 3) & (np.arange(48)[:, None] <= 12)).sum()
    assert score.frames.j == pytest.approx((1.0, 1.0, half / area))
    assert score.volume == pytest.approx((2 * area + half) / (3 * area))
    assert score.worst_frame == 2
    assert score.found.area == half
    assert set(np.unique(followed.truth_of_followed())) == {0, 3}


def test_body_is_followed_both_ways_from_its_middle() -> None:
    images, labels = moving_disks(7)
    labels[:2] = 0
    follower = Scripted(lambda number, frame, _: labels[frame] == number)
    followed = from_middle_slice(follower, sequence_of(images, labels, "volume"), Prompting.BOX)
    assert followed.prompted_on == {3: 4, 8: 4}
    assert follower.diary[-2:] == ["forward from None", "backward from None"]
    assert (followed.found == labels).all()
    # Both ways, the ends are those of the volume; nothing is there on slice 1.
    assert [score.frames.frames for score in followed.scores()] == [(2, 3, 4, 5)] * 2


def test_backward_pass_takes_only_what_is_free() -> None:
    # Object 3 claims everything; going backward it may only have what going forward left.
    images, labels = moving_disks(5)
    labels[:2][labels[:2] == 8] = 0
    labels[4][labels[4] == 3] = 0

    def answer(number: int, frame: int, _: object) -> np.ndarray:
        return np.ones((48, 64), dtype=bool) if number == 8 else labels[frame] == 3

    followed = from_middle_slice(Scripted(answer), sequence_of(images, labels, "volume"))
    assert followed.prompted_on == {3: 2, 8: 3}
    assert (followed.found[2] == 3).sum() == (labels[2] == 3).sum()
    assert (followed.found[2] == 8).sum() == (labels[2] != 3).sum()


def test_no_object() -> None:
    images, labels = moving_disks()
    followed = from_first_frame(CarriedByOverlap(), sequence_of(images, labels), choice=Choice(least=5000))
    assert followed.scores() == []
    assert not followed.found.any()


@pytest.mark.parametrize("prompting", list(Prompting))
def test_baseline_follows_clear_objects(prompting: Prompting) -> None:
    images, labels = moving_disks()
    followed = from_first_frame(CarriedByOverlap(), sequence_of(images, labels), prompting)
    assert all(score.frames.mean_j > 0.85 for score in followed.scores())


def test_the_network_does_as_by_hand(small_model: SAM2) -> None:
    images, labels = moving_disks(4)
    followed = from_middle_slice(Tracked(small_model), sequence_of(images, labels, "volume"))
    tracker = VideoTracker(small_model)
    state = tracker.start(images)
    for number in (3, 8):
        tracker.prompt(state, 2, number, clicks=[first_click(labels[2] == number)])
    expected = np.zeros_like(labels)
    for result in tracker.propagate(state):
        expected[result.frame] = result.labels()
    for result in tracker.propagate(state, direction=Direction.BACKWARD):
        kept = expected[result.frame]
        expected[result.frame] = np.where(kept == 0, result.labels(), kept)
    assert (followed.found == expected).all()
    assert expected.any()


def test_prompts_on_one_frame_join(small_model: SAM2) -> None:
    images, labels = moving_disks(4)
    follower = Tracked(small_model)
    from_first_frame(follower, sequence_of(images, labels), Prompting.CLICK_3, Choice(only=frozenset({3})))
    assert follower._state is not None
    assert len(follower._state.objects[3].prompts[0].clicks) == 3


def test_tracked_needs_a_sequence(small_model: SAM2) -> None:
    with pytest.raises(PromptError, match="call start first"):
        Tracked(small_model).restart()
