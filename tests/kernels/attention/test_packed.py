"""Attention with packed keys and values against float64, and what happens where it cannot be had."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_sam2_kernels import attention, onednn
from napari_sam2_kernels.attention import narrow_attention, packed, packed_pays

needs_float32 = pytest.mark.skipif(
    onednn.obstacle(torch.float32) is not None, reason="no packed float32 products here"
)
needs_bfloat16 = pytest.mark.skipif(
    onednn.obstacle(torch.bfloat16) is not None, reason="no packed bfloat16 products here"
)


def tensors(batch: int, heads: int, rows: int, columns: int, wide: int, narrow: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((batch, heads, rows, wide), (batch, heads, columns, wide), (batch, heads, columns, narrow))
    return [torch.randn(shape, generator=generator) for shape in shapes]


def truth(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    query, key, value = query.double(), key.double(), value.double()
    scores = torch.einsum("bhnc,bhmc->bhnm", query, key) / query.shape[-1] ** 0.5
    return torch.einsum("bhnm,bhmv->bhnv", scores.softmax(dim=-1), value)


@needs_float32
@pytest.mark.parametrize(
    "shape",
    [
        (1, 1, 1, 1, 1, 1),
        (1, 1, 64, 200, 32, 8),
        (2, 3, 7, 13, 5, 3),
        (3, 1, 33, 1, 16, 4),
        (1, 2, 1, 77, 8, 8),
        (1, 1, 1025, 2049, 16, 5),
        (1, 1, 1023, 2047, 16, 5),
    ],
)
def test_against_float64(shape: tuple[int, int, int, int, int, int]) -> None:
    query, key, value = tensors(*shape)
    found = packed.packed_attention(query, key, value)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, truth(query, key, value).float(), atol=2e-6, rtol=1e-5)


@needs_float32
@pytest.mark.parametrize("queries", [1, 4, 5, 100])
@pytest.mark.parametrize("keys", [1, 3, 100])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (4, 4), (9, 13)])
def test_block_edges(
    monkeypatch: pytest.MonkeyPatch, queries: int, keys: int, rows: int, columns: int
) -> None:
    monkeypatch.setattr(packed, "_QUERIES", queries)
    monkeypatch.setitem(packed._KEYS, torch.float32, keys)
    query, key, value = tensors(2, 2, rows, columns, 6, 3)
    found = packed.packed_attention(query, key, value)
    torch.testing.assert_close(found, truth(query, key, value).float(), atol=2e-6, rtol=1e-5)


@needs_float32
@pytest.mark.parametrize("shift", [-3e3, -150.0, -70.0, 70.0, 150.0, 3e3])
def test_scores_outside_the_range_of_exponentials(shift: float) -> None:
    query, key, value = tensors(1, 1, 6, 10, 4, 3)
    # One more channel moves all scores of a query; the softmax must not notice.
    query = torch.cat((query, torch.full((1, 1, 6, 1), 5**0.5)), dim=-1)
    key = torch.cat((key, torch.full((1, 1, 10, 1), shift)), dim=-1)
    found = packed.packed_attention(query, key, value)
    assert bool(found.isfinite().all())
    torch.testing.assert_close(found, truth(query, key, value).float(), atol=1e-3, rtol=1e-3)


@needs_float32
def test_only_the_block_that_needs_care_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_QUERIES", 4)
    careful = []

    def note(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        careful.append(query.shape[2])
        return attention.plain_attention(query, key, value)

    monkeypatch.setattr(packed, "plain_attention", note)
    query, key, value = tensors(1, 1, 10, 12, 4, 3)
    query[..., 9, :] *= 1e3
    found = packed.packed_attention(query, key, value)
    assert careful == [2]
    torch.testing.assert_close(found, truth(query, key, value).float(), atol=1e-5, rtol=1e-4)


@needs_float32
def test_nothing_is_left_unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Tensor.new_empty
    poisoned = []

    def poison(self: Tensor, *size: int, **how: torch.dtype) -> Tensor:
        poisoned.append(size)
        return plain(self, *size, **how).fill_(torch.nan)

    monkeypatch.setattr(Tensor, "new_empty", poison)
    query, key, value = tensors(2, 1, 1025, 9, 6, 3)
    found = packed.packed_attention(query, key, value)
    assert poisoned
    assert bool(found.isfinite().all())


@needs_float32
def test_views_as_the_network_gives_them() -> None:
    query, key, value = tensors(1, 2, 9, 14, 6, 3)
    tokens = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in (query, key, value)]
    found = packed.packed_attention(*(x.expand(4, -1, -1, -1) for x in tokens))
    torch.testing.assert_close(found[3], truth(query, key, value)[0].float(), atol=2e-6, rtol=1e-5)


@needs_bfloat16
def test_bfloat16_is_hardly_worse_than_torch() -> None:
    exact = tensors(1, 1, 200, 3000, 64, 64)
    query, key, value = (x.bfloat16() for x in exact)
    wanted = truth(query, key, value)
    found = packed.packed_attention(query, key, value)
    assert found.dtype == torch.bfloat16
    fused = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    own, torchs = (float((x.double() - wanted).norm() / wanted.norm()) for x in (found, fused))
    # Scores are rounded once more, between the two products.
    assert own < 2.5 * torchs


@needs_float32
def test_who_is_taken() -> None:
    query, key, value = tensors(1, 1, 512, 512, 4, 3)
    with torch.no_grad():
        assert packed_pays(query, key, value)
        assert not packed_pays(query[:, :, :100], key, value)
        assert not packed_pays(query.double(), key.double(), value.double())
        assert not packed_pays(query.half(), key.half(), value.half())
        assert packed_pays(query, key.requires_grad_(), value)
    assert not packed_pays(query, key.requires_grad_(), value)


def test_without_the_operators_all_goes_the_plain_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    onednn.obstacle.cache_clear()
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    query, key, value = tensors(1, 1, 512, 600, 4, 3)
    with caplog.at_level("INFO", logger="napari_sam2_kernels"):
        found = narrow_attention(query, key, value)
        narrow_attention(query, key, value)
    onednn.obstacle.cache_clear()
    (record,) = caplog.records
    assert record.message.startswith("Packed float32 products are left out: this build of torch")
    torch.testing.assert_close(found, attention.plain_attention(query, key, value), atol=0, rtol=0)
