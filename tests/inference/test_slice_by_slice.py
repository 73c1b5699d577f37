"""Masks carried from slice to slice: by the embedded network where masks matter, else by any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from napari_sam2.errors import ImageError, PromptError, Sam2Error
from napari_sam2.imaging.phantoms import Phantom, moving_nuclei
from napari_sam2.inference import slice_by_slice
from napari_sam2.inference.frame_result import FrameResult
from napari_sam2.inference.slice_by_slice import Carry, CarryPolicy, SliceBySlice
from napari_sam2.io.checkpoints import load_model
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import NO_OBJECT
from napari_sam2.prompts import Box, Click, Direction, MaskPrompt, PromptSet
from tests.sam1 import tiny_sam1


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return moving_nuclei(frames=5, height=128, width=128, objects=4, divisions=0, seed=4)


@pytest.fixture(scope="module")
def nano() -> Any:
    return load_model("nano", "cpu")


def truth(phantom: Phantom, frame: int) -> dict[int, dict[int, PromptSet]]:
    """The true masks of a frame as prompts."""
    labels = phantom.labels[frame]
    return {int(i): {frame: PromptSet(mask=MaskPrompt(labels == i))} for i in np.unique(labels)[1:]}


def overlaps(results: list[FrameResult], phantom: Phantom) -> np.ndarray:
    values = []
    for result in results:
        for row, number in enumerate(result.object_ids):
            found, there = result.logits[row].numpy() > 0, phantom.labels[result.frame] == number
            values.append((found & there).sum() / max(1, (found | there).sum()))
    return np.array(values)


@pytest.mark.parametrize("carry", Carry)
@pytest.mark.parametrize("direction", ["forward", Direction.BACKWARD])
def test_nuclei_are_followed(nano: SAM2, phantom: Phantom, carry: Carry, direction: Any) -> None:
    forward = direction == "forward"
    start = 0 if forward else 4
    results = list(
        SliceBySlice(nano, CarryPolicy(carry)).follow(phantom.images, truth(phantom, start), direction)
    )
    assert [r.frame for r in results] == (list(range(5)) if forward else [4, 3, 2, 1, 0])
    assert overlaps(results[:1], phantom).min() == 1, "a given mask is taken as it is"
    assert overlaps(results[1:], phantom).mean() > 0.9
    assert all((r.scores >= 0).all() and (r.scores <= 1).all() for r in results)


def test_standing_still_would_do_worse(nano: SAM2, phantom: Phantom) -> None:
    """The nuclei do move: the first masks, kept, would fit the last frame less."""
    results = list(SliceBySlice(nano).follow(phantom.images, truth(phantom, 0)))
    kept = FrameResult(4, results[0].object_ids, results[0].logits, results[0].scores)
    assert overlaps(results[-1:], phantom).mean() > overlaps([kept], phantom).mean() + 0.05


def test_together_equals_alone(nano: SAM2, phantom: Phantom) -> None:
    prompts = truth(phantom, 0)
    together = list(
        SliceBySlice(nano, CarryPolicy(objects_at_once=3)).follow(phantom.images, prompts, length=3)
    )
    for number in prompts:
        alone = list(SliceBySlice(nano).follow(phantom.images, {number: prompts[number]}, length=3))
        for both, one in zip(together, alone, strict=True):
            row = both.object_ids.index(number)
            torch.testing.assert_close(both.logits[row], one.logits[0], atol=1e-3, rtol=1e-3)


def test_what_disappears_is_lost_and_the_walk_ends(nano: SAM2, phantom: Phantom) -> None:
    images = phantom.images.copy()
    images[2:] = np.random.default_rng(0).normal(images[0].min(), 1, images[2:].shape).astype(images.dtype)
    results = list(SliceBySlice(nano).follow(images, truth(phantom, 0)))
    assert [r.frame for r in results] == [0, 1, 2]
    assert (results[-1].logits == NO_OBJECT).all()
    assert (results[-1].scores == 0).all()
    assert (results[-1].labels() == 0).all()


def test_a_later_prompt_finds_it_again(nano: SAM2, phantom: Phantom) -> None:
    images = phantom.images.copy()
    images[1] = images[1].min()
    images[1, 0, 0] += 1  # an image that shows nothing at all would be an error
    number, first = next(iter(truth(phantom, 0).items()))
    again = truth(phantom, 3)[number]
    results = list(SliceBySlice(nano).follow(images, {number: {**first, **again}}))
    assert [r.frame for r in results] == [0, 1, 2, 3, 4]
    assert [bool((r.logits > 0).any()) for r in results] == [True, False, False, True, True]
    assert overlaps(results[3:], phantom).min() > 0.8


def test_objects_begin_at_their_own_prompts(nano: SAM2, phantom: Phantom) -> None:
    early, late = truth(phantom, 1), truth(phantom, 3)
    one, other = sorted(early)[:2]
    results = list(SliceBySlice(nano).follow(phantom.images, {one: early[one], other: late[other]}))
    assert [r.frame for r in results] == [1, 2, 3, 4]
    assert [(r.logits[1] > 0).any().item() for r in results] == [False, False, True, True]


@pytest.mark.parametrize(
    "prompt",
    [
        lambda y, x: PromptSet((Click(y, x),)),
        lambda y, x: PromptSet(box=Box(y - 12, x - 12, y + 12, x + 12)),
        lambda y, x: PromptSet(
            (Click(y, x), Click(2, 2, positive=False)), Box(y - 12, x - 12, y + 12, x + 12)
        ),
    ],
)
def test_any_prompt_begins_an_object(
    nano: SAM2, phantom: Phantom, prompt: Callable[[float, float], PromptSet]
) -> None:
    y, x = np.argwhere(phantom.labels[0] == 1).mean(axis=0)
    results = list(SliceBySlice(nano).follow(phantom.images, {1: {0: prompt(y, x)}}))
    assert overlaps(results, phantom).mean() > 0.7


def test_a_network_without_memory_does_the_same_walk(phantom: Phantom) -> None:
    """Its masks mean nothing here, but everything that is carried has to fit."""
    policy = CarryPolicy(least_overlap=0.0, least_score=0.0)
    frames = phantom.images[:, :100]  # not square: there is padding
    labels = phantom.labels[0, :100]
    prompts = {int(i): {0: PromptSet(mask=MaskPrompt(labels == i))} for i in np.unique(labels)[1:]}
    results = list(SliceBySlice(tiny_sam1(), policy).follow(frames, prompts, length=2))
    assert len(results) == 2
    assert results[1].logits.shape == (len(prompts), 100, 128)
    first = (results[0].logits > 0).numpy()
    assert all((first[row] == (labels == number)).all() for row, number in enumerate(prompts))


def test_the_box_is_the_mask_s_and_stays_inside() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:15, 10:12] = True
    assert slice_by_slice._box(mask, 0.0, (20, 30)) == Box(4.5, 9.5, 14.5, 11.5)
    assert slice_by_slice._box(mask, 0.5, (20, 30)) == Box(-0.5, 8.5, 19.5, 12.5)
    whole = np.ones((20, 30), bool)
    assert slice_by_slice._box(whole, 1.0, (20, 30)) == Box(-0.5, -0.5, 19.5, 29.5)


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ({}, {}, "no object yet"),
        ({1: {}}, {}, "Object 1 has no prompt"),
        ({0: {0: PromptSet((Click(1, 1),))}}, {}, "from 1 on, got 0"),
        ({1: {9: PromptSet((Click(1, 1),))}}, {}, "no frame 9: the stack has the frames 0 to 4"),
        ({1: {0: PromptSet((Click(900, 1),))}}, {}, "lies outside the image"),
        ({1: {0: PromptSet()}}, {}, "The prompt is empty"),
        ({1: {0: PromptSet((Click(1, 1),))}}, {"direction": "up"}, '"forward" or "backward"'),
        ({1: {0: PromptSet((Click(1, 1),))}}, {"length": -1}, "got -1"),
    ],
)
def test_wrong_prompts_are_refused_before_anything_is_read(
    phantom: Phantom, prompts: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(PromptError, match=message):
        SliceBySlice(tiny_sam1()).follow(phantom.images, prompts, **options)


def test_a_single_image_is_no_stack(phantom: Phantom) -> None:
    with pytest.raises(ImageError, match=r"image\[None\]"):
        SliceBySlice(tiny_sam1()).follow(phantom.images[0], {1: {0: PromptSet((Click(1, 1),))}})


def test_less_than_the_least_overlap_is_lost(nano: SAM2, phantom: Phantom) -> None:
    """Nuclei that move never overlap with themselves in full."""
    results = list(
        SliceBySlice(nano, CarryPolicy(least_overlap=1.0)).follow(phantom.images, truth(phantom, 0))
    )
    assert [bool((r.logits > 0).any()) for r in results] == [True, False]


@pytest.mark.parametrize(
    "wrong", [{"margin": -0.1}, {"least_overlap": 1.5}, {"least_score": -1}, {"objects_at_once": 0}]
)
def test_senseless_policies(wrong: dict[str, Any]) -> None:
    with pytest.raises(Sam2Error, match="got"):
        CarryPolicy(**wrong)
