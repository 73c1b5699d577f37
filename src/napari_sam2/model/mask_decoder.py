"""Prompt tokens and image features to masks (paper section 4, mask decoder; appendix D.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.layers import MLP, LayerNorm2d
from napari_sam2.model.two_way import TwoWayTransformer
from napari_sam2.model.values import ImageEmbedding, PromptTokens, StabilityFallback


@dataclass(frozen=True, slots=True)
class DecodedMasks:
    """Logits (b, m, h, w), predicted IoU (b, m), tokens (b, m or 1, c) and object score (b, 1 or 0)."""

    logits: Float[Tensor, "b m h w"]
    iou: Float[Tensor, "b m"]
    tokens: Float[Tensor, "b _ c"]
    object_score: Float[Tensor, "b 1"] | Float[Tensor, "b 0"]


class MaskDecoder(nn.Module):
    """Predict one mask and three alternatives for every prompt.

    Parameters
    ----------
    width, heads, hidden, iou_hidden
        Channels, heads of the attention, and hidden channels of the transformer and of the IoU's head.
    video
        With what SAM 2 added to SAM: the object score, the two finer maps, and an IoU kept within 0 and 1.
    """

    def __init__(
        self, width: int, heads: int = 8, hidden: int = 2048, iou_hidden: int = 256, video: bool = True
    ) -> None:
        super().__init__()
        self.video = video
        self.transformer = TwoWayTransformer(width, heads, hidden)
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(4, width)
        if video:
            self.obj_score_token = nn.Embedding(1, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, kernel_size=2, stride=2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        if video:
            self.conv_s0 = nn.Conv2d(width, width // 8, kernel_size=1)
            self.conv_s1 = nn.Conv2d(width, width // 4, kernel_size=1)
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(width, width, width // 8, depth=3) for _ in range(4)
        )
        self.iou_prediction_head = MLP(width, iou_hidden, 4, depth=3)
        if video:
            self.pred_obj_score_head = MLP(width, width, 1, depth=3)

    def forward(
        self,
        features: Float[Tensor, "#b c h w"],
        embedding: ImageEmbedding,
        position: Float[Tensor, "1 c h w"],
        prompt: PromptTokens,
        multimask: bool,
        fallback: StabilityFallback | None,
    ) -> DecodedMasks:
        """Decode a batch of prompts.

        Parameters
        ----------
        features
            (b or 1, c, h, w): what the tokens look at; conditioned on memory or not.
        embedding
            Gives the two finer maps, (b or 1, ...), where the network uses them.
        position
            (1, c, h, w) code of every cell.
        prompt
            Tokens (b, n, c).
        multimask
            Whether to return the three alternatives instead of the single mask.
        fallback
            When the single mask may be replaced by the best alternative; None for never.
        """
        own = torch.cat((self.iou_token.weight, self.mask_tokens.weight))
        if self.video:
            own = torch.cat((self.obj_score_token.weight, own))
        batch = max(len(prompt.sparse), len(features), len(prompt.dense))
        sparse = prompt.sparse.expand(batch, -1, -1)
        tokens = torch.cat((own.expand(batch, -1, -1), sparse), dim=1)
        source = features + prompt.dense
        height, width = source.shape[-2:]
        tokens, image = self.transformer(
            tokens, source.flatten(2).transpose(1, 2), position.flatten(2).transpose(1, 2)
        )
        score_tokens, iou_tokens, mask_tokens, _ = tokens.tensor_split(
            (len(own) - 5, len(own) - 4, len(own)), 1
        )
        logits = self._masks(image.transpose(1, 2).unflatten(2, (height, width)), embedding, mask_tokens)
        iou = self.iou_prediction_head(iou_tokens[:, 0])
        object_score = iou[:, :0]
        if self.video:
            iou, object_score = iou.sigmoid(), self.pred_obj_score_head(score_tokens[:, 0])
        if multimask:
            return DecodedMasks(logits[:, 1:], iou[:, 1:], mask_tokens[:, 1:], object_score)
        single, single_iou = logits[:, :1], iou[:, :1]
        if fallback is not None:
            stable = _stability(single, fallback.delta) >= fallback.threshold
            best = iou[:, 1:].argmax(dim=1, keepdim=True) + 1
            index = torch.where(stable, 0, best)
            single = logits.gather(1, index[..., None, None].expand(-1, -1, *logits.shape[2:]))
            single_iou = iou.gather(1, index)
        # The token stays the single mask's, whichever mask was taken.
        return DecodedMasks(single, single_iou, mask_tokens[:, :1], object_score)

    def _masks(
        self, image: Float[Tensor, "b c h w"], embedding: ImageEmbedding, mask_tokens: Float[Tensor, "b 4 c"]
    ) -> Float[Tensor, "b 4 4*h 4*w"]:
        first, norm, _, second, _ = self.output_upscaling
        x = first(image)
        x = F.gelu(norm(x + embedding.middle if self.video else x))
        x = second(x)
        x = F.gelu(x + embedding.fine if self.video else x)
        weights = torch.stack(
            [mlp(mask_tokens[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], dim=1
        )
        return (weights @ x.flatten(2)).unflatten(2, x.shape[-2:])


def _stability(logits: Float[Tensor, "b 1 h w"], delta: float) -> Float[Tensor, "b 1"]:
    """Share of the area at a low threshold that remains at a high one, (b, 1); empty masks are stable."""
    inner = (logits > delta).flatten(2).sum(-1).float()
    outer = (logits > -delta).flatten(2).sum(-1).float()
    return torch.where(outer > 0, inner / outer, 1.0)
