"""Windows round prompts: where they lie, which one is believed, and what comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_sam2.errors import ImageError, PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import focus
from napari_sam2.inference.focus import FocusPredictor, ObjectMask, Window, _windows
from napari_sam2.inference.pixels import clicked_cells
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Box, Click, PromptSet


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(100, 4000, (150, 260)).astype(np.uint16)


@pytest.mark.parametrize(
    ("prompt", "sides"),
    [
        (PromptSet((Click(75, 130),)), [16, 24, 32, 48, 64, 128, 260]),
        (PromptSet((Click(0, 0),)), [16, 24, 32, 48, 64, 128, 260]),
        (PromptSet((Click(60, 100), Click(60, 130))), [64, 128, 260]),
        (PromptSet((), Box(10, 10, 90, 200)), [260]),
    ],
)
def test_windows_grow_and_hold_the_whole_prompt(prompt: PromptSet, sides: list[int]) -> None:
    windows = _windows(prompt, (150, 260), 16)
    assert [w.x1 - w.x0 for w in windows] == sides
    points = [(c.y, c.x) for c in prompt.clicks]
    if prompt.box is not None:
        points += [(prompt.box.y0, prompt.box.x0), (prompt.box.y1, prompt.box.x1)]
    for w in windows:
        assert w.y0 >= 0 <= w.x0
        assert w.y1 <= 150
        assert w.x1 <= 260
        assert all(w.y0 <= y <= w.y1 and w.x0 <= x <= w.x1 for y, x in points)
    assert windows[-1] == Window(0, 0, 150, 260)


def test_the_best_fit_is_believed(small_model: SAM2, image: np.ndarray, monkeypatch: Any) -> None:
    predictor = FocusPredictor(small_model)
    predictor.set_image(image)
    seen: list[Window] = []

    def look(prompt: PromptSet, window: Window, logits: torch.Tensor | None) -> ObjectMask:
        seen.append(window)
        fit = 0.9 if window.x1 - window.x0 == 48 else 0.5
        return ObjectMask(np.zeros(image.shape, bool), fit, window, torch.zeros(1, 1, 2, 2))

    monkeypatch.setattr(predictor, "_look", look)
    found = predictor.predict((Click(75, 130),))
    assert found.window.x1 - found.window.x0 == 48
    assert len(seen) == 7


def test_a_mask_lies_in_its_window_and_refining_stays_there(small_model: SAM2, image: np.ndarray) -> None:
    predictor = FocusPredictor(small_model)
    predictor.set_image(image)
    first = predictor.predict((Click(75, 130),))
    assert first.mask.shape == image.shape
    outside = first.mask.copy()
    first.window.cut(outside)[:] = False
    assert not outside.any()
    again = predictor.predict((Click(75, 130), Click(76, 131, positive=False)), before=first)
    assert again.window == first.window
    assert not torch.equal(again.logits, first.logits)


def test_a_click_outside_the_window_asks_for_a_larger_one(small_model: SAM2, image: np.ndarray) -> None:
    predictor = FocusPredictor(small_model)
    predictor.set_image(image)
    prompt = PromptSet((Click(75, 130), Click(40, 20)))
    small = predictor._look(PromptSet((Click(75, 130),)), Window(60, 120, 90, 150), None)
    assert not small.window.holds(prompt)
    assert predictor.predict(prompt.clicks, before=small).window.holds(prompt)


def test_a_window_equals_its_part_alone(small_model: SAM2, image: np.ndarray) -> None:
    """Coordinates and pixels are those of the image."""
    intensity = IntensityMap.window(100, 4000)
    predictor = FocusPredictor(small_model)
    predictor.set_image(image, intensity)
    window = Window(20, 60, 100, 180)
    whole = predictor._look(PromptSet((Click(50, 100),)), window, None)
    predictor.set_image(window.cut(image), intensity)
    part = predictor._look(PromptSet((Click(30, 40),)), Window(0, 0, 80, 120), None)
    assert torch.equal(whole.logits, part.logits)
    assert np.array_equal(window.cut(whole.mask), part.mask)


def test_an_empty_corner_of_an_image_is_no_error(small_model: SAM2, image: np.ndarray) -> None:
    image[:80, :80] = 100
    predictor = FocusPredictor(small_model)
    predictor.set_image(image)
    assert predictor.predict((Click(20, 20),)).mask.shape == image.shape


def test_bad_input(small_model: SAM2, image: np.ndarray) -> None:
    predictor = FocusPredictor(small_model)
    with pytest.raises(PromptError, match="set_image first"):
        predictor.predict((Click(1, 1),))
    with pytest.raises(ImageError, match=r"\(H, W\)"):
        predictor.set_image(np.zeros((2, 3, 4, 5)))
    predictor.set_image(image)
    with pytest.raises(PromptError, match="outside the image"):
        predictor.predict((Click(500, 1),))
    with pytest.raises(PromptError, match="empty"):
        predictor.predict()


def test_every_piece_of_a_clicked_mask_was_clicked(
    small_model: SAM2, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pieces(click: Click) -> tuple[int, int]:
        predictor = FocusPredictor(small_model)
        predictor.set_image(image)
        found = predictor.predict((click,))
        labelled, count = ndimage.label(found.logits[0, 0].numpy() > 0, structure=np.ones((3, 3)))
        local = Click(click.y - found.window.y0, click.x - found.window.x0)
        cells = clicked_cells([local], found.window.shape, labelled.shape).numpy()
        return count, int((labelled[cells] > 0).sum())

    for click in (Click(y, x) for y in range(20, 140, 20) for x in range(20, 240, 40)):
        count, met = pieces(click)
        if not met:
            continue
        assert count == 1
        with monkeypatch.context() as without:
            without.setattr(focus, "drop_strays", lambda logits, wanted: logits)
            if pieces(click)[0] > 1:
                return
    pytest.fail("no click gave a mask in pieces: nothing was tested")
