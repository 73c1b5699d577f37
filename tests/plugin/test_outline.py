"""Shapes become masks."""

import numpy as np

from napari_sam2.plugin.outline import filled


def test_polygon() -> None:
    mask = filled(np.array([[2, 3], [2, 8], [6, 8], [6, 3]]), "polygon", (10, 12))
    wanted = np.zeros((10, 12), bool)
    wanted[2:7, 3:9] = True
    np.testing.assert_array_equal(mask, wanted)


def test_ellipse_fills_about_what_it_should() -> None:
    mask = filled(np.array([[10, 10], [10, 50], [40, 50], [40, 10]]), "ellipse", (60, 64))
    assert abs(mask.sum() / (np.pi * 15 * 20) - 1) < 0.06
    assert mask[25, 30]
    assert not mask[11, 11]


def test_stroke_is_as_wide_as_it_is_drawn() -> None:
    mask = filled(np.array([[10, 5], [10, 25]]), "path", (20, 30), width=5)
    assert mask[8:13, 15].all()
    assert mask[:, 15].sum() == 5


def test_what_lies_outside_is_cut_off() -> None:
    mask = filled(np.array([[-5, -5], [-5, 50], [50, 50], [50, -5]]), "polygon", (10, 12))
    assert mask.all()
