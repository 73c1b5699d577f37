"""A clip through the network as in use: prompt, correct, remember, follow (paper section 4, training)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import FrameMemory, ImageEmbedding, MaskPrediction, MemorySlots
from napari_sam2.training.losses import LossWeights, overlap, prediction_loss
from napari_sam2.training.prompting import noisy_box, random_click


@dataclass(frozen=True, slots=True)
class Rollout:
    """Mean loss of a clip, mean IoU of the first prompt and of the frames that followed without prompts."""

    loss: Tensor
    first_iou: float
    tracked_iou: float | None


def rollout(
    model: SAM2,
    embeddings: list[ImageEmbedding],
    masks: Tensor,
    weights: LossWeights,
    corrections: int,
    mask_prompts: float = 0.5,
) -> Rollout:
    """Prompt every object on the first frame and follow it through the clip.

    Parameters
    ----------
    model
        In training mode.
    embeddings
        One a frame, already gathered by object: batch b.
    masks
        (t, b, s, s) bool, none empty on the first frame.
    weights
        Of the mask losses.
    corrections
        Clicks after the first prompt, on the first frame.
    mask_prompts
        Of clips longer than one frame, the share that starts from the true mask.
    """
    truth = masks[0]
    if len(masks) > 1 and torch.rand(()) < mask_prompts:
        prediction = model.adopt(embeddings[0], truth[:, None].float())
        losses: list[Tensor] = []
        first = 1.0
    else:
        prediction, losses, first = _interact(model, embeddings[0], truth, weights, corrections)
    if len(masks) == 1:
        return Rollout(torch.stack(losses).sum(), first, None)
    # Masks from a hand are remembered hard, as at inference.
    memories = [model.memorize(embeddings[0], prediction.gated(), binarize=bool(torch.rand(()) < 0.5))]
    tracked = []
    for t in range(1, len(masks)):
        features = model.recall(embeddings[t], _slots(memories, t, model.config.num_maskmem))
        options = model.decode(features, embeddings[t], model.unprompted(len(truth)), multimask=True)
        losses.append(prediction_loss(options, masks[t], weights))
        prediction = options.best()
        tracked.append(_mean_iou(prediction, masks[t]))
        if t + 1 < len(masks):
            memories.append(model.memorize(embeddings[t], prediction.gated(), binarize=False))
    return Rollout(torch.stack(losses).sum(), first, sum(tracked) / len(tracked))


def _interact(
    model: SAM2, embedding: ImageEmbedding, truth: Tensor, weights: LossWeights, corrections: int
) -> tuple[MaskPrediction, list[Tensor], float]:
    features = model.recall(embedding, None)
    boxed = bool(torch.rand(()) < 1 / 3)
    points, labels = noisy_box(truth) if boxed else random_click(truth)
    options = model.decode(features, embedding, model.prompt(points, labels, None), multimask=not boxed)
    losses = [prediction_loss(options, truth, weights)]
    prediction = options.best()
    first = _mean_iou(prediction, truth)
    for _ in range(corrections):
        found = F.interpolate(prediction.logits.detach(), truth.shape[-2:], mode="bilinear")[:, 0] > 0
        point, label = random_click(truth, found)
        points, labels = torch.cat((points, point), 1), torch.cat((labels, label), 1)
        prompt = model.prompt(points, labels, prediction.logits)
        prediction = model.decode(features, embedding, prompt, multimask=False)
        losses.append(prediction_loss(prediction, truth, weights))
    return prediction, losses, first


def _slots(memories: list[FrameMemory], t: int, reach: int) -> MemorySlots:
    """The prompted first frame and up to six frames before `t`, as at inference."""
    recent = range(max(1, t - reach + 1), t)
    chosen = [0, *recent]
    ages = (reach - 1, *(t - frame - 1 for frame in recent))
    # The longest distance that pointers reach in a long sequence is fifteen frames.
    steps = tuple((t - frame) / 15 for frame in chosen)
    return MemorySlots(
        torch.stack([memories[frame].features for frame in chosen], dim=1),
        ages,
        torch.stack([memories[frame].pointer for frame in chosen], dim=1),
        steps,
    )


def _mean_iou(prediction: MaskPrediction, truth: Tensor) -> float:
    with torch.no_grad():
        logits = F.interpolate(prediction.logits, truth.shape[-2:], mode="bilinear", align_corners=False)
        found = (logits[:, 0] > 0) & (prediction.object_score > 0)[..., None]
        present = truth.flatten(1).any(1)
        return float(overlap(found, truth)[present].mean()) if present.any() else 1.0
