import builtins
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import PromptError, Sam2Error
from napari_sam2.evaluation.baselines import CarriedByOverlap, OtsuPredictor
from napari_sam2.evaluation.metrics import iou
from napari_sam2.prompts import Box, Click, Direction, MaskPrompt, PromptSet
from tests.evaluation.conftest import disk, moving_disks

SHAPE = (60, 80)
LEFT, RIGHT, FAR = disk(SHAPE, 30, 20, 10), disk(SHAPE, 30, 36, 10), disk(SHAPE, 12, 66, 8)


def _image(*masks: np.ndarray, ground: float = 10.0, inside: float = 100.0) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 2, SHAPE)
    return np.where(np.any(masks, axis=0), inside, ground) + noise


def _predictor(*masks: np.ndarray, **levels: float) -> OtsuPredictor:
    predictor = OtsuPredictor()
    predictor.set_image(_image(*masks, **levels))
    return predictor


@pytest.mark.parametrize(("ground", "inside"), [(10.0, 100.0), (100.0, 10.0)])
def test_object_under_the_click_bright_or_dark(ground: float, inside: float) -> None:
    predictor = _predictor(LEFT, FAR, ground=ground, inside=inside)
    assert iou(LEFT, predictor.predict(PromptSet((Click(30, 20),)))) > 0.9
    assert iou(FAR, predictor.predict(PromptSet((Click(12, 66),)))) > 0.9


def test_touching_objects_are_cut_and_joined_by_a_click() -> None:
    predictor = _predictor(LEFT, RIGHT)
    first = predictor.predict(PromptSet((Click(30, 18),)))
    assert iou(LEFT, first) > 0.8
    assert not first[30, 40]
    assert iou(LEFT | RIGHT, predictor.predict(PromptSet((Click(30, 18), Click(30, 38))))) > 0.9


def test_negative_click_cuts_off_and_never_empties_by_itself() -> None:
    body = np.zeros(SHAPE, dtype=bool)
    body[28:33, 10:60] = True
    predictor = _predictor(body)
    whole = predictor.predict(PromptSet((Click(30, 15), Click(30, 55), Click(30, 35))))
    part = predictor.predict(
        PromptSet((Click(30, 15), Click(30, 55), Click(30, 35), Click(30, 50, positive=False)))
    )
    assert whole[30, 50] and not part[30, 50]
    assert part[30, 15]
    assert (part & ~whole).sum() == 0
    beside = predictor.predict(PromptSet((Click(30, 15), Click(5, 5, positive=False))))
    assert (beside == predictor.predict(PromptSet((Click(30, 15),)))).all()


def test_box_and_mask() -> None:
    predictor = _predictor(LEFT, FAR)
    assert iou(LEFT, predictor.predict(PromptSet(box=Box(20, 10, 40, 30)))) > 0.9
    drawn = disk(SHAPE, 40, 60, 3)
    assert (predictor.predict(PromptSet(mask=MaskPrompt(drawn))) == drawn).all()


def test_colour_and_flat_images() -> None:
    predictor = OtsuPredictor()
    predictor.set_image(np.stack([_image(LEFT)] * 3, axis=-1))
    assert iou(LEFT, predictor.predict(PromptSet((Click(30, 20),)))) > 0.9
    predictor.set_image(np.full(SHAPE, 5.0))
    assert predictor.predict(PromptSet((Click(30, 20),)))[30, 20]


def test_masks_are_carried_along() -> None:
    images, labels = moving_disks()
    follower = CarriedByOverlap()
    follower.start(images)
    follower.prompt(0, 3, PromptSet((Click(12, 12),)))
    follower.prompt(2, 8, PromptSet((Click(32, 50),)))
    found = {result.frame: result.labels for result in follower.propagate()}
    assert sorted(found) == [0, 1, 2, 3, 4, 5]
    for frame, own in found.items():
        assert iou(labels[frame] == 3, own == 3) > 0.85
        assert (own == 8).any() == (frame >= 2)
    back = {result.frame: result.labels for result in follower.propagate(direction=Direction.BACKWARD)}
    assert sorted(back) == [0, 1, 2]
    assert iou(labels[0] == 8, back[0] == 8) > 0.85
    assert not (back[1] == 3).any()


def test_object_that_is_gone_stays_gone() -> None:
    images, labels = moving_disks()
    images[3:][labels[3:] == 3] = 20
    follower = CarriedByOverlap()
    follower.start(images)
    follower.prompt(0, 3, PromptSet((Click(12, 12),)))
    there = [bool((result.labels == 3).any()) for result in follower.propagate()]
    assert there == [True, True, True, False, False, False]


def test_correction_on_the_way() -> None:
    images, labels = moving_disks()
    follower = CarriedByOverlap()
    follower.start(images)
    follower.prompt(0, 3, PromptSet((Click(12, 12),)))
    assert len(list(follower.propagate())) == 6
    both = follower.prompt(4, 3, PromptSet((Click(34, 50),)))
    assert iou(labels[4] > 0, both) > 0.8
    # The second correction of a frame starts from the same carried mask, with both clicks.
    again = follower.prompt(4, 3, PromptSet((Click(34, 51),)))
    assert (again == both).all()
    frames = [result.frame for result in follower.propagate(4)]
    assert frames == [4, 5]
    follower.restart()
    with pytest.raises(PromptError, match="no object yet"):
        next(follower.propagate())


def test_order_of_things() -> None:
    with pytest.raises(PromptError, match="call set_image first"):
        OtsuPredictor().predict(PromptSet((Click(1, 1),)))
    with pytest.raises(PromptError, match="call start first"):
        CarriedByOverlap().prompt(0, 1, PromptSet((Click(1, 1),)))
    with pytest.raises(PromptError, match="The prompt is empty"):
        _predictor(LEFT).predict(PromptSet())


def test_without_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("skimage"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    import sys

    for name in [name for name in sys.modules if name.startswith("skimage")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(Sam2Error, match=r"The baselines need scikit-image: install it with pip install"):
        _predictor(LEFT)
