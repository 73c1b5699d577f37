import numpy as np
import pytest

from napari_sam2.errors import Sam2Error
from napari_sam2.inference.divisions import DivisionPolicy, are_daughters, daughters, pieces, zone

POLICY = DivisionPolicy()


@pytest.mark.parametrize(
    ("first", "second", "division"),
    [
        (50, 45, True),
        (45, 50, True),
        (60, 29, False),  # less than half of the other
        (76, 50, False),  # too much of the mother
        (75, 70, False),  # more than 1.4 mothers together
        (30, 19, False),  # and less than half a mother
        (70, 70, True),
        (50, 0, False),
    ],
)
def test_areas_of_daughters(first: int, second: int, division: bool) -> None:
    assert are_daughters(first, second, 100, POLICY) is division


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """A mother of 12 x 12, and 1 and 2 in her place; 3 is a neighbour as large as they are."""
    mother = np.zeros((30, 40), bool)
    mother[8:20, 8:20] = True
    labels = np.zeros((30, 40), int)
    labels[6:12, 9:19], labels[15:21, 9:19], labels[6:12, 30:40] = 1, 2, 3
    return labels, mother


def test_two_in_one_mothers_place() -> None:
    labels, mother = _scene()
    assert set(daughters(labels, np.array([0, 1, 2, 3]), mother, 144, POLICY)) == {1, 2}


def test_another_objects_continuation_is_no_daughter() -> None:
    labels, mother = _scene()
    assert daughters(labels, np.array([1, 3]), mother, 144, POLICY) == ()
    assert daughters(labels, np.array([0]), mother, 144, POLICY) == ()


def test_a_mother_that_was_not_larger_has_not_divided() -> None:
    labels, mother = _scene()
    assert daughters(labels, np.array([1, 2]), mother, 70, POLICY) == ()


def test_zone_is_as_wide_as_it_says() -> None:
    mask = np.zeros((41, 41), bool)
    mask[18:23, 18:23] = True  # 25 pixels: a disk of radius 2.82
    assert (zone(mask, 0) == mask).all()
    wide = zone(mask, 2.0)
    assert wide[20].sum() == 5 + 2 * 5
    assert zone(np.zeros((4, 4), bool), 2.0).sum() == 0
    corner = np.zeros((9, 9), bool)
    corner[0, 0] = True
    assert zone(corner, 4.0)[0].sum() == 3


def test_pieces_come_largest_first() -> None:
    mask = np.array([[1, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0]], bool)
    assert [int(piece.sum()) for piece in pieces(mask)] == [4, 2, 1]
    assert pieces(np.zeros((2, 2), bool)) == []


@pytest.mark.parametrize(
    "fields", [{"alike": 1.5}, {"each": -0.1}, {"near": -1.0}, {"at_least": 2.0}, {"age": -1}]
)
def test_senseless_policies(fields: dict[str, float]) -> None:
    with pytest.raises(Sam2Error, match=next(iter(fields))):
        DivisionPolicy(**fields)
