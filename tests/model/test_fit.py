"""Where an image lies in the network's square, and the way back."""

from __future__ import annotations

import pytest
import torch

from napari_sam2.model.fit import Fit


@pytest.mark.parametrize(
    ("shape", "extent"),
    [
        ((181, 243), (191, 256)),  # 190.7
        ((256, 256), (256, 256)),
        ((1000, 10), (256, 3)),  # 2.56
        ((3000, 1), (256, 1)),  # 0.09: never nothing
        ((64, 1), (256, 4)),
        ((512, 1025), (128, 256)),  # 127.9
        ((512, 5), (256, 3)),  # 2.5 is rounded up
    ],
)
def test_extent(shape: tuple[int, int], extent: tuple[int, int]) -> None:
    assert Fit.PADDED.extent(shape, 256) == extent
    assert Fit.PADDED.extent(shape[::-1], 256) == extent[::-1]
    assert Fit.STRETCHED.extent(shape, 256) == (256, 256)


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("shape", [(64, 64), (30, 64), (64, 17), (200, 100)])
def test_a_ramp_over_the_image_comes_back_as_one(fit: Fit, shape: tuple[int, int]) -> None:
    rows, columns = fit.extent(shape, 64)
    inside = torch.zeros(1, 1, 16, 16)
    cell = 4 * torch.arange(16.0) + 1.5  # middles of the cells, in pixels of the square
    inside[0, 0] = ((cell + 0.5) / rows)[:, None] + 10 * ((cell + 0.5) / columns)[None]
    back = fit.to_image(inside, shape)[0, 0]
    assert back.shape == shape
    y, x = ((torch.arange(float(n)) + 0.5) / n for n in shape)
    expected = y[:, None] + 10 * x[None]
    # Cells at the border have no neighbour to interpolate with.
    near = (slice(shape[0] // 4, -(shape[0] // 4)), slice(shape[1] // 4, -(shape[1] // 4)))
    torch.testing.assert_close(back[near], expected[near], atol=2e-3, rtol=1e-3)


def test_what_lies_in_the_padding_is_cut_off() -> None:
    logits = torch.full((1, 1, 16, 16), -1.0)
    logits[..., 10:, :] = 5.0
    assert (Fit.PADDED.to_image(logits, (32, 64)) < 0).all()
    assert (Fit.STRETCHED.to_image(logits, (32, 64)) > 0).any()
