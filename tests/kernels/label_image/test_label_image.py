"""Logits to labels: the tie rule, odd sizes, and the Triton form against the plain one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from napari_sam2_kernels.label_image import label_image
from napari_sam2_kernels.label_image.reference import plain_label_image
from tests.kernels.conftest import DEVICE


def made(objects: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    logits = torch.randn(objects, height, width, generator=torch.Generator().manual_seed(0))
    return logits, torch.arange(objects, 0, -1) * 300


@pytest.mark.parametrize("shape", [(1, 1), (13, 7), (64, 30), (5, 4)])
@pytest.mark.parametrize("objects", [1, 2, 5])
def test_plain_equals_argmax_of_all(objects: int, shape: tuple[int, int]) -> None:
    logits, ids = made(objects, 6, 5)
    large = F.interpolate(logits[None], shape, mode="bilinear", align_corners=False)[0]
    top, index = large.max(dim=0)
    truth = torch.where(top > 0, ids[index], 0)
    found = label_image(logits, ids, shape)
    assert found.dtype == torch.int32
    assert found.tolist() == truth.tolist()


def test_the_first_of_equals_wins_and_zero_is_background() -> None:
    logits = torch.stack([torch.zeros(2, 2), torch.ones(2, 2), torch.ones(2, 2)])
    assert plain_label_image(logits, torch.tensor([1, 2, 3]), (3, 3)).unique().tolist() == [2]
    assert not plain_label_image(logits[:1], torch.tensor([1]), (3, 3)).any()
    assert not plain_label_image(logits[:0], torch.tensor([], dtype=torch.int64), (3, 3)).any()


@pytest.mark.parametrize("shape", [(1, 1), (13, 7), (64, 30), (5, 4), (6, 5)])
@pytest.mark.parametrize("objects", [1, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_triton(
    objects: int, shape: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    from napari_sam2_kernels.label_image.triton_kernel import triton_label_image

    logits, ids = (x.to(DEVICE) for x in made(objects, 6, 5))
    logits = logits.to(dtype)
    plain = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *size, **how: plain(*size, **how).fill_(-1))
    found = triton_label_image(logits, ids, shape)
    large = F.interpolate(logits[None].float(), shape, mode="bilinear", align_corners=False)[0]
    ranked = torch.cat((large, torch.zeros_like(large[:1]))).sort(dim=0, descending=True).values
    clear = ranked[0] - ranked[1] > 1e-5
    assert float(clear.float().mean()) > 0.9
    assert torch.equal(found[clear], plain_label_image(logits, ids, shape)[clear])
    assert bool((found >= 0).all())


def test_triton_settles_ties_alike() -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    from napari_sam2_kernels.label_image.triton_kernel import self_test, triton_label_image

    logits = torch.stack([torch.zeros(2, 2), torch.ones(2, 2), torch.ones(2, 2)]).to(DEVICE)
    assert triton_label_image(logits, torch.tensor([1, 2, 3]), (3, 3)).unique().tolist() == [2]
    assert not triton_label_image(logits[:1], torch.tensor([1]), (3, 3)).any()
    assert self_test(DEVICE) < 1e-3
