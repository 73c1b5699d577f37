"""Three findings of one body, of which two decide."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.inference.body import Body
from napari_sam2.inference.volume import Axis
from napari_sam2.inference.vote import _reach, vote

WHOLE = (slice(0, 6), slice(0, 8), slice(0, 10))


def box(*bounds: tuple[int, int], axis: Axis = Axis.Z, score: float = 1.0) -> Body:
    voxels = np.zeros((6, 8, 10), bool)
    voxels[tuple(slice(*part) for part in bounds)] = True
    return Body.of(voxels, score, axis=axis)


def test_two_of_three_decide_voxel_by_voxel() -> None:
    rng = np.random.default_rng(0)
    found = np.zeros((3, 6, 8, 10), bool)
    found[:, 1:5, 1:7, 1:9] = rng.random((3, 4, 6, 8)) > 0.2
    bodies = [Body.of(one, axis=axis) for one, axis in zip(found, Axis, strict=True)]
    assert np.array_equal(vote(bodies).voxels(WHOLE), found.sum(axis=0) >= 2)
    assert np.array_equal(vote(bodies, least=1).voxels(WHOLE), found.any(axis=0))


def test_one_that_ran_away_is_outvoted_and_costs_no_room() -> None:
    good, alike, away = box((1, 3), (2, 5), (3, 6)), box((1, 4), (2, 5), (3, 6), axis=Axis.Y), box((0, 6))
    assert vote([good, alike, away]).bounds() == (slice(1, 4), slice(2, 5), slice(3, 6))
    apart = [good.bounds(), alike.bounds(), (slice(5, 6), slice(7, 8), slice(9, 10))]
    assert _reach(apart, 2) == (slice(1, 3), slice(2, 5), slice(3, 6))


def test_the_largest_piece_is_kept_and_scores_are_those_of_what_was_found() -> None:
    voxels = np.zeros((6, 8, 10), bool)
    voxels[1:3, 1:3, 1:3] = voxels[4, 6, 8] = True
    agreed = vote([Body.of(voxels, 0.6), Body.of(voxels, 0.8, axis=Axis.X), Body((6, 8, 10), Axis.Y)])
    assert agreed.size == 8
    assert agreed.score == pytest.approx(0.7)


def test_nobody_agrees() -> None:
    assert not vote([box((0, 1)), box((2, 3)), Body((6, 8, 10))]).masks
    voxels = np.zeros((2, 6, 8, 10), bool)
    voxels[0, ::2], voxels[1, 1::2] = True, True  # bounds meet, voxels do not
    assert not vote([Body.of(voxels[0]), Body.of(voxels[1])]).masks


def test_more_cannot_agree_than_there_are() -> None:
    with pytest.raises(PromptError, match="ask for 1 to 2"):
        vote([Body((6, 8, 10)), Body((6, 8, 10))], least=3)
