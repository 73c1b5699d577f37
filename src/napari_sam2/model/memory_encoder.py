"""A frame and its mask as a memory (paper section 4, memory encoder)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.config import ModelConfig
from napari_sam2.model.layers import LayerNorm2d


class MemoryEncoder(nn.Module):
    """Add a shrunken mask to the image features and mix them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.mask_downsampler = MaskDownsampler(width)
        self.pix_feat_proj = nn.Conv2d(width, width, kernel_size=1)
        self.fuser = Fuser(width, config.fuser_layers)
        self.out_proj = nn.Conv2d(width, config.memory_width, kernel_size=1)

    def forward(
        self, features: Float[Tensor, "#b c h w"], mask: Float[Tensor, "b 1 s s"]
    ) -> Float[Tensor, "b v h w"]:
        """Encode `features` (b or 1, c, h, w) with `mask` (b, 1, 16 h, 16 w), scaled to -10..10."""
        x = self.pix_feat_proj(features) + self.mask_downsampler(mask)
        out: Tensor = self.out_proj(self.fuser(x))
        return out


class MaskDownsampler(nn.Module):
    """Four strided convolutions from one channel to 256, then a projection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (1, 4, 16, 64):
            layers += [
                nn.Conv2d(channels, 4 * channels, kernel_size=3, stride=2, padding=1),
                LayerNorm2d(4 * channels),
                nn.GELU(),
            ]
        layers.append(nn.Conv2d(256, width, kernel_size=1))
        self.encoder = nn.Sequential(*layers)

    def forward(self, mask: Float[Tensor, "b 1 s s"]) -> Float[Tensor, "b c h w"]:
        out: Tensor = self.encoder(mask)
        return out


class Fuser(nn.Module):
    """ConvNeXt blocks in a row."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ConvNeXtBlock(width) for _ in range(depth))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        for layer in self.layers:
            x = layer(x)
        return x


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution and a pointwise MLP with a learned, at first tiny, share (Liu et al. 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, kernel_size=7, padding=3, groups=width)
        self.norm = LayerNorm2d(width)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.pwconv2 = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        y = self.norm(self.dwconv(x)).permute(0, 2, 3, 1)
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)
