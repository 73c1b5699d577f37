"""Holes: the plain form against scipy, the Triton form against both."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from napari_sam2_kernels.holes import fill_holes
from napari_sam2_kernels.holes.reference import plain_components, plain_fill_holes
from tests.kernels.conftest import DEVICE

EIGHT = np.ones((3, 3), dtype=bool)


def truth(logits: Tensor, area: int) -> np.ndarray:
    """Islands of at most `area` pixels, found by scipy."""
    out = logits.cpu().numpy().copy()
    for own in out:
        labels, _ = ndimage.label(own <= 0, structure=EIGHT)
        small = np.bincount(labels.ravel()) <= area
        small[0] = False
        own[small[labels]] = np.float32(0.1)
    return out


def spiral(side: int) -> Tensor:
    """A way of one pixel's width that winds to the middle: the hardest that can be for spreading labels."""
    field = torch.ones(side, side)
    row, column, down, right = 0, -1, 0, 1
    for turn in range(2 * side):
        steps = 0
        while True:
            ahead, beside = row + 2 * down, column + 2 * right
            clear = not (0 <= ahead < side and 0 <= beside < side) or field[ahead, beside] > 0
            if not (0 <= row + down < side and 0 <= column + right < side) or not clear:
                break
            row, column, steps = row + down, column + right, steps + 1
            field[row, column] = -1
        if turn and not steps:
            break
        down, right = right, -down
    return field


def fields() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    checks = torch.ones(9, 12)
    checks[::2, ::2] = -1
    checks[1::2, 1::2] = -1
    return {
        "noise": torch.randn(2, 9, 13, generator=generator) + 0.3,
        "sparse": torch.randn(1, 14, 15, generator=generator) + 0.9,
        "one pixel": torch.tensor([[[-1.0]], [[1.0]]]),
        "one row": torch.tensor([[[-1.0, 1, -1, -1, 1, -1, -1, -1]]]),
        "all inside": torch.ones(1, 5, 6),
        "all outside": -torch.ones(2, 5, 6),
        "zero is outside": torch.zeros(1, 4, 4),
        "diagonal": checks[None],
        "spiral": spiral(21)[None],
    }


def test_the_spiral_is_one_way() -> None:
    way = spiral(21) <= 0
    assert 100 < int(way.sum()) < 300
    assert ndimage.label(way.numpy(), structure=EIGHT)[1] == 1


@pytest.mark.parametrize("name", fields())
@pytest.mark.parametrize("area", [0, 1, 3, 1000])
def test_plain_equals_scipy(name: str, area: int) -> None:
    logits = fields()[name]
    np.testing.assert_array_equal(fill_holes(logits, area).numpy(), truth(logits, area))


def test_components_bear_their_smallest_pixel() -> None:
    mask = torch.tensor([[[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]]], dtype=torch.bool)
    assert plain_components(mask).tolist() == [[[0, -1, 0], [-1, 0, -1], [-1, -1, -1], [9, 9, 9]]]


@pytest.mark.parametrize("name", fields())
@pytest.mark.parametrize(("area", "pixels"), [(0, 128), (1, 128), (3, 128), (3, 32), (1000, 128)])
def test_triton(name: str, area: int, pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    from napari_sam2_kernels.holes import triton_kernel

    def poisoned(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def run(*given: object, **how: object) -> Tensor:
            made = make(*given, **how)
            return made.fill_(torch.nan if made.is_floating_point() else -99)

        return run

    monkeypatch.setattr(triton_kernel, "_PIXELS", pixels)
    logits = fields()[name].to(DEVICE)
    wanted = truth(logits, area)
    monkeypatch.setattr(torch, "empty", poisoned(torch.empty))
    monkeypatch.setattr(torch, "empty_like", poisoned(torch.empty_like))
    found = triton_kernel.triton_fill_holes(logits, area)
    np.testing.assert_array_equal(found.cpu().numpy(), wanted)


def test_self_test() -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    from napari_sam2_kernels.holes.triton_kernel import self_test

    assert self_test(DEVICE) == 0
    logits = fields()["noise"]
    assert float((plain_fill_holes(logits, 3) - logits).abs().max()) > 0
