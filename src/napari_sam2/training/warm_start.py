"""Before anything else the decoder learns where a click is; from scratch it would hardly notice."""

from __future__ import annotations

import torch
from torch import nn

from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.losses import LossWeights, prediction_loss


def learn_where_clicks_are(model: SAM2, steps: int = 220, rate: float = 2e-4, batch: int = 32) -> float:
    """Train on discs round the click in front of noise, and return the last loss.

    A small network that starts on real images first learns what foreground is, and then stays there: the same
    mask for every click. After a hundred steps of this it cannot overlook the click any more.
    """
    size = model.config.image_size
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    noise = torch.randn(1, 3, size, size)
    loss = torch.zeros(())
    for _ in range(steps):
        points = torch.rand(batch, 1, 2) * size
        distance = (y - points[..., 1:]).square() + (x - points[..., :1]).square()
        truth = (distance < (size / 8) ** 2).to(model.device)
        embedding = model.encode(noise.to(model.device))
        prompt = model.prompt(
            points.to(model.device), torch.ones(batch, 1, dtype=torch.long, device=model.device), None
        )
        prediction = model.decode(model.recall(embedding, None), embedding, prompt, multimask=True)
        loss = prediction_loss(prediction, truth, LossWeights(balanced=1.0, focal=0.0))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return float(loss.detach())
