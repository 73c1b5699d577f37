import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.evaluation.objects import (
    Choice,
    Prompting,
    frames_with,
    known_frames,
    prompt_object,
    tight_box,
)
from napari_sam2.prompts import Box, Click
from tests.evaluation.conftest import Scripted, disk, moving_disks, sequence_of

LABELS = np.array([[0, 1, 1, 1], [2, 2, 5, 9]])


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        (Choice(), [1, 2, 5, 9]),
        (Choice(least=2), [1, 2]),
        (Choice(only=frozenset({9, 2, 77})), [2, 9]),
        (Choice(least=2, only=frozenset({2, 5})), [2]),
        (Choice(most=9), [1, 2, 5, 9]),
    ],
)
def test_choice(choice: Choice, numbers: list[int]) -> None:
    assert choice.of(LABELS) == numbers


def test_draw_is_the_same_every_time_and_fair() -> None:
    labels = np.arange(100)
    drawn = {seed: tuple(Choice(most=5, seed=seed).of(labels)) for seed in range(200)}
    assert drawn[3] == tuple(Choice(most=5, seed=3).of(labels))
    assert all(len(set(numbers)) == 5 and list(numbers) == sorted(numbers) for numbers in drawn.values())
    assert {number for numbers in drawn.values() for number in numbers} == set(range(1, 100))


def test_choice_of_nobody() -> None:
    with pytest.raises(PromptError, match="At least one object"):
        Choice(most=0)


def test_known_frames() -> None:
    images, labels = moving_disks()
    assert known_frames(sequence_of(images, labels), 6) == (0, 1, 2, 3, 4, 5)
    assert known_frames(sequence_of(images, labels, annotated=(4, 0)), 6) == (0, 4)
    labels[2] = 0
    assert frames_with(labels, 3, (5, 2, 0)) == [0, 5]


def test_tight_box() -> None:
    mask = np.zeros((10, 12), dtype=bool)
    mask[2:5, 3:9] = True
    assert tight_box(mask) == Box(2, 3, 4, 8)
    mask[:] = False
    mask[0, 11] = True
    assert tight_box(mask) == Box(-0.5, 10.5, 0.5, 11.5)
    with pytest.raises(PromptError, match="empty"):
        tight_box(np.zeros((3, 3), dtype=bool))


def test_clicks_follow_the_largest_error() -> None:
    truth = disk((40, 40), 20, 20, 8)
    left = truth.copy()
    left[:, 21:] = False
    answers = [left, disk((40, 40), 20, 20, 8) | disk((40, 40), 5, 35, 4), truth]
    follower = Scripted(lambda number, frame, given: answers[len(given[frame]) - 1])
    follower.start(np.zeros((1, 40, 40)))
    found = prompt_object(follower, 0, 4, truth, Prompting.CLICK_3)
    assert (found == truth).all()
    first, second, third = (prompt.clicks for prompt in follower.given[4][0])
    assert first == (Click(20, 20),)
    assert second[0].positive and second[0].x > 21
    assert third == (Click(5, 35, positive=False),)


def test_box_and_mask() -> None:
    truth = disk((40, 40), 20, 20, 8)
    follower = Scripted(lambda *_: truth)
    follower.start(np.zeros((1, 40, 40)))
    prompt_object(follower, 0, 1, truth, Prompting.BOX)
    prompt_object(follower, 0, 2, truth, Prompting.MASK)
    assert follower.given[1][0][0].box == Box(12, 12, 28, 28)
    mask = follower.given[2][0][0].mask
    assert mask is not None and (mask.mask == truth).all()
