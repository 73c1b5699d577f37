"""Keys of the memory: the plain form against the network's own steps, the Triton form against that."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam2.model.positions import rotary_table, rotate
from napari_sam2_kernels.memory_keys import memory_keys
from napari_sam2_kernels.memory_keys.reference import plain_memory_keys
from tests.kernels.conftest import DEVICE


def made(batch: int, maps: int, pointers: int, side: int, v: int, c: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    tokens = maps * side**2 + pointers
    shapes = ((batch, tokens, v), (1, tokens, v), (c, v), (c,))
    given = [torch.randn(shape, generator=generator).to(DEVICE) for shape in shapes]
    return (*given, rotary_table(c, side, DEVICE))


CASES = [(1, 1, 0, 1, 4, 4), (2, 3, 5, 5, 16, 32), (1, 2, 1, 3, 7, 12), (3, 1, 70, 8, 64, 256)]


@pytest.mark.parametrize("case", CASES)
def test_plain_equals_the_steps_of_the_network(case: tuple[int, ...]) -> None:
    memory, codes, weight, bias, table = made(*case)
    mapped = case[1] * case[3] ** 2
    keys = F.linear(memory + codes, weight, bias)
    pieces = [rotate(piece, table) for piece in keys[:, :mapped].split(len(table), dim=1)]
    truth = torch.cat((*pieces, keys[:, mapped:]), dim=1)
    found = memory_keys(memory, codes, weight, bias, table, mapped)
    torch.testing.assert_close(found, truth, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_triton(case: tuple[int, ...], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    from napari_sam2_kernels.memory_keys.triton_kernel import triton_memory_keys

    *given, table = made(*case)
    memory, codes, weight, bias = (x.to(dtype) for x in given)
    mapped = case[1] * case[3] ** 2
    truth = plain_memory_keys(memory, codes, weight, bias, table, mapped)
    plain = Tensor.new_empty
    monkeypatch.setattr(
        Tensor, "new_empty", lambda self, *size, **how: plain(self, *size, **how).fill_(torch.nan)
    )
    found = triton_memory_keys(memory, codes, weight, bias, table, mapped)
    assert found.dtype == dtype
    exact = {"atol": 1e-5, "rtol": 1e-5} if dtype is torch.float32 else {"atol": 0.05, "rtol": 0.01}
    torch.testing.assert_close(found, truth, **exact)


def test_self_test() -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    from napari_sam2_kernels.memory_keys.triton_kernel import self_test

    assert self_test(DEVICE) < 1e-4
