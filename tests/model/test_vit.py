"""The plain transformer of SAM: relative positions by their definition, windows, and how it is cut up."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_sam2.model import ops
from napari_sam2.model.layers import from_windows, into_windows
from napari_sam2.model.vit import RelativeAttention, distances
from tests.sam1 import TINY, tiny_sam1


def naive(query: Tensor, key: Tensor, value: Tensor, table_h: Tensor, table_w: Tensor, side: int) -> Tensor:
    """Attention by the definition, one query and key at a time, (n, c) each."""
    scores = torch.empty(side * side, side * side)
    for q in range(side * side):
        for k in range(side * side):
            (i, j), (a, b) = divmod(q, side), divmod(k, side)
            content = query[q] @ key[k] / math.sqrt(query.shape[1])
            place = query[q] @ table_h[i - a + side - 1] + query[q] @ table_w[j - b + side - 1]
            scores[q, k] = content + place
    return scores.softmax(-1) @ value


@pytest.mark.parametrize("budget", [1, 2 * 2 * 3 * 9 + 1, 2**25])
def test_relative_attention_is_what_its_definition_says(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "_SCORES", budget)
    side, width = 3, 4
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 2, 2, side * side, width, generator=generator)
    table_h, table_w = torch.randn(2, 2 * side - 1, width, generator=generator)
    found = ops.attend_relative(query, key, value, distances(table_h, side), distances(table_w, side))
    for batch in range(2):
        for head in range(2):
            parts = (x[batch, head] for x in (query, key, value))
            expected = naive(*parts, table_h, table_w, side)
            torch.testing.assert_close(found[batch, head], expected, atol=1e-5, rtol=1e-5)


def test_distances_are_query_minus_key() -> None:
    table = torch.arange(5.0)[:, None]
    assert distances(table, 3)[..., 0].tolist() == [[2, 1, 0], [3, 2, 1], [4, 3, 2]]


def test_gradients_reach_the_tables() -> None:
    torch.manual_seed(0)
    attention = RelativeAttention(8, heads=2, side=3)
    attention(torch.randn(1, 3, 3, 8)).square().sum().backward()
    for table in (attention.rel_pos_h, attention.rel_pos_w):
        assert table.grad is not None
        assert table.grad.abs().sum() > 0


@pytest.mark.parametrize("shape", [(6, 6), (5, 7), (2, 3)])
def test_windows_go_and_come_back(shape: tuple[int, int]) -> None:
    x = torch.arange(2.0 * shape[0] * shape[1] * 2).view(2, *shape, 2)
    windows, grid = into_windows(x, 3)
    assert windows.shape[1:] == (3, 3, 2)
    assert all(side % 3 == 0 for side in grid)
    assert torch.equal(from_windows(windows, 3, grid)[:, : shape[0], : shape[1]], x)
    assert windows.sum() == x.sum(), "what is filled up is zero"


def test_a_window_sees_nothing_beyond_itself_but_a_global_block_does() -> None:
    model = tiny_sam1()
    window, everywhere = model.image_encoder.blocks
    x = torch.randn(1, TINY.grid, TINY.grid, TINY.embed_dim, generator=torch.Generator().manual_seed(0))
    changed = x.clone()
    changed[:, -1, -1] += 1
    for block, same in ((window, True), (everywhere, False)):
        assert torch.equal(block(x)[:, 0, 0], block(changed)[:, 0, 0]) is same


def test_padded_keys_take_part() -> None:
    """The grid of 8 is filled up to 9: what the projection's bias makes of nothing is looked at."""
    block = tiny_sam1().image_encoder.blocks[0]
    x = torch.randn(1, TINY.grid, TINY.grid, TINY.embed_dim, generator=torch.Generator().manual_seed(0))
    before = block(x)
    with torch.no_grad():
        block.attn.qkv.bias[2 * TINY.embed_dim :] += 1  # values
        block.attn.proj.bias -= block.attn.proj.weight.sum(dim=1)
    # A constant added to all values and taken away behind the projection changes nothing...
    torch.testing.assert_close(block(x), before, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        block.attn.qkv.bias[TINY.embed_dim : 2 * TINY.embed_dim] += 3  # keys
    # ...nor does one added to all keys, padded ones included: their scores move alike.
    torch.testing.assert_close(block(x), before, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        block.norm1.bias += 1
    assert not torch.allclose(block(x), before, atol=1e-2), "here only real tokens change"
