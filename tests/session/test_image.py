"""Axes are honoured, and images known again."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile

from napari_sam2.errors import ImageError
from napari_sam2.io.frames import open_frames
from napari_sam2.session.image import ImageReference, arrange


@pytest.mark.parametrize(
    ("shape", "axes", "arranged", "along"),
    [
        ((5, 6, 7), None, (5, 6, 7), "T"),
        ((6, 7), None, (1, 6, 7), "T"),
        ((6, 7, 3), None, (1, 6, 7, 3), "T"),
        ((5, 6, 7, 2), None, (5, 6, 7, 2), "T"),
        ((5, 6, 7), "ZYX", (5, 6, 7), "Z"),
        ((2, 5, 6, 7), "CZYX", (5, 6, 7, 2), "Z"),
        ((7, 6, 5), "XYT", (5, 6, 7), "T"),
        ((5, 1, 2, 6, 7), "TZCYX", (5, 6, 7, 2), "T"),
        ((1, 5, 1, 6, 7), "TZCYX", (5, 6, 7), "Z"),
        ((5, 6, 7), "zyx", (5, 6, 7), "Z"),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_axes(
    shape: tuple[int, ...], axes: str | None, arranged: tuple[int, ...], along: str, lazy: bool
) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    frames, letter = arrange(da.from_array(array) if lazy else array, axes)
    assert (tuple(frames.shape), len(frames), letter) == (arranged, arranged[0], along)
    names = (axes or {2: "YX", 3: "YXC" if shape[-1] == 3 else "TYX", 4: "TYXC"}[len(shape)]).upper()
    for index in range(len(frames)):
        frame = np.asarray(frames[index])
        assert frame.shape == arranged[1:]
        for y, x, c in ((0, 0, 0), (5, 2, arranged[3] - 1 if len(arranged) == 4 else 0)):
            place = {"Y": y, "X": x, "C": c, along: index}
            wanted = array[tuple(place.get(name, 0) for name in names)]
            assert frame[(y, x, c)[: frame.ndim]] == wanted


@pytest.mark.parametrize(
    ("shape", "axes", "words"),
    [
        ((5, 6, 7), "TY", "name each axis once"),
        ((5, 6, 7), "TYY", "name each axis once"),
        ((5, 6, 7), "TZY", "Y and X have to be among them"),
        ((5, 6, 7), "QYX", "'Q' is none of"),
        ((5, 4, 6, 7), "TZYX", "5 times and 4 slices"),
        ((6,), None, "2 to 4 axes"),
        ((0, 6, 7), None, "not empty"),
    ],
)
def test_axes_that_make_no_sense(shape: tuple[int, ...], axes: str | None, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        arrange(np.zeros(shape), axes)


def test_files_keep_their_own_axes(tmp_path: Path) -> None:
    stack = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
    tifffile.imwrite(tmp_path / "a.tif", stack, metadata={"axes": "ZYX"})
    with open_frames(tmp_path / "a.tif") as opened:
        frames, letter = arrange(opened, "ZYX")
        assert letter == "Z"
        assert arrange(opened, None)[1] == "T"
        assert np.array_equal(frames[2], stack[2])
        assert ImageReference.of(frames, tmp_path / "a.tif") == ImageReference.of(
            arrange(stack, None)[0], None
        )
        with pytest.raises(ImageError, match="named with the letters"):
            arrange(opened, "QYX")


def test_reference_tells_images_apart() -> None:
    stack = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
    known = ImageReference.of(stack, None)
    for other in (stack.astype(np.int16), stack[:4], stack[::-1], stack + 1):
        assert ImageReference.of(other, None) != known


@pytest.mark.parametrize(
    ("axes", "at", "arranged", "along"),
    [
        ("TZYX", {"Z": 3}, (5, 6, 7), "T"),
        ("TZYX", {"T": 2}, (4, 6, 7), "Z"),
        ("TCYX", {"C": 1}, (5, 6, 7), "T"),
        ("TCYX", {"T": 4}, (1, 6, 7, 4), "T"),
    ],
)
def test_an_axis_can_be_held(axes: str, at: dict[str, int], arranged: tuple[int, ...], along: str) -> None:
    array = np.arange(5 * 4 * 6 * 7).reshape(5, 4, 6, 7)
    frames, letter = arrange(array, axes, at)
    assert (tuple(frames.shape), letter) == (arranged, along)
    held = tuple(at.get(name, slice(None)) for name in axes)
    wanted = array[held].reshape(arranged) if len(arranged) == 3 else array[4].transpose(1, 2, 0)[None]
    np.testing.assert_array_equal(np.stack([frames[index] for index in range(len(frames))]), wanted)


@pytest.mark.parametrize("at", [{"Q": 0}, {"Y": 2}, {"T": 5}, {"Z": -1}])
def test_held_where_there_is_nothing(at: dict[str, int]) -> None:
    with pytest.raises(ImageError, match="cannot be held"):
        arrange(np.zeros((5, 4, 6, 7)), "TZYX", at)
