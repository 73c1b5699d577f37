"""One image, any prompts: batches, kinds of prompts, kinds of pixels, and what goes wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from napari_sam2.errors import ImageError, PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.policy import MaskPolicy
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import MaskPrediction
from napari_sam2.prompts import Box, Click

SHAPE = (90, 70)
CLICKS = [Click(20, 10), Click(60, 50), Click(5, 66)]


def blobs() -> np.ndarray:
    """A gray uint8 image of two discs on noise."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.random.default_rng(0).integers(0, 40, SHAPE)
    image[(y - 20) ** 2 + (x - 12) ** 2 < 90] += 120
    image[(y - 60) ** 2 + (x - 48) ** 2 < 160] += 180
    return image.astype(np.uint8)


@pytest.fixture
def predictor(small_model: SAM2) -> ImagePredictor:
    predictor = ImagePredictor(small_model)
    predictor.set_image(blobs())
    return predictor


def assert_rows_equal(together: MaskPrediction, alone: list[MaskPrediction]) -> None:
    assert len(together.logits) == len(alone)
    for row, one in enumerate(alone):
        for part in ("logits", "iou", "object_score", "pointer"):
            found, expected = getattr(together, part)[row], getattr(one, part)[0]
            torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def differ(a: MaskPrediction, b: MaskPrediction) -> float:
    return float((a.logits - b.logits).abs().max())


@pytest.mark.parametrize("multimask", [False, True])
def test_many_clicks_in_one_call_equal_one_by_one(predictor: ImagePredictor, multimask: bool) -> None:
    together = predictor.predict(clicks=[[c] for c in CLICKS], multimask=multimask)
    alone = [predictor.predict(clicks=[c], multimask=multimask) for c in CLICKS]
    assert together.logits.shape == (3, 3 if multimask else 1, 32, 32)
    assert together.iou.shape == together.logits.shape[:2]
    assert together.object_score.shape == (3, 1)
    assert differ(alone[0], alone[1]) > 0.01
    assert_rows_equal(together, alone)


def test_prompts_of_different_length_do_not_disturb_each_other(predictor: ImagePredictor) -> None:
    prompts = [
        CLICKS[:1],
        [*CLICKS[:2], Click(80, 3, positive=False)],
        [CLICKS[2], Click(40, 40, positive=False)],
        CLICKS[1:2],
    ]
    together = predictor.predict(clicks=prompts)
    assert_rows_equal(together, [predictor.predict(clicks=p) for p in prompts])
    assert together.image_shape == SHAPE


def test_many_boxes_and_boxes_with_clicks(predictor: ImagePredictor) -> None:
    boxes = [Box(10, 2, 30, 22), Box(45, 30, 75, 66)]
    assert_rows_equal(predictor.predict(box=boxes), [predictor.predict(box=b) for b in boxes])
    clicks = [[CLICKS[0]], [CLICKS[1]]]
    both = predictor.predict(clicks=clicks, box=boxes)
    alone = [predictor.predict(clicks=c, box=b) for c, b in zip(clicks, boxes, strict=True)]
    assert_rows_equal(both, alone)
    assert differ(both, predictor.predict(box=boxes)) > 0.01, "the clicks count"
    assert differ(both, predictor.predict(clicks=clicks)) > 0.01, "the boxes count"


def test_negative_clicks_count(predictor: ImagePredictor) -> None:
    wanted = predictor.predict(clicks=[Click(20, 10)])
    assert differ(wanted, predictor.predict(clicks=[Click(20, 10, positive=False)])) > 0.01


def test_a_mask_alone_and_with_a_click(predictor: ImagePredictor) -> None:
    rough = np.zeros(SHAPE, bool)
    rough[12:30, 4:20] = True
    alone = predictor.predict(mask=rough)
    assert alone.logits.shape == (1, 1, 32, 32)
    assert differ(alone, predictor.predict(mask=~rough)) > 0.01
    clicked = predictor.predict(clicks=[CLICKS[0]], mask=rough)
    assert differ(clicked, alone) > 0.01
    assert differ(clicked, predictor.predict(clicks=[CLICKS[0]])) > 0.01
    several = predictor.predict(mask=np.stack([rough, ~rough]))
    assert_rows_equal(several, [alone, predictor.predict(mask=~rough)])


def test_mask_logits_refine_an_earlier_answer(predictor: ImagePredictor) -> None:
    clicks = [[CLICKS[0]], [CLICKS[1], CLICKS[2]]]
    first = predictor.predict(clicks=clicks)
    second = predictor.predict(clicks=clicks, mask_logits=first.logits)
    assert differ(first, second) > 0.01
    alone = [predictor.predict(clicks=c, mask_logits=first.logits[i : i + 1]) for i, c in enumerate(clicks)]
    assert_rows_equal(second, alone)
    shared = predictor.predict(clicks=clicks, mask_logits=first.logits[:1])
    assert_rows_equal(shared, [predictor.predict(clicks=c, mask_logits=first.logits[:1]) for c in clicks])


def test_mask_logits_are_clamped_to_what_the_network_was_trained_with(predictor: ImagePredictor) -> None:
    start = predictor.predict(clicks=[CLICKS[0]]).logits
    far = torch.where(start > 0, 1000.0, -1000.0)
    near = torch.where(start > 0, 32.0, -32.0)
    assert torch.equal(predictor.predict(mask_logits=far).logits, predictor.predict(mask_logits=near).logits)


def test_masks_come_at_the_image_s_size(predictor: ImagePredictor) -> None:
    prediction = predictor.predict(clicks=[[c] for c in CLICKS], multimask=True)
    masks = prediction.masks()
    assert masks.shape == (3, 3, *SHAPE)
    assert masks.dtype == torch.bool
    assert 0 < int(masks.sum()) < masks.numel()
    higher, lower = prediction.masks(threshold=1.0), prediction.masks(threshold=-1.0)
    assert int(higher.sum()) < int(masks.sum()) < int(lower.sum())
    assert not (higher & ~masks).any() and not (masks & ~lower).any()


def test_the_best_of_three(predictor: ImagePredictor) -> None:
    three = predictor.predict(clicks=[[c] for c in CLICKS], multimask=True)
    best = three.best()
    assert best.logits.shape == (3, 1, 32, 32)
    assert best.image_shape == SHAPE
    for row, index in enumerate(three.iou.argmax(dim=1).tolist()):
        assert torch.equal(best.logits[row, 0], three.logits[row, index])
        assert float(best.iou[row, 0]) == float(three.iou[row].max())


def test_a_prediction_without_an_image_has_no_masks() -> None:
    bare = MaskPrediction(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1, 1, 8))
    with pytest.raises(ValueError, match="does not know its image"):
        bare.masks()


def test_the_policy_decides_on_the_fallback(small_model: SAM2) -> None:
    strict = ImagePredictor(small_model, MaskPolicy(dynamic_multimask_stability_thresh=1.01))
    off = ImagePredictor(small_model, MaskPolicy(dynamic_multimask_via_stability=False))
    for predictor in (strict, off):
        predictor.set_image(blobs())
    clicks = [[c] for c in CLICKS]
    three = off.predict(clicks=clicks, multimask=True).best()
    assert torch.equal(strict.predict(clicks=clicks).logits, three.logits)
    assert differ(off.predict(clicks=clicks), three) > 0.01


GRAY = blobs()


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(GRAY.astype(np.uint16) * 200, id="uint16"),
        pytest.param(GRAY.astype(np.int32) - 500, id="int32, negative"),
        pytest.param(GRAY.astype(np.float32) / 255, id="float32"),
        pytest.param(GRAY.astype(np.float64) * 1e6, id="float64, large"),
        pytest.param(np.asfortranarray(GRAY), id="another memory order"),
        pytest.param(GRAY.astype(">u2"), id="big-endian"),
    ],
)
def test_the_scale_of_gray_pixels_does_not_matter(
    small_model: SAM2, predictor: ImagePredictor, image: np.ndarray
) -> None:
    other = ImagePredictor(small_model)
    other.set_image(image)
    found, usual = other.predict(clicks=CLICKS[:1]), predictor.predict(clicks=CLICKS[:1])
    torch.testing.assert_close(found.logits, usual.logits, atol=1e-3, rtol=1e-3)


def test_uint8_colour_is_taken_as_it_is(small_model: SAM2) -> None:
    color = np.stack([GRAY, GRAY // 2, 255 - GRAY], axis=-1)
    usual, told, gray = (ImagePredictor(small_model) for _ in range(3))
    usual.set_image(color)
    told.set_image(color, IntensityMap.identity())
    gray.set_image(GRAY)
    found = usual.predict(clicks=CLICKS[:1])
    assert torch.equal(found.logits, told.predict(clicks=CLICKS[:1]).logits)
    assert differ(found, gray.predict(clicks=CLICKS[:1])) > 0.01


def test_a_window_may_be_given(small_model: SAM2, predictor: ImagePredictor) -> None:
    other = ImagePredictor(small_model)
    other.set_image(GRAY, IntensityMap.window(0, 2000))
    assert differ(other.predict(clicks=CLICKS[:1]), predictor.predict(clicks=CLICKS[:1])) > 0.01


def with_nan() -> np.ndarray:
    image = GRAY.astype(np.float32)
    image[3, 4] = np.nan
    return image


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (with_nan(), "1 NaN or infinite value"),
        (np.full(SHAPE, 7, np.uint16), "Every sampled pixel is 7: there is nothing to segment"),
        (np.full((*SHAPE, 3), 7, np.uint8), "Every sampled pixel is 7"),
        (np.zeros((0, 5)), r"shape \(H, W\) or \(H, W, 3\), got \(0, 5\)"),
        (np.zeros((5, 40, 40)), r"got \(5, 40, 40\).*Choose one frame of a stack"),
        (np.zeros((2, 3, 4, 4)), r"got \(2, 3, 4, 4\)"),
        (np.zeros(9), r"got \(9,\)"),
    ],
)
def test_images_that_cannot_be(predictor: ImagePredictor, image: np.ndarray, message: str) -> None:
    before = predictor.predict(clicks=CLICKS[:1])
    with pytest.raises(ImageError, match=message):
        predictor.set_image(image)
    assert differ(predictor.predict(clicks=CLICKS[:1]), before) == 0, "the earlier image stays"


def test_no_image_yet(small_model: SAM2) -> None:
    with pytest.raises(PromptError, match="no image yet: call set_image first"):
        ImagePredictor(small_model).predict(clicks=CLICKS[:1])


ONE = np.ones(SHAPE, bool)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "The prompt is empty: give at least one click, a box or a mask"),
        ({"clicks": []}, "The prompt is empty"),
        ({"clicks": [[CLICKS[0]], []]}, "The prompt is empty"),
        ({"clicks": [Click(90, 3)]}, "click at y=90, x=3 lies outside the image of 90 x 70 pixels"),
        ({"clicks": [[CLICKS[0]], [Click(3, 70)]]}, "y=3, x=70 lies outside"),
        ({"box": Box(91, 0, 99, 9)}, "lies outside the image of 90 x 70"),
        ({"clicks": [CLICKS[0], [CLICKS[1]]]}, "clicks of one object, or a sequence of clicks for each"),
        (
            {"clicks": [[c] for c in CLICKS], "box": [Box(0, 0, 9, 9)] * 2},
            "clicks for 3 objects, but 2 boxes",
        ),
        ({"mask": ONE.T}, r"mask has the shape \(70, 90\), but the image is \(90, 70\)"),
        ({"mask": ~ONE}, "The mask is empty: mark at least one pixel"),
        ({"mask": np.stack([ONE, ~ONE])}, "The mask is empty"),
        ({"clicks": [[c] for c in CLICKS], "mask": np.stack([ONE, ONE])}, "3 prompts, but 2 masks"),
        ({"clicks": CLICKS[:1], "mask_logits": torch.zeros(2, 1, 32, 32)}, "1 prompts, but 2 masks"),
        ({"mask_logits": torch.zeros(1, 3, 32, 32)}, r"shape \(b, 1, h, w\), got \(1, 3, 32, 32\)"),
        ({"mask": ONE, "mask_logits": torch.zeros(1, 1, 32, 32)}, "either a mask or mask logits"),
    ],
)
def test_prompts_that_cannot_be(predictor: ImagePredictor, prompt: dict, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        predictor.predict(**prompt)


def test_messages_are_sentences(predictor: ImagePredictor) -> None:
    with pytest.raises(PromptError) as caught:
        predictor.predict(clicks=[Click(200, 3)])
    assert re.fullmatch(r"The click .* are \(y, x\)\.", str(caught.value))
