"""Segment-everything against the mask generation of `transformers`, on the same seeded weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("transformers", reason="transformers is not installed (extra 'bench')")
pytest.importorskip("torchvision", reason="transformers' mask generation needs torchvision")

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.everything import Everything
from napari_sam2.inference.everything_policy import EverythingPolicy
from napari_sam2.inference.found_masks import FoundMask
from napari_sam2.inference.point_grid import crop_windows, point_grid
from tests.model.test_sam1_transformers import theirs
from tests.sam1 import TINY, tiny_sam1


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (90, 128, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    from transformers import MaskGenerationPipeline
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    side = TINY.image_size
    processor = SamImageProcessorPil(
        size={"longest_edge": side},
        pad_size={"height": side, "width": side},
        mask_size={"longest_edge": side // 4},
        mask_pad_size={"height": side // 4, "width": side // 4},
    )
    model = theirs(TINY, dict(tiny_sam1().to_official()))
    return MaskGenerationPipeline(model=model, image_processor=processor)


@pytest.mark.parametrize(("layers", "factor"), [(0, 1), (1, 1), (2, 1)])
def test_crops_and_grids(pipeline: Any, image: np.ndarray, layers: int, factor: int) -> None:
    boxes, points, _, _ = pipeline.image_processor.generate_crop_boxes(
        image, TINY.image_size, layers, 512 / 1500, 8, factor
    )
    windows = [window for _, window in crop_windows((90, 128), layers, 512 / 1500)]
    assert boxes.int().tolist() == [[w.x0, w.y0, w.x1, w.y1] for w in windows]
    scale = TINY.image_size / max(windows[0].shape)
    own = point_grid(8)[:, ::-1] * (128, 90) * scale
    np.testing.assert_allclose(points[0, :, 0], own, atol=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_masks(pipeline: Any, image: np.ndarray, share: float) -> None:
    every = _ours(image, EverythingPolicy(8, 16, 0.0, 0.0, box_nms_thresh=1.0))
    # Thresholds that leave out such a share of what a network with random weights finds.
    iou = float(np.quantile([one.predicted_iou for one in every], share)) - 1e-6 if share else 0.0
    stability = float(np.nanquantile([one.stability for one in every], share / 2)) - 1e-6 if share else 0.0
    found = _ours(image, EverythingPolicy(8, 16, iou, stability))
    other = pipeline(
        Image.fromarray(image),
        points_per_crop=8,
        points_per_batch=16,
        pred_iou_thresh=iou,
        stability_score_thresh=stability,
    )
    masks = [np.asarray(mask) for mask in other["masks"]]
    wanted = [(m, s) for m, s in zip(masks, other["scores"].tolist(), strict=True) if m.any()]
    assert len(found) == len(wanted) > 0
    for one, (mask, score) in zip(found, wanted, strict=True):
        assert one.predicted_iou == pytest.approx(score, abs=1e-5)
        assert (one.whole((90, 128)) != mask).sum() <= 2


def _ours(image: np.ndarray, policy: EverythingPolicy) -> list[FoundMask]:
    return Everything(tiny_sam1(), policy).segment(image, IntensityMap.identity())
