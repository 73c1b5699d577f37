"""A clip through the network as in use: prompt, correct, remember, follow (paper section 4, training)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam2.inference.memory_bank import MemoryBank
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.records import RecordKey
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import FrameMemory, ImageEmbedding, MaskPrediction, MemorySlots
from napari_sam2.prompts import Direction
from napari_sam2.training.losses import LossWeights, overlap, prediction_loss
from napari_sam2.training.prompting import FirstPrompt, PromptPlan, noisy_box, random_click

POLICY = TrackingPolicy()


@dataclass(frozen=True, slots=True)
class Rollout:
    """Summed loss of a clip, mean IoU of the first click or box, and of frames followed without a prompt."""

    loss: Tensor
    first_iou: float | None
    tracked_iou: float | None


@dataclass(slots=True)
class _Recollections:
    """What the objects of a clip remember, and which of it a frame may look at: the bank decides."""

    bank: MemoryBank = field(default_factory=MemoryBank)
    memories: dict[int, FrameMemory] = field(default_factory=dict)

    def keep(self, t: int, memory: FrameMemory, prompted: bool) -> None:
        self.memories[t] = memory
        (self.bank.prompted if prompted else self.bank.tracked)[t] = RecordKey(t, t, t)

    def slots(self, t: int, reach: int) -> MemorySlots:
        # As in a long sequence: pointers reach back as far as they ever do.
        chosen = self.bank.select(t, Direction.FORWARD, POLICY, reach, POLICY.max_obj_ptrs_in_encoder)
        ages, steps = chosen.layout
        maps = torch.stack([self.memories[m.frame].features for m in chosen.maps], dim=1)
        pointers = [self.memories[p.frame].pointer for p in chosen.pointers]
        first = self.memories[chosen.maps[0].frame].pointer
        stacked = torch.stack(pointers, dim=1) if pointers else first[:, None][:, :0]
        return MemorySlots(maps, ages, stacked, steps)


def rollout(
    model: SAM2,
    embeddings: list[ImageEmbedding],
    masks: Tensor,
    weights: LossWeights,
    corrections: int,
    plan: PromptPlan,
) -> Rollout:
    """Prompt every object where the plan says, and follow it through the clip.

    Prompted frames come first and see no memory; the others follow in order, with what `MemoryBank` selects
    at inference.

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
        Clicks on every frame that is corrected.
    plan
        Which frames are prompted and corrected, and how.
    """
    known = _Recollections()
    losses: list[Tensor] = []
    tracked: list[float] = []
    first: float | None = None
    order = [*plan.prompted, *(t for t in range(len(masks)) if t not in plan.prompted)]
    for t in order:
        truth, embedding = masks[t], embeddings[t]
        initial, corrected = t in plan.prompted, t in plan.corrected
        if initial and plan.first is FirstPrompt.MASK:
            prediction = model.adopt(embedding, truth[:, None].float())
        else:
            features = model.recall(embedding, None if initial else known.slots(t, model.config.num_maskmem))
            points = labels = None
            if initial:
                points, labels = noisy_box(truth) if plan.first is FirstPrompt.BOX else random_click(truth)
            frame = _Frame(model, embedding, features, truth, weights, initial, losses)
            prediction = frame.predict(points, labels, None)
            if not initial:
                tracked.append(_mean_iou(prediction, truth))
            elif t == 0:
                first = _mean_iou(prediction, truth)
            if corrected:
                prediction = frame.correct(prediction, points, labels, corrections)
        if t != order[-1]:
            # Masks from a hand are remembered hard at inference; soft ones carry more gradient.
            touched = initial or corrected
            hard = touched and bool(torch.rand(()) < 0.5)
            known.keep(t, model.memorize(embedding, prediction.gated(), binarize=hard), touched)
    # Where nothing but a mask was given, nothing was predicted either.
    loss = torch.stack(losses).sum() if losses else prediction.pointer.sum() * 0
    return Rollout(loss, first, sum(tracked) / len(tracked) if tracked else None)


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame of a clip: what is predicted on it is punished."""

    model: SAM2
    embedding: ImageEmbedding
    features: Tensor
    truth: Tensor
    weights: LossWeights
    initial: bool
    losses: list[Tensor]

    def predict(self, points: Tensor | None, labels: Tensor | None, before: Tensor | None) -> MaskPrediction:
        count = 0 if points is None else points.shape[1]
        tokens = (
            self.model.prompt(points, labels, before) if count else self.model.unprompted(len(self.truth))
        )
        multimask = POLICY.multimask(count, self.initial)
        options = self.model.decode(self.features, self.embedding, tokens, multimask=multimask)
        self.losses.append(prediction_loss(options, self.truth, self.weights))
        return options.best()

    def correct(
        self, prediction: MaskPrediction, points: Tensor | None, labels: Tensor | None, clicks: int
    ) -> MaskPrediction:
        """Click where the mask is wrong; one time in ten on the object, whatever was found (appendix D.2)."""
        for _ in range(clicks):
            blind = bool(torch.rand(()) < 0.1)
            found = None if blind else _binary(prediction, self.truth)
            point, label = random_click(self.truth, found)
            points = point if points is None else torch.cat((points, point), 1)
            labels = label if labels is None else torch.cat((labels, label), 1)
            prediction = self.predict(points, labels, prediction.logits)
        return prediction


def _binary(prediction: MaskPrediction, truth: Tensor) -> Tensor:
    logits = F.interpolate(prediction.logits.detach(), truth.shape[-2:], mode="bilinear", align_corners=False)
    return logits[:, 0] > 0


def _mean_iou(prediction: MaskPrediction, truth: Tensor) -> float:
    with torch.no_grad():
        found = _binary(prediction, truth) & (prediction.object_score > 0)[..., None]
        present = truth.flatten(1).any(1)
        return float(overlap(found, truth)[present].mean()) if present.any() else 1.0
