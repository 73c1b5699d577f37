"""Against cases computed by hand."""

import numpy as np
import pytest

from napari_sam2.evaluation.metrics import (
    DAVIS,
    JF,
    PRESENT,
    FrameRule,
    boundary,
    boundary_f,
    dataset_mean,
    iou,
    mean,
    object_scores,
)


def _square(y: int, x: int, side: int, shape: tuple[int, int] = (20, 20)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[y : y + side, x : x + side] = True
    return mask


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        (_square(2, 2, 4), _square(2, 2, 4), 1.0),
        (_square(2, 2, 4), _square(2, 4, 4), 8 / 24),
        (_square(2, 2, 4), _square(10, 10, 4), 0.0),
        (_square(2, 2, 4), _square(0, 0, 0), 0.0),
        (_square(0, 0, 0), _square(2, 2, 4), 0.0),
        (_square(0, 0, 0), _square(0, 0, 0), 1.0),
    ],
)
def test_iou(truth: np.ndarray, found: np.ndarray, expected: float) -> None:
    assert iou(truth, found) == pytest.approx(expected)


def test_iou_of_bodies() -> None:
    truth, found = np.zeros((2, 4, 4, 4), dtype=bool)
    truth[0:2, 0:2, 0:2] = True
    found[1:3, 0:2, 0:2] = True
    assert iou(truth, found) == pytest.approx(4 / 12)


def test_boundary_of_a_pixel_lies_up_and_left_of_it() -> None:
    # The pixel differs from its right and lower neighbours, and the three before it differ from the pixel.
    expected = np.zeros((5, 5), dtype=bool)
    expected[1:3, 1:3] = True
    assert (boundary(_square(2, 2, 1, (5, 5))) == expected).all()


def test_boundary_ignores_the_frame() -> None:
    mask = np.zeros((3, 4), dtype=bool)
    mask[:, 2:] = True
    expected = np.zeros((3, 4), dtype=bool)
    expected[:, 1] = True
    assert (boundary(mask) == expected).all()
    assert not boundary(np.ones((3, 4), dtype=bool)).any()


def test_boundaries_within_the_tolerance_are_the_same() -> None:
    # 20 x 20: the diagonal is 28.3, 0.008 of it 0.23, so that one pixel is allowed.
    truth = _square(5, 5, 6)
    assert boundary_f(truth, truth) == 1.0
    assert boundary_f(truth, _square(5, 6, 6)) == 1.0
    # Moved by two: of its 24 boundary pixels, 6 of 7 above and below lie within a pixel of the other
    # boundary, and of its left side the two next to these; all the same the other way round.
    assert boundary_f(truth, _square(5, 7, 6)) == pytest.approx(14 / 24)


def test_tolerance_follows_the_diagonal() -> None:
    # 300 x 400: the diagonal is 500, 0.008 of it 4.
    truth = _square(50, 50, 100, (300, 400))
    assert boundary_f(truth, _square(50, 54, 100, (300, 400))) == 1.0
    assert boundary_f(truth, _square(50, 55, 100, (300, 400))) < 1.0


def test_precision_and_recall_are_balanced() -> None:
    # A second square far off doubles what was found: precision 24 / 48, recall 1.
    truth = _square(2, 2, 6)
    assert boundary_f(truth, truth | _square(12, 12, 6)) == pytest.approx(2 * 0.5 / 1.5)


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [(0, 0, 1.0), (4, 0, 0.0), (0, 4, 0.0)],
)
def test_f_of_nothing(truth: int, found: int, expected: float) -> None:
    assert boundary_f(_square(3, 3, truth), _square(3, 3, found)) == expected


def _movie(sides: list[int]) -> np.ndarray:
    return np.stack([_square(2, 2, side).astype(np.uint8) * 7 for side in sides])


def test_davis_leaves_out_the_ends() -> None:
    truth, found = _movie([4, 4, 4, 4]), _movie([1, 4, 2, 1])
    scores = object_scores(truth, found, 7, DAVIS)
    assert scores.frames == (1, 2)
    assert scores.j == (1.0, 0.25)
    assert scores.mean_j == 0.625
    assert scores.jf == pytest.approx((0.625 + (1.0 + scores.f[1]) / 2) / 2)
    whole = object_scores(truth, found, 7, FrameRule(skip_ends=False))
    assert whole.j == (1 / 16, 1.0, 0.25, 1 / 16)


def test_ends_of_the_annotated_frames() -> None:
    truth, found = _movie([0, 4, 0, 4, 0, 4]), _movie([4] * 6)
    assert object_scores(truth, found, 7, DAVIS, annotated=(5, 1, 3)).frames == (3,)
    assert object_scores(truth, found, 7, DAVIS, annotated=(1, 3)).frames == (1, 3)


def test_frames_count_from_where_the_object_was_seen() -> None:
    truth, found = _movie([0, 0, 4, 4, 0, 0]), _movie([0, 0, 0, 4, 4, 0])
    every = FrameRule(skip_ends=False)
    assert object_scores(truth, found, 7, every).frames == (2, 3, 4, 5)
    assert object_scores(truth, found, 7, every).j == (0.0, 1.0, 0.0, 1.0)
    assert object_scores(truth, found, 7, PRESENT).j == (0.0, 1.0)
    # Found too early, by mistake, counts as well.
    early = _movie([0, 4, 4, 4, 0, 0])
    assert object_scores(truth, early, 7, every).frames == (1, 2, 3, 4, 5)
    # Seen on the frame that is left out: known from then on.
    assert object_scores(_movie([4, 0, 0, 0]), _movie([0] * 4), 7, DAVIS).j == (1.0, 1.0)


def test_boundaries_on_demand() -> None:
    scores = object_scores(_movie([4] * 3), _movie([4] * 3), 7, with_f=False)
    assert scores.f == ()
    assert np.isnan(scores.mean_f)


def test_objects_count_alike_whatever_their_length() -> None:
    long, short = JF((0, 1, 2), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5)), JF((0,), (0.0,), (0.1,))
    both = dataset_mean([long, short])
    assert (both.mean_j, both.mean_f) == pytest.approx((0.5, 0.3))
    assert both.jf == pytest.approx(0.4)


def test_mean_of_numbers_only() -> None:
    assert mean([1.0, float("nan"), 0.0]) == 0.5
    assert np.isnan(mean([]))
