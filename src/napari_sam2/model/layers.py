"""Small building blocks that several stages share."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of a map (b, c, h, w)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        y = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return y.permute(0, 3, 1, 2)


class MLP(nn.Module):
    """Linear layers with an activation between them, none after the last."""

    def __init__(
        self,
        channels: int,
        hidden: int,
        out: int,
        depth: int,
        activation: Callable[[Tensor], Tensor] = F.relu,
    ) -> None:
        super().__init__()
        widths = (channels, *([hidden] * (depth - 1)), out)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.activation = activation

    def forward(self, x: Float[Tensor, "*n _"]) -> Float[Tensor, "*n _"]:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        last: Tensor = self.layers[-1](x)
        return last


class DropPath(nn.Module):
    """Stochastic depth: in training, drop a residual branch for whole samples."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, b * n]) -> Float[Tensor, b * n]:
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask / keep


def into_windows(
    x: Float[Tensor, "b h w c"], size: int
) -> tuple[Float[Tensor, "n {size} {size} c"], tuple[int, int]]:
    """Cut maps into square windows, filled up with zeros on the right and at the bottom.

    Returns windows (n, size, size, c), row by row and map by map, and the sides of the filled grid.
    """
    batch, height, width, channels = x.shape
    down, right = -height % size, -width % size
    if down or right:
        x = F.pad(x, (0, 0, 0, right, 0, down))
    rows, columns = (height + down) // size, (width + right) // size
    x = x.view(batch, rows, size, columns, size, channels).transpose(2, 3)
    return x.reshape(-1, size, size, channels), (height + down, width + right)


def from_windows(
    windows: Float[Tensor, "n s s c"], size: int, grid: tuple[int, int]
) -> Float[Tensor, "b {grid[0]} {grid[1]} c"]:
    """Put windows back together to maps of the sides `grid`."""
    rows, columns = grid[0] // size, grid[1] // size
    x = windows.view(-1, rows, columns, size, size, windows.shape[-1]).transpose(2, 3)
    return x.reshape(-1, grid[0], grid[1], windows.shape[-1])
