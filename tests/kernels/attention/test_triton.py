"""The Triton form of attention against the plain one, in the interpreter where there is no GPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="triton is not installed")

from napari_sam2_kernels.attention import triton_kernel
from napari_sam2_kernels.attention.reference import plain_attention
from napari_sam2_kernels.attention.triton_kernel import self_test, triton_attention
from tests.kernels.conftest import DEVICE


def tensors(batch: int, heads: int, rows: int, columns: int, wide: int, narrow: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((batch, heads, rows, wide), (batch, heads, columns, wide), (batch, heads, columns, narrow))
    return [torch.randn(shape, generator=generator).to(DEVICE) for shape in shapes]


@pytest.mark.parametrize(
    "shape",
    [
        (1, 1, 1, 1, 1, 1),
        (2, 3, 7, 13, 5, 3),
        (1, 1, 129, 65, 32, 8),
        (3, 1, 33, 1, 16, 4),
        (1, 2, 1, 77, 8, 8),
        (2, 1, 40, 70, 256, 64),
    ],
)
def test_against_the_truth(shape: tuple[int, int, int, int, int, int]) -> None:
    query, key, value = tensors(*shape)
    torch.testing.assert_close(
        triton_attention(query, key, value), plain_attention(query, key, value), atol=2e-6, rtol=1e-5
    )


def test_a_shared_query_is_read_in_place_and_views_are_fine() -> None:
    query, key, value = tensors(1, 2, 9, 14, 6, 3)
    tokens = [
        x.transpose(1, 2).contiguous().transpose(1, 2).expand(4, -1, -1, -1) for x in (query, key, value)
    ]
    found = triton_attention(*tokens)
    assert found.shape == (4, 2, 9, 3)
    torch.testing.assert_close(found[3], plain_attention(query, key, value)[0], atol=2e-6, rtol=1e-5)


def test_large_scores_do_not_overflow() -> None:
    query, key, value = tensors(1, 1, 6, 10, 4, 3)
    given = (query * 1e3, key * 1e3, value)
    torch.testing.assert_close(triton_attention(*given), plain_attention(*given), atol=1e-5, rtol=1e-4)


def test_nothing_is_left_unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Tensor.new_empty
    monkeypatch.setattr(
        Tensor, "new_empty", lambda self, *size, **how: plain(self, *size, **how).fill_(torch.nan)
    )
    found = triton_attention(*tensors(2, 1, triton_kernel._QUERIES + 5, 9, 6, 3))
    assert bool(found.isfinite().all())


def test_what_lies_beyond_the_end_is_not_read() -> None:
    query, key, value = tensors(1, 1, 5, 9, 6, 3)
    long = [torch.full((1, 1, 200, x.shape[-1]), torch.nan, device=DEVICE) for x in (query, key, value)]
    for whole, part in zip(long, (query, key, value), strict=True):
        whole[:, :, : part.shape[2]] = part
    views = [whole[:, :, : part.shape[2]] for whole, part in zip(long, (query, key, value), strict=True)]
    torch.testing.assert_close(
        triton_attention(*views), plain_attention(query, key, value), atol=2e-6, rtol=1e-5
    )


def test_self_test() -> None:
    assert 0 <= self_test(DEVICE) < 1e-4
