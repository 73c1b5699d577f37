"""The pyramid and what the mask decoder makes of its finer levels, as one product a level."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam2.inference.fast.linear import by_rows
from napari_sam2.model.image_encoder import ImageEncoder
from napari_sam2_kernels.onednn import Packed, pack, product


class _Level(NamedTuple):
    weight: Packed
    bias: Tensor
    stamp: tuple[object, ...]


class MergedEncoder(ImageEncoder):
    """An image encoder whose finer maps are those that the mask decoder wants.

    Two 1 x 1 convolutions in a row, nothing between them, are one:
    W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2).
    The map of 256 channels at stride 4, the largest of all, is never made.
    """

    number_format: torch.dtype = torch.float32
    finish: tuple[nn.Conv2d, nn.Conv2d]
    """The decoder's convolutions of the finest and the middle level."""
    _levels: tuple[_Level, ...] = ()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return the finest and the middle map as the decoder wants them, and the coarse one."""
        if pixels.device.type != "cpu" or pixels.dtype is not torch.float32:
            fine, middle, coarse = super().forward(pixels)
            return self.finish[0](fine), self.finish[1](middle), coarse
        maps = self.trunk(pixels)
        fine, middle, coarse, coarsest = (
            self._product(level, x) for level, x in zip(self._current(), maps, strict=True)
        )
        return fine, middle, coarse + F.interpolate(coarsest, scale_factor=2.0, mode="nearest")

    def _product(self, level: _Level, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1).contiguous()
        y = by_rows(lambda r: product(r.to(self.number_format), level.weight, level.bias).float(), rows)
        return y.permute(0, 3, 1, 2)

    def _current(self) -> tuple[_Level, ...]:
        neck = tuple(reversed(self.neck.convs))
        convs = (*neck, *self.finish)
        stamp = (
            self.number_format,
            *(
                (p.data_ptr(), 0 if p.is_inference() else p._version)
                for conv in convs
                for p in conv.parameters()
            ),
        )
        if not self._levels or self._levels[0].stamp != stamp:
            last: tuple[nn.Conv2d | None, ...] = (*self.finish, None, None)
            self._levels = tuple(
                _Level(pack(weight.to(self.number_format), 1024), bias.to(self.number_format), stamp)
                for weight, bias in map(_merged, neck, last)
            )
        return self._levels

    def __getstate__(self) -> dict[str, object]:
        """Leave the packed copies out of copies and files: only oneDNN can read them."""
        return {name: value for name, value in self.__dict__.items() if name != "_levels"}


class Applied(nn.Conv2d):
    """A convolution that `MergedEncoder` has already applied; it keeps its parameters."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        return x


@torch.no_grad()
def _merged(first: nn.Module, last: nn.Conv2d | None) -> tuple[Tensor, Tensor]:
    """Weight (out, in) and bias (out,) of one or two 1 x 1 convolutions, multiplied in float64."""
    assert isinstance(first, nn.Conv2d) and first.bias is not None
    weight, bias = first.weight[..., 0, 0].double(), first.bias.double()
    if last is not None:
        assert last.bias is not None
        second = last.weight[..., 0, 0].double()
        weight, bias = second @ weight, second @ bias + last.bias.double()
    return weight.float(), bias.float()
