"""Attention over raw memories equals the textbook's over projected values."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_sam2.model.memory_attention import RotaryMemoryAttention
from napari_sam2.model.positions import rotary_table, rotate
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import ImageEmbedding, MemorySlots

SIDE = 8


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def textbook(layer: RotaryMemoryAttention, x: Tensor, memory: Tensor, codes: Tensor, mapped: int) -> Tensor:
    """softmax(Q K^T / sqrt(c)) V in float64, token by token as the paper has it: V is projected memory."""
    layer, x, memory, codes = layer.double(), x.double(), memory.double(), codes.double()
    table = rotary_table(x.shape[-1], SIDE, x.device)
    query = rotate(layer.q_proj(x), table)
    key = layer.k_proj(memory + codes)
    count = len(table)
    pieces = [rotate(key[:, at : at + count], table) for at in range(0, mapped, count)]
    key = torch.cat([*pieces, key[:, mapped:]], dim=1)
    weights = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(dim=-1)
    return layer.out_proj(weights @ layer.v_proj(memory))


@pytest.mark.parametrize("maps", [1, 3])
@pytest.mark.parametrize("pointers", [0, 5])
@pytest.mark.parametrize("objects", [1, 2])
@torch.inference_mode()
def test_raw_memory_form(maps: int, pointers: int, objects: int) -> None:
    torch.manual_seed(0)
    layer = RotaryMemoryAttention(32, 16)
    mapped = maps * SIDE**2
    x = random(1, SIDE**2, 32)
    memory = random(objects, mapped + pointers, 16, seed=1)
    codes = random(1, mapped + pointers, 16, seed=2)
    found = layer(x, memory, codes, mapped)
    assert found.shape == (objects, SIDE**2, 32)
    truth = textbook(layer, x, memory, codes, mapped)
    assert float(truth.std()) > 0.01
    torch.testing.assert_close(found, truth.float(), atol=2e-6, rtol=2e-5)


@pytest.fixture
def embedding(small_model: SAM2) -> ImageEmbedding:
    with torch.inference_mode():
        return small_model.encode(random(1, 3, 128, 128))


def slots(objects: int, maps: int = 3, pointers: int = 2) -> MemorySlots:
    ages, steps = (6, 1, 0)[:maps], (0.5, 0.1)[:pointers]
    features = random(objects, maps, 16, SIDE, SIDE, seed=3)
    return MemorySlots(features, ages, random(objects, pointers, 32, seed=4), steps)


@torch.inference_mode()
def test_one_frame_with_several_memories_equals_each_alone(
    small_model: SAM2, embedding: ImageEmbedding
) -> None:
    many = slots(3)
    together = small_model.recall(embedding, many)
    assert together.shape == (3, 32, SIDE, SIDE)
    assert float((together[0] - together[1]).abs().max()) > 1e-3
    for row in range(3):
        one = MemorySlots(many.features[row : row + 1], many.ages, many.pointers[row : row + 1], many.steps)
        torch.testing.assert_close(together[row], small_model.recall(embedding, one)[0], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_every_part_of_the_memory_counts(small_model: SAM2, embedding: ImageEmbedding) -> None:
    base = slots(1)
    usual = small_model.recall(embedding, base)
    changed = {
        "map": MemorySlots(base.features + 0.5, base.ages, base.pointers, base.steps),
        "age": MemorySlots(base.features, (6, 2, 0), base.pointers, base.steps),
        "pointer": MemorySlots(base.features, base.ages, base.pointers + 0.5, base.steps),
        "step": MemorySlots(base.features, base.ages, base.pointers, (0.9, 0.1)),
        "no pointer": slots(1, pointers=0),
    }
    for part, other in changed.items():
        moved = float((small_model.recall(embedding, other) - usual).abs().max())
        assert moved > 1e-5, part


@torch.inference_mode()
def test_the_order_of_memories_does_not_matter(small_model: SAM2, embedding: ImageEmbedding) -> None:
    base = slots(1)
    turned = MemorySlots(base.features.flip(1), base.ages[::-1], base.pointers.flip(1), base.steps[::-1])
    found, usual = small_model.recall(embedding, turned), small_model.recall(embedding, base)
    torch.testing.assert_close(found, usual, atol=1e-5, rtol=1e-5)
