"""Bodies as run lengths: seen along any axis, they are the same voxels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.inference.body import Body, halves, label_volume
from napari_sam2.inference.volume import Axis, Voxel


@pytest.fixture
def blob() -> np.ndarray:
    voxels = np.zeros((6, 9, 8), bool)
    voxels[1:4, 2:7, 3:6] = np.random.default_rng(0).random((3, 5, 3)) > 0.3
    voxels[1, 2, 3] = voxels[3, 6, 5] = True
    return voxels


@pytest.mark.parametrize("axis", list(Axis))
def test_voxels_round_trip_along_any_axis(blob: np.ndarray, axis: Axis) -> None:
    body = Body.of(blob, axis=axis)
    assert body.bounds() == (slice(1, 4), slice(2, 7), slice(3, 6))
    assert np.array_equal(body.voxels(), blob[1:4, 2:7, 3:6])
    whole = tuple(slice(0, n) for n in blob.shape)
    for other in Axis:
        seen = body.along(other)
        assert seen.axis is other
        assert np.array_equal(seen.voxels(whole), blob)
        assert seen.size == np.count_nonzero(blob)


def test_a_part_of_the_whole(blob: np.ndarray) -> None:
    body = Body.of(blob[1:4, 2:7, 3:6], 0.5, blob.shape, (1, 2, 3), Axis.Y)
    assert np.array_equal(body.voxels((slice(0, 6), slice(0, 9), slice(0, 8))), blob)
    assert body.score == pytest.approx(0.5)
    middle = np.argwhere(blob).mean(axis=0)
    found = body.middle()
    assert [found.z, found.y, found.x] == pytest.approx(list(middle))


def test_halves_go_by_distance_in_space() -> None:
    body = Body.of(np.ones((4, 6, 7), bool), 0.5)
    one, other = halves(body, Voxel(0, 2, 3), Voxel(3, 2, 3), (2.0, 1.0, 1.0))
    assert one.bounds() == (slice(0, 2), slice(0, 6), slice(0, 7))
    assert other.bounds() == (slice(2, 4), slice(0, 6), slice(0, 7))
    assert (one.score, other.score) == (0.5, 0.5)
    flat, steep = halves(body, Voxel(1, 0, 0), Voxel(2, 3, 0), (0.1, 1.0, 1.0))
    assert flat.size + steep.size == body.size
    assert flat.shared(steep) == 0
    assert flat.voxels((slice(0, 4), slice(0, 1), slice(0, 7))).all(), (
        "slices that lie close count for little"
    )
    assert not halves(Body((4, 6, 7)), Voxel(0, 0, 0), Voxel(1, 1, 1), (1, 1, 1))[0].masks


def test_nothing_is_nowhere() -> None:
    body = Body((3, 4, 5))
    assert body.bounds() is None
    assert body.size == 0 == body.score
    assert body.voxels().size == 0
    assert body.along(Axis.X).axis is Axis.X


def test_a_voxel_belongs_to_the_surer_one() -> None:
    left, right = np.zeros((2, 2, 4, 6), bool)
    left[:, :, :4], right[0, :, 2:] = True, True
    bodies = {1: Body.of(left, 0.4), 70000: Body.of(right, 0.8, axis=Axis.X)}
    labels = label_volume(bodies, (2, 4, 6))
    assert labels.dtype == np.uint32
    assert labels[0, 0].tolist() == [1, 1, 70000, 70000, 70000, 70000]
    assert labels[1, 0].tolist() == [1, 1, 1, 1, 0, 0]
    equal = {2: Body.of(left, 0.4), 1: Body.of(right, 0.4)}
    assert label_volume(equal, (2, 4, 6))[0, 0].tolist() == [2, 2, 1, 1, 1, 1]
    assert label_volume({}, (2, 4, 6)).dtype == np.uint16
