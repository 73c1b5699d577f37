"""The plain loop: clips in, weights out, one stage after another."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from napari_sam2.inference.pixels import DEVIATION, MEAN
from napari_sam2.model.config import ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import ImageEmbedding
from napari_sam2.training.config import TrainConfig
from napari_sam2.training.losses import LossWeights
from napari_sam2.training.rollout import rollout
from napari_sam2.training.warm_start import learn_where_clicks_are


class DenseHead(nn.Module):
    """Foreground and boundary from the finest features: a scaffold for training that is not shipped."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(width, 3, kernel_size=1)

    def loss(self, fine: Tensor, classes: Tensor) -> Tensor:
        """Cross-entropy of `fine` (b, c, h, w) against `classes` (b, 4 h, 4 w): 0, 1, 2; -1 is unknown."""
        logits = self.proj(fine).float()
        # Two pixels from the corner is the middle of a cell of four.
        target = classes[:, 2::4, 2::4].long()
        if not (target >= 0).any():
            return logits.sum() * 0
        return F.cross_entropy(logits, target, ignore_index=-1)


def train_stage(
    weights: dict[str, Tensor] | None,
    network: ModelConfig,
    config: TrainConfig,
    clips: Iterator[tuple[Tensor, Tensor, Tensor, Tensor]],
    out: Path,
    device: str = "cpu",
) -> dict[str, Tensor]:
    """Train one stage and return the averaged weights.

    Parameters
    ----------
    weights
        Official state dict to start from; None for fresh weights.
    network
        The network; its image size is replaced by the stage's.
    config
        The stage.
    clips
        Yields images (b, t, 3, s, s), masks (b, t, o, s, s), valid (b, o) and classes (b, s, s).
    out
        Gets `last.pt` every few minutes and one line of metrics every 20 steps, and at the end, in
        `metrics.csv`.
    device
        Where to train.
    """
    torch.manual_seed(config.seed)
    model = SAM2(replace(network, image_size=config.size)).to(device).train()
    if weights is not None:
        model.load_official(weights)
    else:
        learn_where_clicks_are(model)
    head = DenseHead(network.width // 8).to(device)
    params = [*model.parameters(), *head.parameters()]
    groups = [
        {"params": [p for p in params if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in params if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.98))
    average = {name: tensor.detach().clone() for name, tensor in model.to_official().items()}
    start = saved = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    tail: list[tuple[float, float, float | None]] = []
    done, rate = 0, 0.0
    with (out / "metrics.csv").open("a", newline="") as file, tqdm(unit="step") as bar:

        def note() -> None:
            csv.writer(file).writerow([config.size, config.frames, done, f"{rate:.2e}", *_summary(tail)])
            file.flush()
            bar.set_postfix_str(" ".join(_summary(tail)))
            tail.clear()

        for step, batch in enumerate(clips):
            progress = (time.monotonic() - start) / (60 * config.minutes)
            if progress >= 1:
                break
            rate = config.rate * min(1.0, (step + 1) / config.warmup) * _cosine(progress)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss, first, tracked = _step(model, head, batch, config, device)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(params, config.clip)
            optimizer.step()
            _follow(average, model.to_official(), min(config.ema, (step + 1) / (step + 10)))
            tail.append((loss.item(), first, tracked))
            done = step + 1
            bar.update()
            if len(tail) == 20:
                note()
            if time.monotonic() - saved > 120:
                saved = time.monotonic()
                _save(average, config, out / "last.pt")
        if tail:
            note()
    _save(average, config, out / "last.pt")
    return average


def _step(
    model: SAM2,
    head: DenseHead,
    batch: tuple[Tensor, Tensor, Tensor, Tensor],
    config: TrainConfig,
    device: str,
) -> tuple[Tensor, float, float | None]:
    images, masks, valid, classes = (x.to(device, non_blocking=True) for x in batch)
    clip, _ = valid.nonzero(as_tuple=True)
    per_object = masks.transpose(1, 2)[valid].transpose(0, 1)
    mean = images.new_tensor(MEAN)[:, None, None]
    deviation = images.new_tensor(DEVIATION)[:, None, None]
    pixels = (images - mean) / deviation
    with torch.autocast(device.partition(":")[0], dtype=torch.bfloat16):
        encoded = model.encode(pixels.flatten(0, 1))
        length = images.shape[1]
        embeddings = [
            ImageEmbedding(*(x.unflatten(0, (-1, length))[:, t][clip] for x in _maps(encoded)))
            for t in range(length)
        ]
        shares = LossWeights(balanced=config.balanced, focal=config.focal)
        result = rollout(model, embeddings, per_object, shares, config.corrections)
        loss = result.loss
        if config.dense:
            loss = loss + config.dense * head.loss(encoded.fine.unflatten(0, (-1, length))[:, 0], classes)
    return loss, result.first_iou, result.tracked_iou


def _save(average: dict[str, Tensor], config: TrainConfig, path: Path) -> None:
    """Write the weights and the stage; a stop in the middle leaves the file before."""
    partial = path.with_suffix(".partial")
    torch.save({"model": average, "stage": repr(config)}, partial)
    partial.replace(path)


def _maps(embedding: ImageEmbedding) -> tuple[Tensor, ...]:
    return embedding.features, embedding.middle, embedding.fine


def _cosine(progress: float) -> float:
    return 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2


@torch.no_grad()
def _follow(average: dict[str, Tensor], current: dict[str, Tensor], decay: float) -> None:
    for name, tensor in average.items():
        tensor.lerp_(current[name], 1 - decay)


def _summary(tail: list[tuple[float, float, float | None]]) -> list[str]:
    tracked = [t for _, _, t in tail if t is not None]
    return [
        f"{sum(loss for loss, _, _ in tail) / len(tail):.3f}",
        f"{sum(first for _, first, _ in tail) / len(tail):.3f}",
        f"{sum(tracked) / len(tracked):.3f}" if tracked else "",
    ]
