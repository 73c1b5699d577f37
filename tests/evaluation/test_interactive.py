import numpy as np
import pytest

from napari_sam2.evaluation.interactive import offline, offline_seconds, online, online_seconds
from napari_sam2.evaluation.methods import Tracked
from napari_sam2.evaluation.metrics import FrameRule
from napari_sam2.evaluation.objects import Choice
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import PromptSet
from tests.evaluation.conftest import Scripted, moving_disks, sequence_of

ALL = FrameRule(skip_ends=False)
THREE = Choice(only=frozenset({3}))


def test_time_model() -> None:
    # 300 frames take 30 s to look at; a frame takes 1 s to find and 4.5 s for three clicks.
    assert offline_seconds(300, 1) == pytest.approx(35.5)
    assert offline_seconds(300, 8) == pytest.approx(284)
    assert online_seconds(300, 1) == pytest.approx(35.5)
    assert online_seconds(300, 8) == pytest.approx(74)
    assert online_seconds(60, 2, clicks=1) == pytest.approx(6 + 2 * 2.5)


class Forgetful(Scripted):
    """Right on prompted frames and for `reach` frames after, then nothing, or a part of the object."""

    def __init__(self, labels: np.ndarray, reach: int, weak: int | None = None) -> None:
        def answer(_: int, frame: int, given: dict[int, list[PromptSet]]) -> np.ndarray:
            true = labels[frame] == 3
            if any(0 <= frame - at <= reach for at in given):
                return true
            return true & (np.arange(48)[:, None] <= 12) if frame == weak else np.zeros_like(true)

        super().__init__(answer)


def _prompted(follower: Scripted) -> list[int]:
    """Frames of the last pass, in order of prompting."""
    last = len(follower.diary) - follower.diary[::-1].index("restart")
    frames = [int(entry.split()[-1]) for entry in follower.diary[last:] if entry.startswith("prompt")]
    assert all(frames.count(frame) == 3 for frame in frames)
    return frames[::3]


def test_offline_corrects_the_worst_frame_and_follows_all_again() -> None:
    images, labels = moving_disks(6)
    follower = Forgetful(labels, reach=1, weak=2)
    (score,) = offline(follower, sequence_of(images, labels), THREE, 3, ALL)
    # 0 and 1 are right, 2 in part, 3 to 5 lost: 3 is the first of the worst. Then 5 alone is lost.
    assert _prompted(follower) == [0, 3, 5]
    assert follower.diary.count("forward from None") == 3
    assert [r.frames for r in score.rounds] == [1, 2, 3]
    area, half = (labels[0] == 3).sum(), ((labels[0] == 3) & (np.arange(48)[:, None] <= 12)).sum()
    part = half / area
    assert [r.j for r in score.rounds] == pytest.approx([(2 + part) / 6, (4 + part) / 6, (5 + part) / 6])
    assert [r.seconds for r in score.rounds] == pytest.approx([6.1, 12.2, 18.3])
    assert score.jf == pytest.approx(np.mean([(r.j + r.f) / 2 for r in score.rounds]))


def test_offline_ends_when_every_frame_was_corrected() -> None:
    images, labels = moving_disks(3)
    (score,) = offline(Forgetful(labels, 0), sequence_of(images, labels), THREE, 8, ALL)
    assert [r.frames for r in score.rounds] == [1, 2, 3]
    assert score.rounds[-1].j == 1.0


def test_online_stops_where_it_fails_and_goes_on_from_there() -> None:
    images, labels = moving_disks(6)
    follower = Forgetful(labels, reach=1)
    (score,) = online(follower, sequence_of(images, labels), THREE, 8, ALL)
    assert _prompted(follower) == [0, 2, 4]
    assert [entry for entry in follower.diary if entry.startswith("forward")][-3:] == [
        "forward from 0",
        "forward from 2",
        "forward from 4",
    ]
    assert [r.frames for r in score.rounds] == [1, 2, 3, 3, 3, 3, 3, 3]
    assert [r.j for r in score.rounds[:3]] == pytest.approx([2 / 6, 4 / 6, 1.0])
    assert score.rounds[-1].seconds == pytest.approx(0.6 + 5.5 * 3)
    # Three passes and one that shows that a fourth frame is not needed.
    assert follower.diary.count("restart") == 1 + 4


def test_online_looks_only_where_the_truth_is_known_and_present() -> None:
    images, labels = moving_disks(6)
    labels[0][labels[0] == 3] = 0
    follower = Forgetful(labels, reach=1)
    (score,) = online(follower, sequence_of(images, labels, annotated=(0, 1, 3, 4, 5)), THREE, 2, ALL)
    assert _prompted(follower) == [1, 3]
    assert score.rounds[0].j == pytest.approx(1 / 4)
    assert score.rounds[0].seconds == pytest.approx(0.5 + 5.5)


def test_objects_come_one_by_one() -> None:
    images, labels = moving_disks(4)
    follower = Scripted(lambda _, frame, given: labels[frame] == (3 if (labels[0] == 3)[12, 12] else 8))
    scores = list(offline(follower, sequence_of(images, labels), rounds=1))
    assert [score.object_id for score in scores] == [3, 8]
    assert max(follower.given) == 1


@pytest.mark.parametrize("protocol", [offline, online])
def test_the_network_goes_through(protocol: object, small_model: SAM2) -> None:
    images, labels = moving_disks(4)
    follower, frames = Tracked(small_model), []
    run = protocol(follower, sequence_of(images, labels), THREE, 2, ALL, lambda: frames.append(1))  # type: ignore[operator]
    (score,) = run
    assert len(score.rounds) == 2
    assert all(0 <= r.j <= 1 and 0 <= r.f <= 1 for r in score.rounds)
    # Two passes over four frames; online goes back for the frame that it stopped on.
    assert len(frames) >= 8
    # Prompts of the same frames: the first round is the same either way.
    again = next(iter(protocol(Tracked(small_model), sequence_of(images, labels), THREE, 1, ALL)))  # type: ignore[operator]
    assert again.rounds[0] == score.rounds[0]
