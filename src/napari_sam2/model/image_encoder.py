"""Image to feature maps: the trunk and its pyramid (paper section 4, image encoder; appendix D.1)."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.config import ModelConfig
from napari_sam2.model.hiera import Hiera


class ImageEncoder(nn.Module):
    """Trunk and neck; the coarsest level (stride 32) only feeds the one above it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.trunk = Hiera(config.trunk)
        self.neck = Neck(config.trunk.widths, config.width)

    def forward(self, pixels: Float[Tensor, "b 3 s s"]) -> tuple[Float[Tensor, "b c _ _"], ...]:
        """Encode `pixels` (b, 3, s, s) to maps of one width at strides 4, 8 and 16, finest first."""
        return self.neck(self.trunk(pixels))


class Neck(nn.Module):
    """A feature pyramid in which stride 32 is added to stride 16, and finer levels stay alone."""

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        # Coarsest first, as the released weights number them.
        self.convs = nn.ModuleList(nn.Conv2d(w, width, kernel_size=1) for w in reversed(widths))

    def forward(self, maps: list[Float[Tensor, "b _ _ _"]]) -> tuple[Float[Tensor, "b c _ _"], ...]:
        levels = [conv(x) for conv, x in zip(self.convs, reversed(maps), strict=True)]
        coarsest, coarse, middle, fine = levels
        coarse = coarse + F.interpolate(coarsest.float(), scale_factor=2.0, mode="nearest")
        return fine, middle, coarse
