"""Where things are: sine codes of maps and times, Fourier codes of prompts, rotations of attention keys."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn


@lru_cache(maxsize=32)
def sine_map(
    channels: int, height: int, width: int, device: torch.device
) -> Float[Tensor, "{channels} {height} {width}"]:
    """Return the 2-D sine position encoding, float32 (channels, height, width).

    Rows first, then columns; sine and cosine alternate; positions count from one and run to 2 pi.
    """
    with torch.inference_mode(False), torch.no_grad():
        half = channels // 2
        index = torch.arange(half, dtype=torch.float32, device=device)
        period = 10000 ** (2 * torch.div(index, 2, rounding_mode="floor") / half)

        def code(length: int) -> Tensor:
            position = torch.arange(1, length + 1, dtype=torch.float32, device=device)
            angle = (position / (position[-1] + 1e-6) * 2 * math.pi)[:, None] / period
            return torch.stack((angle[:, 0::2].sin(), angle[:, 1::2].cos()), dim=2).flatten(1)

        rows = code(height)[:, None, :].expand(height, width, half)
        columns = code(width)[None, :, :].expand(height, width, half)
        return torch.cat((rows, columns), dim=2).permute(2, 0, 1).contiguous()


def sine_times(times: Float[Tensor, k], channels: int) -> Float[Tensor, "k {channels}"]:
    """Return the 1-D sine encoding of `times` (k,), float32 (k, channels): all sines, then all cosines."""
    half = channels // 2
    index = torch.arange(half, dtype=torch.float32, device=times.device)
    period = 10000 ** (2 * torch.div(index, 2, rounding_mode="floor") / half)
    angle = times.float()[:, None] / period
    return torch.cat((angle.sin(), angle.cos()), dim=-1)


class FourierPosition(nn.Module):
    """Random-Fourier code of points in the unit square (Tancik et al. 2020), as in SAM's prompt encoder."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, channels // 2))

    def forward(self, points: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n c"]:
        """Encode `points` (..., 2), (x, y) in [0, 1], as float32 (..., channels)."""
        matrix = self.positional_encoding_gaussian_matrix.float()
        with torch.autocast(points.device.type, enabled=False):  # a click needs more digits than bfloat16 has
            angle = 2 * math.pi * ((2 * points.float() - 1) @ matrix)
        return torch.cat((angle.sin(), angle.cos()), dim=-1)

    def grid(self, side: int) -> Float[Tensor, "1 c {side} {side}"]:
        """Return the code of every cell centre of a square grid, (1, channels, side, side)."""
        device = self.positional_encoding_gaussian_matrix.device
        centre = (torch.arange(side, dtype=torch.float32, device=device) + 0.5) / side
        y, x = torch.meshgrid(centre, centre, indexing="ij")
        return self(torch.stack((x, y), dim=-1)).permute(2, 0, 1)[None]


@lru_cache(maxsize=16)
def rotary_table(channels: int, side: int, device: torch.device) -> Complex[Tensor, "n pairs"]:
    """Return axial rotations for a square grid, complex64 (side * side, channels / 2); x first, then y."""
    with torch.inference_mode(False), torch.no_grad():
        rate = 10000 ** (-4 * torch.arange(channels // 4, dtype=torch.float32, device=device) / channels)
        token = torch.arange(side * side, device=device)
        x = (token % side).float()[:, None] * rate
        y = torch.div(token, side, rounding_mode="floor").float()[:, None] * rate
        angle = torch.cat((x, y), dim=-1)
        return torch.polar(torch.ones_like(angle), angle)


def rotate(tokens: Float[Tensor, "*b n c"], table: Complex[Tensor, "n pairs"]) -> Float[Tensor, "*b n c"]:
    """Rotate adjacent channel pairs of `tokens` (..., n, c) by `table` (n, c / 2), in float32."""
    pairs = torch.view_as_complex(tokens.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * table).flatten(-2).to(tokens.dtype)
