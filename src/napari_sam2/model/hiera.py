"""The trunk: Hiera, a hierarchical vision transformer with windowed attention (Ryali et al. 2023)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.config import HieraConfig
from napari_sam2.model.layers import MLP, DropPath, from_windows, into_windows
from napari_sam2.model.ops import attend
from napari_sam2.model.stem import make_stem


class Hiera(nn.Module):
    """Turn an image into maps at strides 4, 8, 16 and 32.

    Parameters
    ----------
    config
        Stem, depth, widths and windows.
    """

    def __init__(self, config: HieraConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = make_stem(config)
        self.pos_embed = nn.Parameter(torch.zeros(1, config.embed_dim, *config.background_size))
        window = config.window_spec[0]
        self.pos_embed_window = nn.Parameter(torch.zeros(1, config.embed_dim, window, window))
        self.blocks = nn.ModuleList()
        self._stage_ends: list[int] = []
        depth = sum(config.stages)
        for stage, length in enumerate(config.stages):
            for position in range(length):
                index = len(self.blocks)
                first = stage > 0 and position == 0
                width = config.widths[stage]
                # A stage's first block still works on the map of the stage before, hence in its windows.
                window = config.window_spec[stage - 1 if first else stage]
                self.blocks.append(
                    HieraBlock(
                        width // 2 if first else width,
                        width,
                        heads=config.num_heads * 2**stage,
                        window=0 if index in config.global_blocks else window,
                        drop_path=config.drop_path * index / max(1, depth - 1),
                    )
                )
            self._stage_ends.append(len(self.blocks) - 1)
        self.patch_embed.initialise()

    def forward(self, pixels: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """Encode `pixels` (b, 3, s, s); the maps (b, c, h, w) come finest first."""
        x = self.patch_embed(pixels)
        x = x + self._position(x.shape[1], x.shape[2])
        maps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._stage_ends:
                maps.append(x.permute(0, 3, 1, 2))
        return maps

    def _position(self, height: int, width: int) -> Float[Tensor, "1 {height} {width} c"]:
        window = self.pos_embed_window
        background = F.interpolate(self.pos_embed.float(), size=(height, width), mode="bicubic")
        tiles = window.tile(1, 1, height // window.shape[2], width // window.shape[3])
        return (background.to(window.dtype) + tiles).permute(0, 2, 3, 1)


class HieraBlock(nn.Module):
    """Attention and MLP; where the width doubles, the map is halved by pooling the queries."""

    def __init__(self, width_in: int, width: int, heads: int, window: int, drop_path: float) -> None:
        super().__init__()
        self.window = window
        self.pools = width_in != width
        self.norm1 = nn.LayerNorm(width_in, eps=1e-6)
        self.attn = PooledAttention(width_in, width, heads, self.pools)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLP(width, 4 * width, width, depth=2, activation=F.gelu)
        if self.pools:
            self.proj = nn.Linear(width_in, width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b _ _ _"]:
        shortcut, y = x, self.norm1(x)
        if self.pools:
            # The shortcut starts from the normalised tokens, unlike in other transformers.
            shortcut = _halve(self.proj(y))
        height, width = shortcut.shape[1:3]
        if self.window:
            y, padded = into_windows(y, self.window)
            y = self.attn(y)
            pooling = 2 if self.pools else 1
            grid = (padded[0] // pooling, padded[1] // pooling)
            y = from_windows(y, self.window // pooling, grid)[:, :height, :width]
        else:
            y = self.attn(y)
        x = shortcut + self.drop_path(y)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class PooledAttention(nn.Module):
    """Self-attention over a map, its queries optionally max-pooled 2 x 2."""

    def __init__(self, width_in: int, width: int, heads: int, pools: bool) -> None:
        super().__init__()
        self.heads = heads
        self.pools = pools
        self.qkv = nn.Linear(width_in, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b _ _ _"]:
        batch, height, width, _ = x.shape
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        if self.pools:
            query = _halve(query)
            height, width = query.shape[1:3]

        def split(tokens: Tensor) -> Tensor:
            return tokens.reshape(batch, -1, self.heads, tokens.shape[-1] // self.heads).transpose(1, 2)

        y = attend(split(query), split(key), split(value))
        out: Tensor = self.proj(y.transpose(1, 2).reshape(batch, height, width, -1))
        return out


def _halve(x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h//2 w//2 c"]:
    return F.max_pool2d(x.permute(0, 3, 1, 2), kernel_size=2).permute(0, 2, 3, 1)
