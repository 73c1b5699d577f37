"""Products with packed weights, and the self-test that decides whether they are used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam2_kernels import onednn


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    onednn.obstacle.cache_clear()
    yield
    onednn.obstacle.cache_clear()


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("rows", "width", "out"), [(1, 1, 1), (3, 5, 7), (64, 48, 96), (130, 33, 17)])
def test_product(rows: int, width: int, out: int, bias: bool, gelu: bool) -> None:
    if (reason := onednn.obstacle(torch.float32)) is not None:
        pytest.skip(reason)
    torch.manual_seed(0)
    x, weight, shift = torch.randn(2, rows, width), torch.randn(out, width), torch.randn(out)
    given = shift if bias else None
    found = onednn.product(x, onednn.pack(weight, rows), given, gelu)
    truth = F.linear(x.double(), weight.double(), given.double() if given is not None else None)
    truth = F.gelu(truth) if gelu else truth
    assert found.shape == (2, rows, out)
    torch.testing.assert_close(found, truth.float(), atol=2e-5, rtol=1e-5)


def test_other_formats_are_refused() -> None:
    assert onednn.obstacle(torch.float16) is not None
    assert onednn.obstacle(torch.float64) is not None


def test_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert "without oneDNN" in str(onednn.obstacle(torch.float32))


def test_operators_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(weight: Tensor, rows: int) -> Tensor:
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_reorder_linear_weight'")

    monkeypatch.setattr(onednn, "pack", gone)
    assert "_reorder_linear_weight" in str(onednn.obstacle(torch.float32))


def test_operators_that_compute_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(x: Tensor, weight: Tensor, bias: Tensor | None = None, gelu: bool = False) -> Tensor:
        y = F.linear(x, weight, bias)
        return F.gelu(y, approximate="tanh") if gelu else y

    monkeypatch.setattr(onednn, "pack", lambda weight, rows: weight)
    monkeypatch.setattr(onednn, "product", off)
    assert "off by" in str(onednn.obstacle(torch.float32))
    onednn.obstacle.cache_clear()
    monkeypatch.setattr(onednn, "product", lambda x, weight, bias=None, gelu=False: x)
    assert "off by inf" in str(onednn.obstacle(torch.float32))


def test_bfloat16_that_is_only_imitated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(onednn, "_error", lambda dtype: 0.0)
    monkeypatch.setattr(onednn, "_gain", lambda: 0.2)
    assert "0.2 times as fast" in str(onednn.obstacle(torch.bfloat16))
    assert onednn.obstacle(torch.float32) is None  # that comparison is for bfloat16 alone
