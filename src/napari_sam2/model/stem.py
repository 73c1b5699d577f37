"""The trunk's first layers: pixels to tokens at stride 4, by patches or by stacked small convolutions."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.config import HieraConfig

EPS = 1e-5  # keeps batch norm from dividing by zero; folding has to use the same


def make_stem(config: HieraConfig) -> PatchEmbed | ConvStem:
    """Return the stem that the configuration asks for; its weights are not yet initialised."""
    if config.stem == "patchify":
        return PatchEmbed(config.embed_dim)
    return ConvStem(config.stem_widths, config.embed_dim, folded=config.stem == "folded")


class PatchEmbed(nn.Module):
    """Overlapping patches of 7 x 7 at stride 4."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=7, stride=4, padding=3)

    def initialise(self) -> None:
        """Draw the first weights, as the reference does."""
        nn.init.trunc_normal_(self.proj.weight, std=0.02)

    def forward(self, pixels: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b h w c"]:
        """Return tokens on their grid, (b, h, w, c)."""
        tokens: Tensor = self.proj(pixels)
        return tokens.permute(0, 2, 3, 1)


class ConvStem(nn.Module):
    """Stacked 3 x 3 convolutions and a last 1 x 1 (Xiao et al. 2021, section 3 and appendix).

    A layer that changes the width halves the map, one that keeps the width keeps the size; two of them halve.
    Two layers look at exactly the 7 x 7 pixels that `PatchEmbed` looks at.

    Parameters
    ----------
    widths
        Channels after each 3 x 3 convolution.
    width
        Channels of the tokens.
    folded
        Each convolution has a bias instead of the batch norm behind it: `napari_sam2.model.weights.fold_stem`
        turns the weights of the one into those of the other.
    """

    def __init__(self, widths: tuple[int, ...], width: int, folded: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ConvLayer(before, after, stride=1 if before == after else 2, folded=folded)
            for before, after in pairwise((3, *widths))
        )
        # Not "proj": released weights are recognised by their patches' key.
        self.out = nn.Conv2d(widths[-1], width, kernel_size=1)

    def initialise(self) -> None:
        """Draw the first weights: He's for what a ReLU follows, unit gain for the last layer."""
        for module in self.modules():
            if not isinstance(module, nn.Conv2d):
                continue
            if module is self.out:
                nn.init.trunc_normal_(module.weight, std=sqrt(1 / module.in_channels))
            else:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, pixels: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b h w c"]:
        """Return tokens on their grid, (b, h, w, c)."""
        x = pixels
        for layer in self.layers:
            x = layer(x)
        tokens: Tensor = self.out(x)
        return tokens.permute(0, 2, 3, 1)


class ConvLayer(nn.Module):
    """A 3 x 3 convolution, batch norm unless it is folded into the convolution, and ReLU."""

    def __init__(self, before: int, after: int, stride: int, folded: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1, bias=folded)
        self.norm = None if folded else nn.BatchNorm2d(after, eps=EPS)

    def forward(self, x: Float[Tensor, "b _ _ _"]) -> Float[Tensor, "b _ _ _"]:
        y = self.conv(x)
        return F.relu(y if self.norm is None else self.norm(y))
