"""Who learns how fast: parameter groups and the learning rate of a step."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor, nn

from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.config import Parts, TrainConfig

BLOCK = re.compile(r"image_encoder\.trunk\.blocks\.(\d+)\.")
LEARNING: dict[Parts, tuple[str, ...]] = {"all": ("",), "decoder": ("mask_decoder.",)}


def prepare(model: SAM2, parts: Parts, batch_norm: bool = True) -> None:
    """Set to training what is to learn, and keep the rest as at inference; batch norm, too, where asked."""
    model.train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(LEARNING[parts]))
    if parts != "all":
        # Stochastic depth and batch statistics would change what no gradient can follow.
        model.image_encoder.eval()
    if not batch_norm:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def optimizer_for(model: SAM2, head: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW over what learns, in groups of one decay and one ``scale`` of the learning rate.

    The trunk learns slower towards its input by `layer_decay` a block (position embeddings excepted); biases,
    norms and other vectors do not decay.
    """
    depth = 1 + max((int(found[1]) for found in map(BLOCK.match, model.state_dict()) if found), default=0)
    groups: dict[tuple[float, float], list[Tensor]] = {}
    named = [*model.named_parameters(), *((f"head.{name}", p) for name, p in head.named_parameters())]
    for name, parameter in named:
        if not parameter.requires_grad:
            continue
        scale = config.encoder_rate if name.startswith("image_encoder.") else 1.0
        scale *= config.layer_decay ** _distance(name, depth)
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((scale, decay), []).append(parameter)
    rows: list[dict[str, Any]] = [
        {"params": members, "weight_decay": decay, "scale": scale}
        for (scale, decay), members in groups.items()
    ]
    return torch.optim.AdamW(rows, lr=config.rate, betas=(0.9, 0.98))


def rate_at(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step: a linear rise, then a cosine down to a hundredth."""
    cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * min(step / config.steps, 1.0))) / 2
    return config.rate * min(1.0, (step + 1) / max(config.warmup, 1)) * cosine


def _distance(name: str, depth: int) -> int:
    """How many blocks lie between a trunk parameter and the neck; 0 for all that is no trunk."""
    if name.startswith("image_encoder.trunk.patch_embed"):
        return depth + 1
    block = BLOCK.match(name)
    return depth - int(block[1]) if block else 0
