"""Against the definitions of SEG and TRA, by hand."""

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.evaluation.tracking import tracking_score

pytest.importorskip("ctc_metrics", reason="py-ctcmetrics is not installed")

FRAMES = (0, 1, 2)


def _cells() -> np.ndarray:
    """Two cells of 16 pixels through three frames: 6 vertices and 4 edges."""
    labels = np.zeros((3, 12, 12), np.uint8)
    labels[:, 0:4, 0:4] = 1
    labels[:, 6:10, 6:10] = 2
    return labels


def _tra(cost: float) -> float:
    """1 - cost / cost of drawing the whole graph: 10 a vertex, 1.5 an edge."""
    return 1 - cost / (6 * 10 + 4 * 1.5)


def test_perfect() -> None:
    score = tracking_score("a", _cells(), _cells() * 7, FRAMES)
    assert (score.seg, score.tra) == (1.0, 1.0)


def test_cell_that_is_missed_on_the_last_frame() -> None:
    found = _cells()
    found[2][found[2] == 2] = 0
    score = tracking_score("a", _cells(), found, FRAMES)
    assert score.seg == pytest.approx(5 / 6)
    assert score.tra == pytest.approx(_tra(10 + 1.5))


def test_cell_that_is_too_much_costs_a_little() -> None:
    found = _cells()
    found[1, 0:3, 8:11] = 5
    score = tracking_score("a", _cells(), found, FRAMES)
    assert score.seg == 1.0
    assert score.tra == pytest.approx(_tra(1))


def test_changed_number_loses_the_link() -> None:
    found = _cells()
    found[2][found[2] == 2] = 9
    assert tracking_score("a", _cells(), found, FRAMES).tra == pytest.approx(_tra(1.5))


def test_overlap_of_half_is_no_match() -> None:
    found = _cells()
    found[:, 2:4, 0:4] = 0
    score = tracking_score("a", _cells(), found, FRAMES)
    assert score.seg == pytest.approx(3 / 6)
    found[:, 2, 0:4] = 1
    assert tracking_score("a", _cells(), found, FRAMES).seg == pytest.approx((3 + 3 * 12 / 16) / 6)


def test_nothing_found_and_no_background() -> None:
    assert tracking_score("a", _cells(), np.zeros_like(_cells()), FRAMES).tra == 0.0
    everywhere = np.ones((3, 4, 4), np.uint8)
    assert tracking_score("a", everywhere, everywhere, FRAMES).seg == 1.0


def test_some_frames_only() -> None:
    found = _cells()
    found[1] = 0
    assert tracking_score("a", _cells(), found, (0, 2)).seg == 1.0
    with pytest.raises(PromptError, match="holds no object"):
        tracking_score("a", np.zeros_like(found), found, FRAMES)
