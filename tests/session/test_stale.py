"""What has to be followed again."""

import numpy as np
import pytest

from napari_sam2.imaging.cleanup import CleanUp
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import Direction
from napari_sam2.session.commands import (
    Clean,
    ClearPrompt,
    Command,
    DeleteObject,
    Divide,
    MergeObjects,
    Prompt,
    Propagate,
    Relabel,
    Split,
)
from napari_sam2.session.stale import stale

SMOOTH = Clean(CleanUp.SMOOTH, (1,))
CUT = Split(5, 1, (2,), ((0.0, 4.0), (9.0, 4.0)))
EMPTY = RunLengths.encode(np.zeros((4, 4), bool))
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
        ([Prompt(3, 1), followed((1,), 3, 9), SMOOTH], {1: 3}, {1: 3}),
        ([Prompt(3, 1), followed((1,), 3, 9), Clean(CleanUp.SMOOTH, (1,), (4,))], {}, {1: 3}),
        ([Prompt(3, 1), ClearPrompt(3, 1), followed((1,), 3, 9), SMOOTH], {}, {1: 3}),
        ([Divide(3, 2, (1, 4), (EMPTY, EMPTY)), SMOOTH], {1: 3}, {1: 3}),
        ([Prompt(3, 2), MergeObjects(1, (2,)), followed((1,), 3, 9), SMOOTH], {1: 3}, {1: 3}),
        ([Prompt(3, 1), followed((1,), 3, 9), CUT], {1: 5, 2: 5}, {1: 5, 2: 5}),
        ([Prompt(3, 1), Relabel((1,), (7,))], {7: 3}, {7: 3}),
        ([CUT, followed((1, 2), 5, 9), Relabel((1, 2), (2, 1)), SMOOTH], {1: 5}, {1: 5, 2: 5}),
    ],
)
def test_stale(steps: list[Command], forward: dict[int, int], backward: dict[int, int]) -> None:
    assert stale(steps, FORWARD) == forward
    assert stale(steps, BACKWARD) == backward
