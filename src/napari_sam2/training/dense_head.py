"""An auxiliary task on the finest features: a scaffold for training that is not shipped."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class DenseHead(nn.Module):
    """Foreground and boundary from the finest features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(width, 3, kernel_size=1)

    def loss(self, fine: Tensor, classes: Tensor) -> Tensor:
        """Cross-entropy of `fine` (b, c, h, w) against `classes` (b, 4 h, 4 w): 0, 1, 2; -1 is unknown."""
        logits = self.proj(fine).float()
        # Two pixels from the corner is the middle of a cell of four.
        target = classes[:, 2::4, 2::4].long()
        if not (target >= 0).any():
            return logits.sum() * 0
        return F.cross_entropy(logits, target, ignore_index=-1)
