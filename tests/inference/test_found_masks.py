import numpy as np
import pytest
import torch

from napari_sam2.inference.focus import Window
from napari_sam2.inference.found_masks import (
    FoundMask,
    flatten,
    near_crop_edge,
    remove_small_regions,
    select,
    stability_scores,
    suppress,
    tight_boxes,
)
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import Click


def found(mask: np.ndarray, iou: float) -> FoundMask:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = Window(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    whole = Window(0, 0, *mask.shape)
    return FoundMask(RunLengths.encode(box.cut(mask)), box, iou, 1.0, Click(0, 0), whole)


def square(y: int, x: int, side: int, shape: tuple[int, int] = (12, 12)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_stability_by_hand() -> None:
    logits = torch.tensor([[[-2.0, -0.5, 0.5, 2.0]], [[-9.0, -9, -9, -9]], [[3.0, 3, 3, 3]]])
    scores = stability_scores(logits)
    assert scores[0] == pytest.approx(1 / 3)  # above +1: one; above -1: three
    assert scores[1].isnan()
    assert scores[2] == 1
    assert stability_scores(logits, threshold=0.5, offset=2.0)[0] == 0
    assert stability_scores(logits, threshold=1.0, offset=0.75)[0] == pytest.approx(1 / 2)


def test_boxes_hold_the_outermost_pixels() -> None:
    masks = torch.zeros(3, 5, 7, dtype=torch.bool)
    masks[0, 1:4, 2:6] = True
    masks[1, 4, 6] = True
    assert tight_boxes(masks).tolist() == [[1, 2, 3, 5], [4, 6, 4, 6], [0, 0, 0, 0]]


def test_what_a_crop_cuts_off_is_told() -> None:
    crop, shape = Window(0, 0, 100, 100), (100, 400)
    boxes = np.array(
        [
            [30, 30, 60, 60],  # in the middle
            [30, 30, 60, 80],  # 20 pixels from the right edge
            [30, 30, 60, 79],  # 21
            [2, 30, 98, 60],  # the image ends there, too
        ],
        dtype=float,
    )
    assert near_crop_edge(boxes, crop, shape).tolist() == [False, True, False, False]
    assert near_crop_edge(boxes, crop, shape, reach=1).tolist() == [False] * 4
    shifted = Window(0, 200, 100, 300)
    assert near_crop_edge(boxes[[0, 3]] - (0, 15, 0, 15), shifted, shape).tolist() == [True, True]


def test_suppression_by_hand() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [0, 5, 10, 15], [20, 20, 20, 20]], dtype=float)
    # Overlaps with the first: 80 / 100, 50 / 150 and nothing; the last is a point, which has no area.
    assert suppress(boxes, [0.9, 0.8, 0.7, 0.1], 0.7) == [0, 2, 3]
    assert suppress(boxes, [0.8, 0.9, 0.7, 0.1], 0.7) == [1, 2, 3]
    assert suppress(boxes, [0.9, 0.8, 0.7, 0.1], 0.8) == [0, 1, 2, 3]
    assert suppress(boxes, [0.9, 0.8, 0.7, 0.1], 1 / 3 - 1e-9) == [0, 3]
    assert suppress(boxes[3:].repeat(2, axis=0), [0.1, 0.2], 0.0) == [1, 0]
    assert suppress(np.zeros((0, 4)), [], 0.7) == []


def test_what_was_dropped_drops_nothing() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 3, 10, 13], [0, 6, 10, 16]], dtype=float)
    # 70 / 130 between neighbours, 40 / 160 between the first and the last.
    assert suppress(boxes, [3, 2, 1], 0.5) == [0, 2]


def test_masks_are_selected_by_their_boxes() -> None:
    masks = [found(square(1, 1, 6), 0.5), found(square(1, 1, 7), 0.9), found(square(8, 8, 3), 0.1)]
    assert select(masks, [m.predicted_iou for m in masks], 0.6) == [masks[1], masks[2]]
    assert select([], [], 0.6) == []


def test_small_regions() -> None:
    mask = square(1, 1, 8)
    mask[3, 3] = mask[4, 4] = False  # one hole of two pixels: corners touch
    mask[11, 11] = True
    cleaned = remove_small_regions(mask, 2)
    assert (cleaned == square(1, 1, 8)).all()
    assert (remove_small_regions(mask, 1) == (mask & (square(1, 1, 8)))).all()
    assert (remove_small_regions(mask, 0) == mask).all()


def test_the_largest_piece_stays_however_small() -> None:
    mask = square(2, 2, 2)
    mask[9, 9] = True
    assert (remove_small_regions(mask, 50) == square(2, 2, 2)).all()
    assert not remove_small_regions(np.zeros((4, 4), bool), 5).any()
    almost = np.ones((4, 4), bool)
    almost[0, 0] = False
    assert (remove_small_regions(almost, 5) == almost).all()


def test_a_mask_lies_in_its_box() -> None:
    mask = square(3, 4, 5) & ~square(5, 6, 1)
    one = found(mask, 0.5)
    assert one.box == Window(3, 4, 8, 9)
    assert one.area == 24
    assert (one.whole((12, 12)) == mask).all()


def test_labels_go_to_the_best_first() -> None:
    best, worse = found(square(0, 0, 4), 0.9), found(square(2, 2, 6), 0.8)
    labels = flatten([worse, best], (12, 12))
    assert labels.dtype == np.uint16
    assert (labels == 1).sum() == 16
    assert (labels == 2).sum() == 36 - 4
    assert labels[3, 3] == 1


def test_what_is_mostly_taken_gets_no_label() -> None:
    best, inner = found(square(0, 0, 8), 0.9), found(square(1, 1, 5), 0.8)
    half = found(square(6, 0, 4), 0.7)  # two of its four rows are free
    labels = flatten([best, inner, half], (12, 12))
    assert labels.max() == 2
    assert (labels == 2).sum() == 8
    assert flatten([best, half], (12, 12), free=0.6).max() == 1
    assert flatten([best, half], (12, 12), least_area=9).max() == 1


def test_an_object_is_one_piece() -> None:
    bar = np.zeros((12, 12), bool)
    bar[5, :] = True
    cut = np.zeros((12, 12), bool)
    cut[:, 4] = True
    labels = flatten([found(cut, 0.9), found(bar, 0.8)], (12, 12))
    assert np.flatnonzero(labels[5] == 2).tolist() == [5, 6, 7, 8, 9, 10, 11]
    assert not flatten([], (3, 5)).any()
