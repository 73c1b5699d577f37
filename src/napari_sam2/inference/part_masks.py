"""Many points on one part of an image, each its own prompt: encoded once, decoded in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_sam2.inference.everything_policy import EverythingPolicy
from napari_sam2.inference.focus import Window
from napari_sam2.inference.found_masks import (
    NEAR_EDGE,
    FoundMask,
    near_crop_edge,
    remove_small_regions,
    stability_scores,
    tight_boxes,
)
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.model.values import MaskPrediction
from napari_sam2.prompts import Click

_PIXELS = 2**25
"""At most so many logits are enlarged to the size of the crop at once: 128 MiB."""


@torch.inference_mode()
def masks_at(
    predictor: ImagePredictor,
    points: Sequence[Click],
    crop: Window,
    shape: tuple[int, int],
    policy: EverythingPolicy,
    reach: int = NEAR_EDGE,
    limits: Sequence[float] | None = None,
) -> list[FoundMask]:
    """Return the masks that points lead to and the policy lets through.

    Parameters
    ----------
    predictor
        Has been given the crop as its image.
    points
        In pixels of the whole image, inside the crop.
    crop
        What the predictor sees.
    shape
        (H, W) of the whole image.
    policy
        What stays; nothing is dropped for the sake of another mask yet.
    reach
        A mask that ends so near to an edge of the crop that is not the image's goes.
    limits
        Largest area of a mask of each point, in pixels.
    """
    masks: list[FoundMask] = []
    for first in range(0, len(points), policy.points_per_batch):
        batch = points[first : first + policy.points_per_batch]
        clicks = [[Click(point.y - crop.y0, point.x - crop.x0)] for point in batch]
        prediction = predictor.predict(clicks, multimask=policy.multimask_output)
        if policy.use_m2m:
            prediction = _refined(predictor, clicks, prediction)
        alternatives = prediction.iou.shape[1]
        scores, small = prediction.iou.flatten(), prediction.logits.flatten(0, 1)
        kept = _above(scores, policy.pred_iou_thresh)
        at_once = max(1, _PIXELS // (crop.shape[0] * crop.shape[1]))
        for start in range(0, len(kept), at_once):
            chosen = kept[start : start + at_once]
            logits = prediction.fit.to_image(small[chosen][:, None], crop.shape)[:, 0]
            stability = stability_scores(logits, policy.mask_threshold, policy.stability_score_offset)
            inside = logits > policy.mask_threshold
            for index in _good(inside, stability, crop, shape, policy, reach):
                row = first + chosen[index] // alternatives
                mask = remove_small_regions(inside[index].cpu().numpy(), policy.min_mask_region_area)
                if limits is None or mask.sum() <= limits[row]:
                    score = float(scores[chosen[index]])
                    masks.append(_found(mask, score, float(stability[index]), points[row], crop))
    return masks


def _good(
    inside: Tensor,
    stability: Tensor,
    crop: Window,
    shape: tuple[int, int],
    policy: EverythingPolicy,
    reach: int,
) -> list[int]:
    """Return which masks (n, h, w) are stable, not empty and not cut by an edge of the crop."""
    good = inside.flatten(1).any(dim=1)
    if policy.stability_score_thresh > 0:
        good &= stability >= policy.stability_score_thresh  # a mask without area is NaN, and fails
    cut = near_crop_edge(tight_boxes(inside), crop, shape, reach)
    return [int(index) for index in np.flatnonzero(good.cpu().numpy() & ~cut)]


def _above(scores: Tensor, threshold: float) -> list[int]:
    """Return which scores are above a threshold; all of them where it is 0 or less."""
    chosen = scores > threshold if threshold > 0 else torch.ones_like(scores, dtype=torch.bool)
    return [int(index) for index in chosen.nonzero()[:, 0]]


def _refined(
    predictor: ImagePredictor, clicks: list[list[Click]], prediction: MaskPrediction
) -> MaskPrediction:
    """Feed every mask back with its own point; one new mask takes the place of each."""
    prompts, count = prediction.iou.shape
    repeated = [click for click in clicks for _ in range(count)]
    new = predictor.predict(repeated, mask_logits=prediction.logits.flatten(0, 1)[:, None])
    return replace(
        prediction,
        logits=new.logits[:, 0].unflatten(0, (prompts, count)),
        iou=new.iou[:, 0].unflatten(0, (prompts, count)),
    )


def _found(
    mask: npt.NDArray[np.bool_], iou: float, stability: float, point: Click, crop: Window
) -> FoundMask:
    """Put a crop's mask into its image."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    part = Window(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    box = Window(crop.y0 + part.y0, crop.x0 + part.x0, crop.y0 + part.y1, crop.x0 + part.x1)
    return FoundMask(RunLengths.encode(part.cut(mask)), box, iou, stability, point, crop)
