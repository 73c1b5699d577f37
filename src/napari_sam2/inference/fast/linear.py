"""Linear layers whose weights are laid out for the processor, and MLPs that stay in its cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam2.model.layers import MLP
from napari_sam2_kernels.onednn import Packed, pack, product

ROWS = 1024
"""Rows of a block: a few MB, which the allocator hands out again and again instead of fetching new pages."""

_FEW = 64
"""Below so many rows (the tokens of prompts, say) there is nothing to gain: plain, in float32."""


class _Laid(NamedTuple):
    weight: Packed
    bias: Tensor | None
    stamp: tuple[object, ...]


class PackedLinear(nn.Linear):
    """A linear layer with the parameters of another, which remain what is stored and hashed.

    The packed copy is made when it is first needed, and again when the parameters have changed.
    """

    number_format: torch.dtype = torch.float32
    _laid: _Laid | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return x W^T + b, (..., out)."""
        return self.through(x)

    def through(self, x: Tensor, gelu: bool = False) -> Tensor:
        """The same, optionally through the exact GELU; in `number_format` if x has many rows."""
        rows = x.numel() // x.shape[-1]
        learns = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        if rows < _FEW or learns or x.device.type != "cpu" or self.weight.dtype is not torch.float32:
            y = F.linear(x.to(self.weight.dtype), self.weight, self.bias)
            return F.gelu(y) if gelu else y
        laid = self._current(rows)
        return product(x.to(self.number_format).contiguous(), laid.weight, laid.bias, gelu)

    def _current(self, rows: int) -> _Laid:
        version = 0 if self.weight.is_inference() else self.weight._version
        stamp = (self.weight.data_ptr(), version, self.number_format)
        laid = self._laid
        if laid is None or laid.stamp != stamp:
            weight = pack(self.weight.to(self.number_format), min(rows, ROWS))
            bias = None if self.bias is None else self.bias.detach().to(self.number_format)
            laid = self._laid = _Laid(weight, bias, stamp)
        return laid

    def __getstate__(self) -> dict[str, object]:
        """Leave the packed copy out of copies and files: only oneDNN can read it."""
        return {name: value for name, value in self.__dict__.items() if name != "_laid"}


class PackedMLP(MLP):
    """Two layers, a block of rows at a time, so that the hidden values never leave the cache."""

    layers: nn.ModuleList

    def forward(self, x: Tensor) -> Tensor:
        """Return the MLP of x, (..., out)."""
        if len(self.layers) != 2 or x.numel() // x.shape[-1] < _FEW or x.device.type != "cpu":
            return super().forward(x)
        return by_rows(self._block, x)

    def _block(self, rows: Tensor) -> Tensor:
        first, last = self.layers
        assert isinstance(first, PackedLinear)
        fused = self.activation is F.gelu
        hidden = first.through(rows, gelu=fused)
        out: Tensor = last(hidden if fused else self.activation(hidden))
        return out


def by_rows(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return `run` of x (..., c), a block of rows at a time."""
    rows = x.flatten(0, -2)
    if len(rows) <= ROWS:
        return run(x)
    # Blocks of one size: the last one must not be so small that it is computed another way.
    count = -(-len(rows) // ROWS)
    return torch.cat([run(block) for block in rows.tensor_split(count)]).unflatten(0, x.shape[:-1])
