import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.imaging.overlay import color_of, contact_sheet, outlines, overlay


def _square() -> np.ndarray:
    labels = np.zeros((9, 9), np.uint16)
    labels[2:7, 2:7] = 3
    return labels


def test_background_stays_and_outline_is_solid() -> None:
    frame = np.full((9, 9, 3), 0.5, np.float32)
    picture = overlay(frame, _square(), fill=0.2)
    color = np.array(color_of(3))
    assert picture.dtype == np.uint8
    assert (picture[0, 0] == 128).all()
    np.testing.assert_allclose(picture[2, 2] / 255, color, atol=0.01)
    np.testing.assert_allclose(picture[4, 4] / 255, 0.5 + 0.2 * (color - 0.5), atol=0.01)
    assert (frame == 0.5).all()


def test_outline_is_one_pixel_inside_the_object() -> None:
    edge = outlines(_square())
    assert edge.sum() == 16
    assert not edge[3:6, 3:6].any()


def test_touching_objects_are_told_apart() -> None:
    labels = np.array([[1, 1, 2, 2]] * 4)
    assert outlines(labels)[:, 1:3].all()
    assert not outlines(labels)[:, [0, 3]].any()
    assert len({color_of(label) for label in range(1, 200)}) == 199


def test_no_objects_and_values_outside_the_range() -> None:
    picture = overlay(np.array([[[-1.0, 0.5, 7.0]]]), np.zeros((1, 1), int))
    assert picture.tolist() == [[[0, 128, 255]]]


def test_sizes_have_to_agree() -> None:
    with pytest.raises(ImageError, match=r"got \(4, 4, 3\) and \(4, 5\)"):
        overlay(np.zeros((4, 4, 3)), np.zeros((4, 5), int))


def test_contact_sheet_in_rows() -> None:
    sheet = contact_sheet([np.full((4, 6, 3), value, np.uint8) for value in (1, 2, 3)], columns=2)
    assert sheet.shape == (10, 14, 3)
    assert (sheet[:4, :6] == 1).all()
    assert (sheet[:4, 8:] == 2).all()
    assert (sheet[6:, :6] == 3).all()
    assert (sheet[6:, 8:] == 255).all()
