"""SAM where SAM 2 is used: one image and any prompts, windows, and what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.errors import CheckpointError
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.inference import pixels
from napari_sam2.inference.focus import FocusPredictor
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.policy import MaskPolicy
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.model.fit import Fit
from napari_sam2.model.sam1 import SAM1
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Box, Click, PromptSet
from tests.sam1 import tiny_sam1

SHAPE = (90, 70)


@pytest.fixture(scope="module")
def model() -> SAM1:
    return tiny_sam1()


@pytest.fixture(scope="module")
def predictor(model: SAM1) -> ImagePredictor:
    predictor = ImagePredictor(model)
    predictor.set_image(moving_nuclei(1, *SHAPE, objects=3, divisions=0).images[0])
    return predictor


def test_points_are_scaled_by_the_part_of_the_square_that_the_image_takes() -> None:
    prompt = PromptSet((Click(50, 20),), Box(0, 0, 90, 70))
    points, _ = pixels.to_model_points(prompt, (100, 80), 128, Fit.PADDED)
    # 80 columns become 102.4, rounded to 102; the two ratios differ a little.
    expected = [[0, 0], [70 * 102 / 80, 90 * 1.28], [20 * 102 / 80, 64]]
    torch.testing.assert_close(points[0], torch.tensor(expected))


def test_images_are_padded_with_the_mean_colour_on_the_right_and_below() -> None:
    for shape in ((40, 20), (20, 40)):
        x = pixels.to_model_pixels(np.ones((*shape, 3), np.float32), 64, torch.device("cpu"), Fit.PADDED)
        rows, columns = (64, 32) if shape[0] > shape[1] else (32, 64)
        white = [(1 - m) / d for m, d in zip(pixels.MEAN, pixels.DEVIATION, strict=True)]
        torch.testing.assert_close(x[0, :, 0, 0], torch.tensor(white))
        assert (x[0, :, :rows, :columns] == x[0, :, :1, :1]).all()
        assert float(x.sum()) == pytest.approx(float(sum(white)) * rows * columns, rel=1e-5)


def test_masks_are_padded_too() -> None:
    mask = np.ones((40, 20), bool)
    square = pixels.to_model_mask(mask, 64, Fit.PADDED)
    assert square.shape == (1, 1, 64, 64)
    assert square[0, 0, :, :32].all()
    assert not square[0, 0, :, 32:].any()


def test_clicked_cells_lie_within_the_image_s_part() -> None:
    cells = pixels.clicked_cells([Click(89, 69), Click(0, 0)], SHAPE, (32, 32), Fit.PADDED)
    assert {(int(y), int(x)) for y, x in cells.nonzero()} == {(0, 0), (31, 24)}


def test_prompts_of_all_kinds_together_equal_one_by_one(predictor: ImagePredictor) -> None:
    """Two clicks are as many points as one box, yet one of them more is closed by a token."""
    click, other = Click(20, 30), Click(60, 40, positive=False)
    together = predictor.predict([[click, other], [click], [other, click]])
    alone = [predictor.predict(clicks) for clicks in ([click, other], [click], [other, click])]
    boxes = predictor.predict(box=[Box(5, 5, 50, 40), Box(30, 20, 80, 66)])
    alone_boxes = [predictor.predict(box=box) for box in (Box(5, 5, 50, 40), Box(30, 20, 80, 66))]
    for many, single in ((together, alone), (boxes, alone_boxes)):
        torch.testing.assert_close(many.logits, torch.cat([p.logits for p in single]), atol=1e-5, rtol=0)
        torch.testing.assert_close(many.iou, torch.cat([p.iou for p in single]), atol=1e-5, rtol=0)
    assert together.object_score.shape == (3, 0)


def test_masks_have_the_image_s_shape(predictor: ImagePredictor) -> None:
    found = predictor.predict([Click(20, 30)], multimask=True)
    assert found.fit is Fit.PADDED
    assert found.masks().shape == (1, 3, *SHAPE)
    assert torch.equal(found.masks(), found.image_logits() > 0)
    best = found.best()
    row = int(found.iou[0].argmax())
    assert torch.equal(best.masks()[0, 0], found.masks()[0, row])


def test_a_rough_mask_is_a_prompt(predictor: ImagePredictor) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[10:30, 20:50] = True
    rough = predictor.predict(mask=mask)
    flipped = predictor.predict(mask=mask[::-1])
    assert rough.logits.shape == (1, 1, 32, 32)
    assert float((rough.logits - flipped.logits).abs().max()) > 0.01


def test_earlier_logits_are_not_clamped(predictor: ImagePredictor) -> None:
    steep = 100 * torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    whole, clamped = (predictor.predict(mask_logits=x).logits for x in (steep, steep.clamp(-32, 32)))
    assert float((whole - clamped).abs().max()) > 0.01


def test_the_single_mask_does_not_fall_back_by_default(model: SAM1, small_model: SAM2) -> None:
    assert ImagePredictor(model).policy.fallback is None
    assert FocusPredictor(model).policy.fallback is None
    assert ImagePredictor(small_model).policy == MaskPolicy()
    assert ImagePredictor(model, MaskPolicy()).policy.fallback is not None


def test_windows(model: SAM1) -> None:
    image = moving_nuclei(1, 300, 200, objects=6, divisions=0).images[0]
    focus = FocusPredictor(model)
    focus.set_image(image)
    found = focus.predict((Click(120, 90),))
    assert found.mask.shape == image.shape
    # Nothing lies outside the window that was chosen.
    outside = found.mask.copy()
    found.window.cut(outside)[:] = False
    assert not outside.any()
    assert len(focus._views) > 2
    refined = focus.predict((Click(120, 90), Click(125, 95, positive=False)), before=found)
    assert refined.window == found.window


def test_a_tracker_refuses_it_in_words(model: SAM1) -> None:
    with pytest.raises(CheckpointError, match=r"segments single images.*SliceBySlice"):
        VideoTracker(model)
