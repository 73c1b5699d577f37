import numpy as np
import pytest

from napari_sam2.inference.matching import match, overlaps


def test_overlaps_by_hand() -> None:
    first = np.array([[7, 7, 0, 0], [7, 7, 3, 3]])
    second = np.array([[5, 5, 5, 0], [0, 0, 0, 9]])
    table = overlaps(first, second)
    assert table.rows.tolist() == [3, 7]
    assert table.columns.tolist() == [5, 9]
    assert table.shared.tolist() == [[0, 1], [2, 0]]
    np.testing.assert_allclose(table.iou, [[0, 1 / 2], [2 / 5, 0]])
    np.testing.assert_allclose(table.of_rows, [[0, 1 / 2], [1 / 2, 0]])
    np.testing.assert_allclose(table.of_columns, [[0, 1], [2 / 3, 0]])


def test_where_nothing_is_nothing_overlaps() -> None:
    table = overlaps(np.zeros((3, 3), int), np.ones((3, 3), int))
    assert table.iou.shape == (0, 1)
    assert match(table.iou, 0.1) == {}
    assert match(table.iou.T, 0.1) == {}


def test_pairs_of_the_highest_sum() -> None:
    scores = np.array([[0.6, 0.5], [0.55, 0.0]])
    assert match(scores, 0.1) == {0: 1, 1: 0}  # 1.05 together; the best single pair leaves the second alone
    assert match(scores, 0.58) == {0: 0}
    assert match(scores, 0.7) == {}


@pytest.mark.parametrize("least", [0.0, 0.3])
def test_what_does_not_overlap_is_no_pair(least: float) -> None:
    assert match(np.array([[0.0, 0.0], [0.0, 0.4]]), least) == {1: 1}
