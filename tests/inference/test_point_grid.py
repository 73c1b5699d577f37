import numpy as np
import pytest

from napari_sam2.inference.everything import grid_clicks
from napari_sam2.inference.focus import Window
from napari_sam2.inference.point_grid import crop_windows, layer_side, point_grid


def test_grid_of_two() -> None:
    assert point_grid(2).tolist() == [[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]


def test_grid_is_half_a_step_from_the_border() -> None:
    points = point_grid(32)
    assert points.shape == (1024, 2)
    assert points.min() == 1 / 64
    assert points.max() == 1 - 1 / 64
    assert points[0, 0] == points[31, 0]  # x varies fastest
    np.testing.assert_allclose(np.diff(points[:32, 1]), 1 / 32)


@pytest.mark.parametrize(
    ("points", "factor", "layer", "side"), [(32, 1, 2, 32), (32, 2, 1, 16), (32, 3, 1, 10), (2, 4, 3, 1)]
)
def test_grids_of_layers(points: int, factor: int, layer: int, side: int) -> None:
    assert layer_side(points, factor, layer) == side


def test_without_layers_there_is_the_image_alone() -> None:
    assert crop_windows((40, 70), 0, 0.3) == [(0, Window(0, 0, 40, 70))]


def test_crops_by_hand() -> None:
    # The overlap is int(0.34 * 100) = 34: crops are (34 + 100) / 2 = 67 rows, (34 + 151) / 2 = 93 columns.
    crops = crop_windows((100, 151), 1, 0.34)
    assert crops == [
        (0, Window(0, 0, 100, 151)),
        (1, Window(0, 0, 67, 93)),
        (1, Window(33, 0, 100, 93)),
        (1, Window(0, 59, 67, 151)),  # 59 + 93 = 152: cut to the image
        (1, Window(33, 59, 100, 151)),
    ]


@pytest.mark.parametrize("shape", [(100, 151), (64, 64), (5, 300), (3, 3)])
def test_every_layer_covers_the_image(shape: tuple[int, int]) -> None:
    crops = crop_windows(shape, 3, 512 / 1500)
    for layer in range(4):
        seen = np.zeros(shape, int)
        for _, window in (crop for crop in crops if crop[0] == layer):
            assert min(window.shape) > 0
            window.cut(seen)[...] += 1
        assert seen.min() >= 1


def test_clicks_of_a_plane_smaller_than_the_grid_stay_inside() -> None:
    clicks = grid_clicks(Window(0, 0, 10, 20), 32)
    assert len(clicks) == 1024
    assert max(click.y for click in clicks) == 9.5
    assert max(click.x for click in clicks) == 19.5
    assert min(click.y for click in clicks) == 10 / 64


def test_clicks_lie_in_their_crop() -> None:
    clicks = grid_clicks(Window(30, 50, 130, 250), 2)
    assert [(c.y, c.x) for c in clicks] == [(55, 100), (55, 200), (105, 100), (105, 200)]
