"""From image to model pixels and back: the one place where (y, x) turns round."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.errors import PromptError
from napari_sam2.inference import pixels
from napari_sam2.model.prompt_encoder import BOX_END, BOX_START, NEGATIVE, POSITIVE
from napari_sam2.prompts import Box, Click, MaskPrompt, PromptSet

CPU = torch.device("cpu")


def test_clicks_turn_from_y_x_to_x_y_and_scale_by_each_side() -> None:
    prompt = PromptSet((Click(10, 40), Click(25, 0, positive=False)))
    points, labels = pixels.to_model_points(prompt, (50, 80), 128)
    torch.testing.assert_close(points, torch.tensor([[[64.0, 25.6], [0.0, 64.0]]]))
    assert labels.tolist() == [[POSITIVE, NEGATIVE]]


def test_a_box_comes_first_as_two_corners() -> None:
    prompt = PromptSet((Click(16, 32),), Box(0, 8, 32, 64))
    points, labels = pixels.to_model_points(prompt, (64, 64), 128)
    assert points.tolist() == [[[16.0, 0.0], [128.0, 64.0], [64.0, 32.0]]]
    assert labels.tolist() == [[BOX_START, BOX_END, POSITIVE]]


def test_a_prompt_without_points_has_none() -> None:
    points, labels = pixels.to_model_points(PromptSet(), (8, 8), 128)
    assert points.shape == (1, 0, 2)
    assert labels.shape == (1, 0)


@pytest.mark.parametrize("shape", [(128, 128), (50, 80), (300, 7), (1, 1)])
def test_images_become_the_model_s_square(shape: tuple[int, int]) -> None:
    color = (0.2, 0.5, 0.9)
    rgb = np.tile(np.array(color, np.float32), (*shape, 1))
    x = pixels.to_model_pixels(rgb, 128, CPU)
    assert x.shape == (1, 3, 128, 128)
    assert x.dtype == torch.float32
    for channel, (value, mean, deviation) in enumerate(
        zip(color, pixels.MEAN, pixels.DEVIATION, strict=True)
    ):
        torch.testing.assert_close(x[0, channel], torch.full((128, 128), (value - mean) / deviation))


def test_rows_stay_rows() -> None:
    rgb = np.zeros((64, 64, 3), np.float32)
    rgb[:16] = 1
    x = pixels.to_model_pixels(rgb, 128, CPU)
    assert (x[0, :, :30] > 0).all()
    assert (x[0, :, 34:] < 0).all()


def test_masks_are_cut_at_one_half() -> None:
    mask = np.zeros((4, 4), bool)
    mask[:, :2] = True
    doubled = pixels.to_model_mask(mask, 8)
    assert doubled.shape == (1, 1, 8, 8)
    assert torch.equal(doubled[0, 0, 0], torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 0]))
    halved = pixels.to_model_mask(np.kron(mask, np.ones((2, 2), bool)), 4)
    assert torch.equal(halved[0, 0], torch.from_numpy(mask).float())


def test_a_mask_of_the_right_size_is_not_resized() -> None:
    mask = np.random.default_rng(0).random((16, 16)) > 0.5
    assert torch.equal(pixels.to_model_mask(mask, 16)[0, 0], torch.from_numpy(mask).float())


def test_half_a_pixel_counts() -> None:
    mask = np.zeros((8, 8), bool)
    mask[:, 3:5] = True
    small = pixels.to_model_mask(mask, 4)
    assert set(small.unique().tolist()) <= {0.0, 1.0}
    assert small.any()


def test_logits_come_back_at_the_image_s_size() -> None:
    logits = torch.full((2, 3, 8, 8), -1.0, dtype=torch.bfloat16)
    logits[..., :4] = 1
    back = pixels.to_image_size(logits, (30, 50))
    assert back.shape == (2, 3, 30, 50)
    assert back.dtype == torch.float32
    assert ((back > 0).sum(dim=3) == 25).all()


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (PromptSet(), "The prompt is empty"),
        (PromptSet((Click(50, 3),)), r"click at y=50, x=3 lies outside the image of 50 x 80 pixels"),
        (PromptSet((Click(3, 79.6),)), r"x=79.6 lies outside .*coordinates are \(y, x\)"),
        (PromptSet((Click(-0.6, 3),)), "y=-0.6"),
        (PromptSet(box=Box(50, 0, 60, 10)), "lies outside the image of 50 x 80"),
        (PromptSet(box=Box(-9, -9, 0, 10)), "lies outside the image"),
        (
            PromptSet(mask=MaskPrompt(np.ones((80, 50), bool))),
            r"shape \(80, 50\), but the image is \(50, 80\)",
        ),
        (PromptSet(mask=MaskPrompt(np.zeros((50, 80), bool))), "The mask is empty: mark at least one pixel"),
    ],
)
def test_prompts_that_name_no_place(prompt: PromptSet, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        pixels.check_prompt(prompt, (50, 80))


@pytest.mark.parametrize(
    "prompt",
    [
        PromptSet((Click(-0.5, -0.5), Click(49.5, 79.5))),
        PromptSet(box=Box(-5, -5, 55, 85)),
        PromptSet(box=Box(49, 79, 60, 90)),
        PromptSet(mask=MaskPrompt(np.eye(50, 80, dtype=bool))),
    ],
)
def test_prompts_at_the_edge_are_fine(prompt: PromptSet) -> None:
    pixels.check_prompt(prompt, (50, 80))


def test_a_tiny_mask_does_not_vanish() -> None:
    mask = np.zeros((1000, 1000), bool)
    mask[500, 300] = True
    small = pixels.to_model_mask(mask, 128)
    assert 1 <= small.sum() <= 4
    y, x = small[0, 0].nonzero()[0].tolist()
    assert abs(y - 64) <= 1
    assert abs(x - 38) <= 1
