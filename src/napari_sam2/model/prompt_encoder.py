"""Clicks, boxes and masks as tokens (SAM, section 3; SAM 2 keeps it)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from napari_sam2.errors import PromptError
from napari_sam2.model.config import ModelConfig
from napari_sam2.model.layers import LayerNorm2d
from napari_sam2.model.positions import FourierPosition
from napari_sam2.model.sam1_config import Sam1Config
from napari_sam2.model.values import PromptTokens

PADDING, NEGATIVE, POSITIVE, BOX_START, BOX_END = -1, 0, 1, 2, 3
"""Labels of points: none, beside the object, on it, upper left and lower right corner of a box."""


class PromptEncoder(nn.Module):
    """Encode prompts given in pixels of the model's square input.

    Parameters
    ----------
    config
        Gives width and sizes.
    closes_boxes
        Whether a "no point" token follows a box, too, as in SAM 2; in SAM it follows clicks alone.
    """

    def __init__(self, config: ModelConfig | Sam1Config, closes_boxes: bool = True) -> None:
        super().__init__()
        self.closes_boxes = closes_boxes
        width = config.width
        self.image_size = config.image_size
        self.mask_size = config.mask_size
        self.pe_layer = FourierPosition(width)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, 4, kernel_size=2, stride=2),
            LayerNorm2d(4),
            nn.GELU(),
            nn.Conv2d(4, 16, kernel_size=2, stride=2),
            LayerNorm2d(16),
            nn.GELU(),
            nn.Conv2d(16, width, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, width)

    def forward(
        self,
        points: Float[Tensor, "b p 2"] | None,
        labels: Int[Tensor, "b p"] | None,
        mask_logits: Float[Tensor, "#b 1 h w"] | None,
    ) -> PromptTokens:
        """Encode a batch of prompts.

        Parameters
        ----------
        points
            (b, p, 2), (x, y) in model pixels; None for no tokens at all.
        labels
            (b, p): `PADDING`, `NEGATIVE`, `POSITIVE`, `BOX_START` or `BOX_END`.
        mask_logits
            (b, 1, h, w), resized to a quarter of the input where it has another size; None for no mask.
        """
        weight = self.no_mask_embed.weight
        if points is None or labels is None:
            batch = 1 if mask_logits is None else len(mask_logits)
            sparse = weight.new_zeros(batch, 0, weight.shape[1])
        else:
            sparse = self._points(points, labels)
        if mask_logits is None:
            side = self.image_size // 16
            return PromptTokens(sparse, weight[..., None, None].expand(1, -1, side, side))
        mask = mask_logits.float()
        if mask.shape[-2:] != (self.mask_size, self.mask_size):
            mask = F.interpolate(mask, (self.mask_size, self.mask_size), mode="bilinear", antialias=True)
        return PromptTokens(sparse, self.mask_downscaling(mask.to(weight.dtype)))

    def _points(self, points: Float[Tensor, "b p 2"], labels: Int[Tensor, "b p"]) -> Float[Tensor, "b _ c"]:
        code = self.pe_layer((points.float() + 0.5) / self.image_size)
        table = torch.cat(list(self.point_embeddings.parameters()))
        sparse = code + table[labels.clamp(min=0)]
        nothing = self.not_a_point_embed.weight
        sparse = torch.where((labels == PADDING)[..., None], nothing, sparse)
        boxed = (labels == BOX_START).any(dim=1)
        if not self.closes_boxes and boxed.any():
            if not boxed.all():
                raise PromptError(
                    "Prompts with a box and without one go to this network one after the other."
                )
            return sparse.to(nothing.dtype)
        # A "no point" token closes the list.
        closed = torch.cat((sparse, nothing.expand(len(sparse), 1, -1).to(sparse.dtype)), dim=1)
        return closed.to(nothing.dtype)
