"""Discs round the click: the first thing a fresh network learns."""

import torch

from napari_sam2.model.config import ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.warm_start import learn_where_clicks_are


def test_the_loss_falls(tiny: ModelConfig) -> None:
    torch.manual_seed(0)
    model = SAM2(tiny).train()
    first = learn_where_clicks_are(model, steps=1, rate=1e-3, batch=8)
    last = learn_where_clicks_are(model, steps=40, rate=1e-3, batch=8)
    assert last < 0.8 * first
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
