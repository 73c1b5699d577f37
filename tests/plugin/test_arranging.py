"""Axes by name."""

import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.plugin.arranging import arranged


@pytest.mark.parametrize(
    ("letters", "shape", "wanted", "expected"),
    [
        ("TYX", (2, 3, 4), "XTY", (4, 2, 3)),
        ("TYX", (2, 3, 4), "TCYX", (2, 1, 3, 4)),
        ("TCYX", (2, 1, 3, 4), "TYX", (2, 3, 4)),
        ("CTYX", (2, 5, 3, 4), "TYXC", (5, 3, 4, 2)),
        ("TCYX", (2, 1, 3, 4), "ZXTY", (1, 4, 2, 3)),
    ],
)
def test_axes_go_where_they_are_wanted(
    letters: str, shape: tuple[int, ...], wanted: str, expected: tuple[int, ...]
) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    found = arranged(array, letters, wanted)
    assert found.shape == expected
    place = {letter: size - 1 for letter, size in zip(letters, shape, strict=True)}
    place["Y"] = 1
    there = array[tuple(place[letter] for letter in letters)]
    assert found[tuple(place.get(letter, 0) for letter in wanted)] == there


def test_what_fits_is_not_touched() -> None:
    array = object()
    assert arranged(array, "TYX", "TYX") is array


def test_nothing_gets_lost() -> None:
    with pytest.raises(ImageError, match="TCYX"):
        arranged(np.zeros((2, 3, 4, 5)), "TCYX", "TYX")
