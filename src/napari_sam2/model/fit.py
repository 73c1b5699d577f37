"""How an image of any shape lies in the square that a network takes."""

from __future__ import annotations

from enum import Enum

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


class Fit(Enum):
    """Stretched to the whole square (SAM 2), or padded on the right and at the bottom (SAM)."""

    STRETCHED = "stretched"
    PADDED = "padded"

    def extent(self, shape: tuple[int, int], size: int) -> tuple[int, int]:
        """Return rows and columns of a square of `size` that an image of `shape` (H, W) takes.

        A padded image keeps its aspect ratio: the longer side becomes `size`, halves are rounded up.
        """
        if self is Fit.STRETCHED:
            return size, size
        scale = size / max(shape)
        height, width = (max(1, int(side * scale + 0.5)) for side in shape)
        return height, width

    def to_image(self, logits: Float[Tensor, "b m s s"], shape: tuple[int, int]) -> Float[Tensor, "b m H W"]:
        """Bring mask logits (b, m, s, s) to an image of `shape`, float32 (b, m, H, W).

        Padded ones are first enlarged to the network's square, four times their size, and cut there: straight
        from the small grid the cut would not fall on a border between cells (SAM spec 5).
        """
        logits = logits.float()
        if self is Fit.PADDED:
            size = 4 * logits.shape[-1]
            height, width = self.extent(shape, size)
            whole = F.interpolate(logits, (size, size), mode="bilinear", align_corners=False)
            logits = whole[..., :height, :width]
        return F.interpolate(logits, shape, mode="bilinear", align_corners=False)
