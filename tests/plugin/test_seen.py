"""What the model sees, made small."""

import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.plugin.seen import look, shrunk


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((40, 60), (40, 60)),
        ((144, 9), (144, 9)),
        ((145, 9), (72, 4)),
        ((1000, 3), (142, 1)),
        ((2, 999), (1, 142)),
    ],
)
def test_no_side_is_too_long(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert shrunk(np.ones((*shape, 3), np.float32), 144).shape == (*expected, 3)


def test_blocks_are_averaged() -> None:
    picture = np.zeros((4, 4, 3), np.float32)
    picture[0, 0] = 1
    assert shrunk(picture, 2)[0, 0].tolist() == [0.25] * 3
    assert shrunk(picture, 2)[1].max() == 0


def test_the_frame_is_mapped() -> None:
    frames = np.arange(2 * 6 * 6, dtype=np.uint16).reshape(2, 6, 6)
    seen = look(frames, IntensityMap.window(0, 71), 1, 10)
    assert seen.frame == 1
    assert seen.picture.dtype == np.uint8
    assert seen.picture[5, 5].tolist() == [255] * 3
    assert seen.picture[0, 0].tolist() == [round(36 / 71 * 255)] * 3


def test_nan_is_explained() -> None:
    with pytest.raises(ImageError, match="NaN"):
        look(np.full((1, 5, 5), np.nan), IntensityMap.window(0, 1), 0, 10)
