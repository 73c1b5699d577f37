"""A user who knows the truth clicks in the middle of the largest error."""

import numpy as np
import pytest

from napari_sam2.errors import PromptError
from napari_sam2.inference.simulated_user import first_click, next_click
from napari_sam2.prompts import Click


def rectangle(y0: int, x0: int, y1: int, x1: int, height: int = 30, width: int = 40) -> np.ndarray:
    """Rows and columns up to y1 and x1, these included."""
    mask = np.zeros((height, width), bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


def test_the_first_click_is_in_the_middle() -> None:
    assert first_click(rectangle(4, 10, 12, 18)) == Click(8, 14)
    assert first_click(rectangle(7, 3, 7, 3)) == Click(7, 3)


def test_the_first_click_is_on_a_crescent() -> None:
    y, x = np.mgrid[:21, :21]
    mask = (np.hypot(y - 10, x - 10) < 10) & (np.hypot(y - 10, x - 14) > 9)
    click = first_click(mask)
    assert mask[int(click.y), int(click.x)]


def test_the_border_of_the_image_counts() -> None:
    assert first_click(np.ones((9, 9), bool)) == Click(4, 4)
    assert first_click(np.ones((5, 7), bool)) in (Click(2, 2), Click(2, 3), Click(2, 4))
    # Cut by the frame of the image: the middle of what is seen.
    assert first_click(rectangle(0, 0, 4, 4)) == Click(2, 2)


def test_what_is_missing_gets_a_positive_click() -> None:
    truth = rectangle(5, 5, 13, 25)
    assert next_click(truth, rectangle(5, 5, 13, 16)) == Click(9, 21, positive=True)


def test_what_is_too_much_gets_a_negative_click() -> None:
    truth = rectangle(5, 5, 13, 16)
    assert next_click(truth, rectangle(5, 5, 13, 25)) == Click(9, 21, positive=False)


def test_the_larger_error_comes_first() -> None:
    truth = rectangle(2, 2, 4, 4) | rectangle(10, 10, 18, 18)
    excess = rectangle(22, 30, 26, 34)
    assert next_click(truth, excess) == Click(14, 14)
    assert next_click(truth, excess | rectangle(10, 10, 18, 18)) == Click(24, 32, positive=False)
    assert next_click(truth, rectangle(10, 10, 18, 18)) == Click(3, 3)


def test_depth_decides_and_not_area() -> None:
    truth = rectangle(2, 2, 3, 38) | rectangle(10, 10, 14, 14)  # 74 pixels two deep, 25 pixels three deep
    assert next_click(truth, np.zeros_like(truth)) == Click(12, 12)


def test_of_errors_alike_the_excess_is_taken() -> None:
    assert next_click(rectangle(2, 2, 6, 6), rectangle(20, 20, 24, 24)) == Click(22, 22, positive=False)


def test_where_nothing_is_wrong_the_click_is_beside_the_object() -> None:
    truth = rectangle(0, 0, 29, 10)
    click = next_click(truth, truth.copy())
    assert not click.positive
    assert not truth[int(click.y), int(click.x)]
    assert click.x > 20


def test_an_empty_mask_cannot_be_clicked() -> None:
    with pytest.raises(PromptError, match="the mask is empty"):
        first_click(np.zeros((4, 4), bool))
