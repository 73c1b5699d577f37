from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import ImageError, Sam2Error
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.inference.everything import Everything, grid_clicks
from napari_sam2.inference.everything_policy import EverythingPolicy
from napari_sam2.inference.focus import Window
from napari_sam2.inference.found_masks import FoundMask, suppress
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.model.sam2 import SAM2

ALL = EverythingPolicy(
    points_per_side=4, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1, crop_nms_thresh=1
)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return moving_nuclei(frames=1, height=96, width=120, objects=6, divisions=0, seed=3).images[0]


def same(a: FoundMask, b: FoundMask) -> bool:
    return a.box == b.box and bool((a.mask.counts == b.mask.counts).all())


def test_every_point_gives_what_it_gives_alone(small_model: SAM2, image: np.ndarray) -> None:
    predictor = ImagePredictor(small_model)
    predictor.set_image(image)
    clicks = grid_clicks(Window(0, 0, 96, 120), 4)
    found = Everything(small_model, ALL).segment(image)
    alone = {}
    for click in clicks:
        one = predictor.predict([click], multimask=True)
        for mask, iou in zip(one.masks()[0].numpy(), one.iou[0].tolist(), strict=True):
            if mask.any():
                alone[click, round(iou, 4)] = mask
    assert len(found) == len(alone) > 4
    for one in found:
        mask = alone[one.point, round(one.predicted_iou, 4)]
        assert (one.whole((96, 120)) == mask).mean() > 0.999
        assert one.crop == Window(0, 0, 96, 120)


def test_batches_do_not_matter_and_the_image_is_encoded_once(
    small_model: SAM2, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    encode = SAM2.encode
    monkeypatch.setattr(SAM2, "encode", lambda self, x: encoded.append(len(x)) or encode(self, x))
    runs = []
    for batch in (1, 5, 64):
        policy = EverythingPolicy(4, batch, pred_iou_thresh=0, stability_score_thresh=0)
        runs.append(Everything(small_model, policy).segment(image))
    assert encoded == [1, 1, 1]
    assert len(runs[0]) == len(runs[1]) == len(runs[2]) > 0
    assert all(same(a, b) for run in runs[1:] for a, b in zip(runs[0], run, strict=True))


def test_thresholds_leave_out_what_is_below(small_model: SAM2, image: np.ndarray) -> None:
    every = Everything(small_model, ALL).segment(image)
    middle = float(np.median([one.predicted_iou for one in every]))
    sure = Everything(small_model, EverythingPolicy(4, 64, middle, 0, box_nms_thresh=1)).segment(image)
    assert 0 < len(sure) < len(every)
    assert len(sure) == sum(one.predicted_iou > middle for one in every)
    steady = float(np.nanmedian([one.stability for one in every]))
    stable = Everything(small_model, EverythingPolicy(4, 64, 0, steady, box_nms_thresh=1)).segment(image)
    assert len(stable) == sum(one.stability >= steady for one in every)


def test_best_come_first_and_boxes_are_apart(small_model: SAM2, image: np.ndarray) -> None:
    policy = EverythingPolicy(4, 64, 0, 0, box_nms_thresh=0.5)
    found = Everything(small_model, policy).segment(image)
    ious = [one.predicted_iou for one in found]
    assert ious == sorted(ious, reverse=True)
    boxes = np.array([(m.box.y0, m.box.x0, m.box.y1 - 1, m.box.x1 - 1) for m in found], float)
    assert suppress(boxes, ious, 0.5) == list(range(len(found)))
    assert len(found) < len(Everything(small_model, ALL).segment(image))


def test_crops_are_looked_at_with_thinner_grids(
    small_model: SAM2, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    predict = ImagePredictor.predict

    def count(self: ImagePredictor, clicks: Any, **more: Any) -> Any:
        asked.append(len(clicks))
        return predict(self, clicks, **more)

    monkeypatch.setattr(ImagePredictor, "predict", count)
    told: list[tuple[int, int]] = []
    policy = EverythingPolicy(
        4, pred_iou_thresh=0, stability_score_thresh=0, crop_n_layers=1, crop_n_points_downscale_factor=2
    )
    found = Everything(small_model, policy).segment(image, on_part=lambda *done: told.append(done))
    assert asked == [16, 4, 4, 4, 4]
    assert told == [(n, 5) for n in range(1, 6)]
    areas = [np.prod(one.crop.shape) for one in found]
    assert areas == sorted(areas)


def test_refinement_feeds_every_mask_back(small_model: SAM2, image: np.ndarray) -> None:
    policy = EverythingPolicy(2, 64, 0, 0, box_nms_thresh=1, use_m2m=True)
    found = Everything(small_model, policy).segment(image)
    predictor = ImagePredictor(small_model)
    predictor.set_image(image)
    expected = []
    for click in grid_clicks(Window(0, 0, 96, 120), 2):
        first = predictor.predict([click], multimask=True)
        for index in range(3):
            again = predictor.predict([click], mask_logits=first.logits[:, index : index + 1])
            if again.masks().any():
                expected.append(float(again.iou[0, 0]))
    ious = [one.predicted_iou for one in found]
    np.testing.assert_allclose(sorted(ious), sorted(expected), atol=1e-4)


def test_planes_smaller_than_the_grid_and_than_the_crops(small_model: SAM2) -> None:
    image = np.random.default_rng(0).integers(0, 255, (7, 9), dtype=np.uint8)
    policy = EverythingPolicy(10, 128, 0, 0, crop_n_layers=2, crop_n_points_downscale_factor=4)
    for one in Everything(small_model, policy).segment(image):
        assert one.whole((7, 9)).any()


def test_an_image_that_shows_nothing(small_model: SAM2) -> None:
    with pytest.raises(ImageError, match="nothing to segment"):
        Everything(small_model).segment(np.full((64, 64), 3, np.uint8))


@pytest.mark.parametrize(
    "fields", [{"points_per_side": 0}, {"crop_n_layers": -1}, {"crop_overlap_ratio": 1.0}]
)
def test_senseless_policies(fields: dict[str, float]) -> None:
    with pytest.raises(Sam2Error, match=next(iter(fields))):
        EverythingPolicy(**fields)
