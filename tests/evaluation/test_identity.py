"""Who is still who at the end."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from napari_sam2.evaluation.identity import identity_score
from napari_sam2.inference.body import Body
from napari_sam2.inference.volumes_in_time import VolumeFound

# Four volumes: 1 stays, 2 divides into 3 and 4 on the third.
TRUTH = np.zeros((4, 2, 4, 12), np.uint16)
TRUTH[:, :, :, 0:4] = 1
TRUTH[:2, :, :, 6:12] = 2
TRUTH[2:, :, :, 6:9] = 3
TRUTH[2:, :, :, 9:12] = 4
PARENTS = {3: 2, 4: 2}


def found(
    time: int, places: Mapping[int, tuple[int, int]], mothers: Mapping[int, int] | None = None
) -> VolumeFound:
    """Bodies that fill columns from the first to before the last."""
    bodies = {}
    for number, (first, last) in places.items():
        voxels = np.zeros((2, 4, 12), bool)
        voxels[:, :, first:last] = True
        bodies[number] = Body.of(voxels)
    return VolumeFound(time, bodies, mothers or {})


START = [found(0, {1: (0, 4), 2: (6, 12)}), found(1, {1: (0, 4), 2: (6, 12)})]


def test_all_are_kept_whatever_the_daughters_are_called() -> None:
    later = [
        found(2, {1: (0, 4), 7: (9, 12), 8: (6, 9)}, {7: 2, 8: 2}),
        found(3, {1: (0, 3), 7: (9, 12), 8: (6, 9)}),
    ]
    score = identity_score(TRUTH, PARENTS, [*START, *later])
    assert (score.kept, score.lost, score.invented) == ((1, 2, 3, 4), (), 0)
    assert score.share == 1
    assert score.volumes == pytest.approx((0.75 + 3) / 4)


def test_a_division_that_is_not_seen_loses_the_daughters() -> None:
    later = [found(time, {1: (0, 4), 2: (6, 12)}) for time in (2, 3)]
    score = identity_score(TRUTH, PARENTS, [*START, *later])
    assert (score.kept, score.lost) == ((1, 2), (3, 4))


def test_daughters_of_somebody_else_do_not_count_and_a_wrong_division_does() -> None:
    later = [found(time, {2: (6, 9), 5: (9, 12), 6: (0, 4)}, {5: 1, 6: 1}) for time in (2, 3)]
    score = identity_score(TRUTH, PARENTS, [*START, *later])
    assert (score.kept, score.lost, score.invented) == ((2,), (1, 3, 4), 1)


def test_two_that_change_places_are_both_lost() -> None:
    swapped = [found(1, {1: (6, 12), 2: (0, 4)}), found(2, {1: (6, 9)}), found(3, {1: (6, 9)})]
    score = identity_score(TRUTH, PARENTS, [START[0], *swapped])
    assert not score.kept
    assert score.share == 0
    assert score.volumes != score.volumes


def test_one_body_is_not_two_daughters() -> None:
    later = [found(time, {1: (0, 4), 7: (6, 12), 8: (0, 1)}, {7: 2, 8: 2}) for time in (2, 3)]
    score = identity_score(TRUTH, PARENTS, [*START, *later])
    assert len(score.lost) == 1
    assert score.lost[0] in (3, 4)


def test_what_ends_early_is_lost() -> None:
    assert identity_score(TRUTH, PARENTS, START[:1]).lost == (1, 2, 3, 4)


def test_who_comes_later_from_nowhere_does_not_count() -> None:
    truth = TRUTH.copy()
    truth[3, :, :, 5] = 9
    score = identity_score(truth, PARENTS, START)
    assert 9 not in (*score.kept, *score.lost)
