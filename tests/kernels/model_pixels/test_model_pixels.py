"""Raw pixels to model input: the plain form against the program's own, the Triton form against that."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.inference.pixels import to_model_pixels
from napari_sam2_kernels.model_pixels import model_pixels
from napari_sam2_kernels.model_pixels.reference import plain_model_pixels
from tests.kernels.conftest import DEVICE


def made(height: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    raw = torch.randint(0, 120, (height, width), generator=torch.Generator().manual_seed(0))
    return raw.to(dtype).to(DEVICE)


SHAPES = [(1, 1), (16, 16), (40, 23), (5, 64), (100, 7), (17, 33)]


@pytest.mark.parametrize("shape", SHAPES)
def test_plain_equals_the_way_of_the_program(shape: tuple[int, int]) -> None:
    raw = made(*shape, torch.int16)
    grey = np.clip((raw.cpu().numpy() - 20) / 80, 0, 1)
    truth = to_model_pixels(np.repeat(grey[..., None], 3, axis=2), 16, torch.device("cpu"))
    found = model_pixels(raw, 20.0, 100.0, 16)
    torch.testing.assert_close(found.cpu(), truth, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.uint16, torch.int32, torch.float32])
def test_triton(shape: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    from napari_sam2_kernels.model_pixels.triton_kernel import triton_model_pixels

    raw = made(*shape, dtype)
    truth = plain_model_pixels(raw, 20.0, 100.0, 16)
    plain = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *size, **how: plain(*size, **how).fill_(torch.nan))
    found = triton_model_pixels(raw, 20.0, 100.0, 16)
    torch.testing.assert_close(found, truth, atol=1e-4, rtol=1e-4)


def test_triton_in_bfloat16() -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    from napari_sam2_kernels.model_pixels.triton_kernel import self_test, triton_model_pixels

    raw = made(40, 23, torch.uint8)
    found = triton_model_pixels(raw, 20.0, 100.0, 16, torch.bfloat16)
    assert found.dtype == torch.bfloat16
    truth = plain_model_pixels(raw, 20.0, 100.0, 16, torch.bfloat16)
    torch.testing.assert_close(found, truth, atol=0.02, rtol=0.01)
    assert self_test(DEVICE) < 1e-4
