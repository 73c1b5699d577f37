"""Who learns, and how fast."""

from dataclasses import replace

import pytest
import torch

from napari_sam2.model.config import ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.config import TrainConfig
from napari_sam2.training.dense_head import DenseHead
from napari_sam2.training.optim import optimizer_for, prepare, rate_at


@pytest.fixture
def model(tiny: ModelConfig) -> SAM2:
    return SAM2(tiny)


def scales(model: SAM2, config: TrainConfig) -> dict[str, tuple[float, float]]:
    """Scale of the learning rate and weight decay by parameter name."""
    prepare(model, config.parts)
    optimizer = optimizer_for(model, DenseHead(4), config)
    found = {id(p): (g["scale"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    return {name: found[id(p)] for name, p in model.named_parameters() if id(p) in found}


def test_the_trunk_learns_slower_towards_its_input(model: SAM2) -> None:
    found = scales(model, TrainConfig(layer_decay=0.5, encoder_rate=0.1))
    trunk = "image_encoder.trunk."
    by_block = [found[f"{trunk}blocks.{i}.mlp.layers.0.weight"][0] for i in range(4)]
    assert by_block == pytest.approx([0.1 * 0.5 ** (4 - i) for i in range(4)])
    assert found[f"{trunk}patch_embed.proj.weight"][0] == pytest.approx(0.1 * 0.5**5)
    assert found[f"{trunk}pos_embed"][0] == pytest.approx(0.1)
    assert found["mask_decoder.iou_token.weight"][0] == 1.0
    assert set(found) == {name for name, _ in model.named_parameters()}


def test_vectors_do_not_decay(model: SAM2) -> None:
    found = scales(model, TrainConfig(weight_decay=0.3))
    for name, parameter in model.named_parameters():
        assert found[name][1] == (0.3 if parameter.ndim > 1 else 0.0), name


def test_only_the_decoder(model: SAM2) -> None:
    found = scales(model, TrainConfig(parts="decoder"))
    assert found
    assert all(name.startswith("mask_decoder.") for name in found)
    assert model.mask_decoder.training
    assert not model.image_encoder.training
    prepare(model, "all")
    assert all(p.requires_grad for p in model.parameters())
    assert model.image_encoder.training


def test_rate_rises_and_falls() -> None:
    config = TrainConfig(steps=100, warmup=10, rate=2.0)
    rates = torch.tensor([rate_at(step, config) for step in range(100)])
    assert rates[0] == pytest.approx(0.2)
    assert rates.argmax() in (9, 10)
    assert (rates[10:].diff() < 0).all()
    assert rates[-1] == pytest.approx(0.02, rel=0.1)


def test_batch_norm_can_stand_still_while_its_weights_learn(tiny: ModelConfig) -> None:
    stem = replace(tiny.trunk, stem="conv", stem_widths=(8, 12))
    model = SAM2(replace(tiny, trunk=stem))
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    prepare(model, "all")
    assert all(norm.training for norm in norms)
    prepare(model, "all", batch_norm=False)
    assert not any(norm.training for norm in norms)
    assert all(norm.weight.requires_grad for norm in norms) and model.training
