"""What a prediction is punished for (paper appendix D.2), and a gentler start for small networks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam2.model.values import MaskPrediction


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Shares of the mask terms; dice, IoU and presence count once."""

    balanced: float = 0.0
    focal: float = 20.0


def prediction_loss(prediction: MaskPrediction, truth: Tensor, weights: LossWeights) -> Tensor:
    """Return the mean loss over objects of one prediction.

    Parameters
    ----------
    prediction
        m masks each; only the best of them learns its shape, all learn their IoU.
    truth
        (b, s, s) bool at the model's input size; empty where the object is not in view.
    weights
        Shares of the terms.
    """
    side = truth.shape[-1] // 2
    logits = F.interpolate(prediction.logits, (side, side), mode="bilinear", align_corners=False)
    target = F.avg_pool2d(truth[:, None].float(), 2)
    present = truth.flatten(1).any(1).float()

    shape = dice(logits, target)
    if weights.balanced:
        shape = shape + weights.balanced * balanced_cross_entropy(logits, target)
    if weights.focal:
        shape = shape + weights.focal * focal(logits, target)
    shape = shape.min(dim=1).values * present

    with torch.no_grad():
        reached = overlap(logits > 0, target > 0.5)
    iou = (prediction.iou - reached).abs().mean(dim=1) * present
    presence = F.binary_cross_entropy_with_logits(prediction.object_score[:, 0], present, reduction="none")
    return (shape + iou + presence).mean()


def overlap(found: Tensor, truth: Tensor) -> Tensor:
    """Return the IoU, (...), of bool masks (..., h, w); 0 where both are empty."""
    union = (found | truth).flatten(-2).sum(-1).clamp(min=1)
    return (found & truth).flatten(-2).sum(-1) / union


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """Return 1 - dice, (b, m), for logits (b, m, h, w) and target (b, 1, h, w) in 0..1."""
    p = logits.sigmoid()
    both = (p * target).flatten(2).sum(-1)
    return 1 - (2 * both + 1) / (p.flatten(2).sum(-1) + target.flatten(2).sum(-1) + 1)


def focal(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Return the focal loss (Lin et al. 2017), mean over pixels, (b, m)."""
    target = target.expand_as(logits)
    p = logits.sigmoid()
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    right = p * target + (1 - p) * (1 - target)
    share = alpha * target + (1 - alpha) * (1 - target)
    return (share * (1 - right) ** gamma * loss).flatten(2).mean(-1)


def balanced_cross_entropy(logits: Tensor, target: Tensor, background: float = 3.0) -> Tensor:
    """Return cross-entropy with object and background weighted by class instead of by area, (b, m)."""
    target = target.expand_as(logits)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    inside = (loss * target).flatten(2).sum(-1) / target.flatten(2).sum(-1).clamp(min=1)
    outside = (loss * (1 - target)).flatten(2).sum(-1) / (1 - target).flatten(2).sum(-1).clamp(min=1)
    return (inside + background * outside) / (1 + background)
