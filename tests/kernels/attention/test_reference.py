"""Attention with narrow values against float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_sam2_kernels.attention import reference
from napari_sam2_kernels.attention.reference import plain_attention


def tensors(batch: int, heads: int, rows: int, columns: int, wide: int, narrow: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((batch, heads, rows, wide), (batch, heads, columns, wide), (batch, heads, columns, narrow))
    return [torch.randn(shape, generator=generator) for shape in shapes]


def truth(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    query, key, value = query.double(), key.double(), value.double()
    scores = torch.einsum("bhnc,bhmc->bhnm", query, key) / query.shape[-1] ** 0.5
    return torch.einsum("bhnm,bhmv->bhnv", scores.softmax(dim=-1), value)


@pytest.mark.parametrize(
    "shape",
    [
        (1, 1, 1, 1, 1, 1),
        (1, 1, 64, 200, 32, 8),
        (2, 3, 7, 13, 5, 3),
        (3, 1, 33, 1, 16, 4),
        (1, 2, 1, 77, 8, 8),
    ],
)
def test_against_float64(shape: tuple[int, int, int, int, int, int]) -> None:
    query, key, value = tensors(*shape)
    found = plain_attention(query, key, value)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, truth(query, key, value).float(), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("queries", [1, 4, 5, 100])
@pytest.mark.parametrize("keys", [1, 3, 4, 100])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (4, 4), (5, 3), (8, 12), (9, 13)])
def test_block_edges(
    monkeypatch: pytest.MonkeyPatch, queries: int, keys: int, rows: int, columns: int
) -> None:
    monkeypatch.setattr(reference, "_QUERIES", queries)
    monkeypatch.setattr(reference, "_KEYS", keys)
    query, key, value = tensors(2, 2, rows, columns, 6, 3)
    found = plain_attention(query, key, value)
    torch.testing.assert_close(found, truth(query, key, value).float(), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("columns", [1023, 1024, 1025, 2049])
def test_more_keys_than_a_block_takes(columns: int) -> None:
    query, key, value = tensors(1, 1, 513, columns, 6, 3)
    found = plain_attention(query, key, value)
    torch.testing.assert_close(found, truth(query, key, value).float(), atol=2e-6, rtol=1e-5)


def test_a_larger_score_in_a_later_block_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_KEYS", 4)
    query, key, value = tensors(1, 1, 5, 16, 6, 3)
    key = key * torch.linspace(0.01, 60, 16)[:, None]
    found = plain_attention(query, key, value)
    torch.testing.assert_close(found, truth(query, key, value).float(), atol=1e-5, rtol=1e-4)


def test_views_as_the_network_gives_them() -> None:
    query, key, value = tensors(1, 1, 9, 14, 6, 3)
    shared = query.expand(4, -1, -1, -1)
    keys, values = key.transpose(-1, -2).contiguous().transpose(-1, -2), value.expand(4, -1, -1, -1)
    found = plain_attention(shared, keys.expand(4, -1, -1, -1), values)
    torch.testing.assert_close(found[3], truth(query, key, value)[0].float(), atol=2e-6, rtol=1e-5)


def test_large_scores_do_not_overflow() -> None:
    query, key, value = tensors(1, 1, 6, 10, 4, 3)
    found = plain_attention(query * 1e3, key * 1e3, value)
    torch.testing.assert_close(found, truth(query * 1e3, key * 1e3, value).float(), atol=1e-5, rtol=1e-4)


def test_gradients_equal_those_of_float64() -> None:
    ours = [x.requires_grad_() for x in tensors(2, 1, 7, 9, 6, 3)]
    theirs = [x.detach().double().requires_grad_() for x in ours]
    plain_attention(*ours).square().sum().backward()
    truth(*theirs).square().sum().backward()
    for own, other in zip(ours, theirs, strict=True):
        assert own.grad is not None and other.grad is not None
        torch.testing.assert_close(own.grad, other.grad.float(), atol=1e-5, rtol=1e-4)


def test_bfloat16_keeps_its_type() -> None:
    query, key, value = (x.bfloat16() for x in tensors(1, 1, 12, 20, 8, 4))
    found = plain_attention(query, key, value)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), truth(query, key, value), atol=0.03, rtol=0.03)
