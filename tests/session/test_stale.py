"""What has to be followed again."""

import pytest

from napari_sam2.prompts import Direction
from napari_sam2.session.commands import (
    ClearPrompt,
    Command,
    DeleteObject,
    MergeObjects,
    Prompt,
    Propagate,
)
from napari_sam2.session.stale import stale

FORWARD, BACKWARD = Direction.FORWARD, Direction.BACKWARD


def followed(ids: tuple[int, ...], start: int, stop: int, direction: Direction = FORWARD) -> Propagate:
    return Propagate(ids, start, stop, direction, False)


@pytest.mark.parametrize(
    ("steps", "forward", "backward"),
    [
        ([], {}, {}),
        ([Prompt(3, 1), Prompt(5, 1)], {1: 3}, {1: 5}),
        ([Prompt(3, 1), followed((1,), 3, 9)], {}, {1: 3}),
        ([Prompt(3, 1), followed((1,), 3, 9), Prompt(6, 1)], {1: 6}, {1: 6}),
        ([Prompt(3, 1), Prompt(3, 2), followed((1,), 3, 9)], {2: 3}, {1: 3, 2: 3}),
        ([Prompt(3, 1), followed((1,), 5, 9)], {1: 3}, {1: 3}),
        ([Prompt(3, 1), followed((1,), 3, 0, BACKWARD)], {1: 3}, {}),
        ([Prompt(3, 1), followed((1,), 3, 9), ClearPrompt(4, 1)], {1: 4}, {1: 4}),
        ([Prompt(3, 1), DeleteObject(1)], {}, {}),
        ([Prompt(3, 1), Prompt(2, 2), MergeObjects(1, (2,))], {1: 2}, {1: 3}),
    ],
)
def test_stale(steps: list[Command], forward: dict[int, int], backward: dict[int, int]) -> None:
    assert stale(steps, FORWARD) == forward
    assert stale(steps, BACKWARD) == backward
