"""Axes are read, chosen and laid out."""

import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.plugin.layer_axes import LayerAxes


@pytest.mark.parametrize(
    ("shape", "labels", "units", "rgb", "letters", "along"),
    [
        ((64, 72), ("-2", "-1"), (), False, "YX", None),
        ((9, 64, 72), ("-3", "-2", "-1"), ("pixel",) * 3, False, "TYX", "T"),
        ((9, 64, 72), ("-3", "-2", "-1"), ("micrometer",) * 3, False, "ZYX", "Z"),
        ((9, 64, 72), ("z", "y", "x"), (), False, "ZYX", "Z"),
        ((9, 64, 72), ("Time", "row", "column"), (), False, "TYX", "T"),
        ((64, 9, 72), ("y", "t", "x"), (), False, "YTX", "T"),
        ((64, 72, 3), ("-2", "-1"), (), True, "YXC", None),
        ((9, 64, 72, 3), ("-3", "-2", "-1"), (), True, "TYXC", "T"),
        ((9, 5, 64, 72), ("-4", "-3", "-2", "-1"), (), False, "TZYX", "T"),
        ((9, 2, 64, 72), ("-4", "-3", "-2", "-1"), (), False, "TCYX", "T"),
        ((2, 9, 64, 72), ("-4", "-3", "-2", "-1"), (), False, "CTYX", "T"),
        ((9, 2, 64, 72), ("z", "c", "y", "x"), (), False, "ZCYX", "Z"),
        ((1, 9, 2, 64, 72), ("t", "z", "c", "y", "x"), (), False, "TZCYX", "Z"),
        ((7, 9, 2, 64, 72), ("-5", "-4", "-3", "-2", "-1"), (), False, "TZCYX", "T"),
        ((9, 64, 72), ("a", "b", "c"), (), False, "TYX", "T"),
    ],
)
def test_guess(
    shape: tuple[int, ...],
    labels: tuple[str, ...],
    units: tuple[str, ...],
    rgb: bool,
    letters: str,
    along: str | None,
) -> None:
    axes = LayerAxes.guess(shape, labels, units, rgb)
    assert (axes.letters, axes.along, axes.shape) == (letters, along, shape)


def test_the_axis_that_is_not_followed_stays_where_the_slider_is() -> None:
    axes = LayerAxes.of("TZYX", (9, 5, 64, 72), position=(4.0, 3.2, 0, 0))
    assert (axes.along, dict(axes.at), axes.frames) == ("T", {"Z": 3}, 9)
    other = LayerAxes.of("TZYX", (9, 5, 64, 72), along="Z", position=(4.0, 3.2, 0, 0))
    assert (other.along, dict(other.at), other.frames) == ("Z", {"T": 4}, 5)


@pytest.mark.parametrize("letters", ["TY", "TYY", "QYX", "TZC", "TZYX"])
def test_letters_that_do_not_fit(letters: str) -> None:
    with pytest.raises(ImageError):
        LayerAxes.of(letters, (9, 64, 72))


def test_too_many_axes_say_what_to_do() -> None:
    with pytest.raises(ImageError, match="Split Stack"):
        LayerAxes.guess((2, 2, 2, 2, 64, 72))


def test_positions_there_and_back() -> None:
    axes = LayerAxes.of("ZCYX", (9, 2, 64, 72))
    where = axes.position(4, 10.0, 20.5, channel=1)
    np.testing.assert_array_equal(where, [4, 1, 10, 20.5])
    assert axes.frame(where) == 4
    assert axes.pixel(where) == (10.0, 20.5)
    assert axes.holds(where)
    assert axes.inside(4, 63.4, 0)
    assert not axes.inside(4, 63.6, 0)
    assert not axes.inside(9, 0, 0)
    held = LayerAxes.of("TZYX", (9, 5, 64, 72), position=(0, 3, 0, 0))
    assert held.holds((2, 3, 0, 0))
    assert not held.holds((2, 4, 0, 0))


@pytest.mark.parametrize(
    ("letters", "shape", "spread"),
    [
        ("TYX", (3, 4, 5), (3, 4, 5)),
        ("YX", (4, 5), (4, 5)),
        ("ZCYX", (3, 2, 4, 5), (3, 2, 4, 5)),
        ("TZYX", (3, 2, 4, 5), (3, 1, 4, 5)),
        ("XYT", (5, 4, 3), (5, 4, 3)),
    ],
)
def test_labels_share_memory_with_what_the_layer_shows(
    letters: str, shape: tuple[int, ...], spread: tuple[int, ...]
) -> None:
    axes = LayerAxes.of(letters, shape)
    labels = np.zeros((axes.frames, *axes.plane), np.uint16)
    shown = axes.spread(labels)
    assert shown.shape == spread
    frame = axes.frames - 1
    where = tuple(int(i) for i in axes.position(frame, 2, 3) - axes.origin)
    labels[frame, 2, 3] = 7
    assert shown[where] == 7
    shown[where] = 9
    assert labels[frame, 2, 3] == 9
    assert np.count_nonzero(labels) == 1
