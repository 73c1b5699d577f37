"""Outlines, places and the division of space."""

import numpy as np
import pytest

from napari_sam2.imaging.phantoms.outline import Outline, keep_whole, scatter, separate
from napari_sam2.imaging.phantoms.partition import partition

STILL = np.zeros(5)


@pytest.mark.parametrize(("power", "area"), [(2.0, np.pi), (8.0, 3.9)])
def test_the_area_of_an_outline(power, area):
    patch = Outline(np.array([40.0, 45.0]), 0.7, 20.0, 10.0, STILL, STILL, power).patch(90, 90)
    assert (patch.ratio < 1).sum() == pytest.approx(area * 200, rel=0.03)


def test_the_long_axis_lies_at_its_angle():
    patch = Outline(np.array([40.0, 40.0]), np.pi / 2, 20.0, 6.0, STILL, STILL).patch(80, 80)
    rows, columns = np.nonzero(patch.ratio < 1)
    assert np.ptp(rows) > 3 * np.ptp(columns)


@pytest.mark.parametrize("center", [(-200.0, 30.0), (30.0, 500.0)])
def test_an_outline_far_outside_is_empty(center):
    assert Outline(np.array(center), 0.0, 9.0, 5.0, STILL, STILL).patch(60, 60).ratio.size == 0


def test_separate_moves_bodies_off_each_other():
    rng = np.random.default_rng(0)
    centers = rng.uniform(40, 60, (6, 2))
    moved = separate(centers, np.full(6, 5.0), np.zeros(2), np.full(2, 99.0))
    gaps = np.linalg.norm(moved[:, None] - moved[None], axis=2) + 99 * np.eye(6)
    assert gaps.min() > 8
    assert ((centers >= 40) & (centers <= 60)).all()


def test_scatter_keeps_distance_where_there_is_room():
    places = scatter(np.random.default_rng(1), 12, np.array([200.0, 300.0, 50.0]), 40.0)
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2) + 999 * np.eye(12)
    assert gaps.min() >= 40


def test_keep_whole_leaves_the_largest_piece():
    labels = np.array([[1, 1, 0, 1, 2], [1, 0, 2, 2, 2]], np.uint16)
    keep_whole(labels)
    assert labels.tolist() == [[1, 1, 0, 0, 2], [1, 0, 2, 2, 2]]


@pytest.mark.parametrize("shape", [(40, 50), (6, 30, 35)])
def test_partition_is_what_a_full_search_finds(shape):
    rng = np.random.default_rng(2)
    grids = [g + 1.5 * np.sin(grid_sum / 5) for g, grid_sum in _grids(shape)]
    points = rng.uniform(0, 1, (12, len(shape))) * shape
    owners = [int(owner) for owner in rng.integers(1, 7, 12)]
    found = partition(points, owners, grids, 14.0)
    distance = np.sqrt(sum((g[..., None] - points[:, i]) ** 2 for i, g in enumerate(grids)))
    each = np.stack([distance[..., np.array(owners) == o].min(-1) for o in sorted(set(owners))], -1)
    order = np.sort(each, -1)
    nearest = np.array(sorted(set(owners)))[each.argmin(-1)]
    expected = np.where(order[..., 0] < 14, nearest, 0)
    assert (found.labels != expected).mean() < 1e-3
    known = order[..., 1] < 14
    np.testing.assert_allclose(found.gap[known], ((order[..., 1] - order[..., 0]) / 2)[known], atol=1e-3)


def _grids(shape):
    lines = np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij")
    return [(line, np.float32(sum(lines))) for line in lines]
