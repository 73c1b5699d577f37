"""SAM's image encoder: a plain vision transformer whose tokens mostly look within windows.

Kirillov et al. 2023, section 3 and appendix A; the backbone is ViTDet's (Li, Mao et al. 2022), its decomposed
relative positions are those of MViTv2 (Li, Wu et al. 2022).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.layers import MLP, LayerNorm2d, from_windows, into_windows
from napari_sam2.model.ops import attend_relative
from napari_sam2.model.sam1_config import Sam1Config

PATCH = 16
"""Side of a patch in pixels: one token."""


class ViT(nn.Module):
    """Turn an image into one map at stride 16.

    Parameters
    ----------
    config
        Width, depth, heads, windows.
    """

    def __init__(self, config: Sam1Config) -> None:
        super().__init__()
        width, grid = config.embed_dim, config.grid
        # Learnt for each cell of the grid, and never interpolated: another image size is another network.
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, width))
        self.patch_embed = Patches(width)
        self.blocks = nn.ModuleList(
            Block(
                width, config.num_heads, grid=grid, window=0 if i in config.global_blocks else config.window
            )
            for i in range(config.depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(width, config.width, kernel_size=1, bias=False),
            LayerNorm2d(config.width),
            nn.Conv2d(config.width, config.width, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(config.width),
        )

    def forward(self, pixels: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b c h w"]:
        """Encode `pixels` (b, 3, s, s) to the embedding (b, c, s / 16, s / 16)."""
        x = self.patch_embed(pixels) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        embedding: Tensor = self.neck(x.permute(0, 3, 1, 2))
        return embedding


class Patches(nn.Module):
    """Patches that do not overlap, each a token; channels last from here to the neck."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=PATCH, stride=PATCH)

    def forward(self, pixels: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b h w c"]:
        tokens: Tensor = self.proj(pixels)
        return tokens.permute(0, 2, 3, 1)


class Block(nn.Module):
    """Attention and MLP, each behind a norm; `window` 0 means the whole map."""

    def __init__(self, width: int, heads: int, grid: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = RelativeAttention(width, heads, side=window or grid)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLP(width, 4 * width, width, depth=2, activation=F.gelu)

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        y = self.norm1(x)
        if self.window:
            # The grid is filled up with zeros behind the norm. They are not masked: their keys are the bias
            # of the projection, and the released weights have learnt with them.
            windows, grid = into_windows(y, self.window)
            y = from_windows(self.attn(windows), self.window, grid)[:, : x.shape[1], : x.shape[2]]
        else:
            y = self.attn(y)
        x = x + y
        return x + self.mlp(self.norm2(x))


class RelativeAttention(nn.Module):
    """Self-attention over a square map; a key counts by its content, and by how far up and left it lies."""

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        # One row a distance, from -(side - 1) to side - 1; all heads share them.
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        height, width = x.shape[1:3]
        tokens = self.qkv(x).flatten(1, 2).unflatten(2, (3, self.heads, -1))
        query, key, value = tokens.permute(2, 0, 3, 1, 4).unbind(0)
        rows, columns = distances(self.rel_pos_h, height), distances(self.rel_pos_w, width)
        y = attend_relative(query, key, value, rows, columns)
        out: Tensor = self.proj(y.transpose(1, 2).flatten(2).unflatten(1, (height, width)))
        return out


def distances(table: Float[Tensor, "r c"], side: int) -> Float[Tensor, "{side} {side} c"]:
    """Return row `query - key + side - 1` of `table` (2 side - 1, c) for all queries and keys of a line."""
    place = torch.arange(side, device=table.device)
    return table[place[:, None] - place[None, :] + side - 1]
