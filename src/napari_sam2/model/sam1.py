"""SAM (Kirillov et al. 2023): encode, prompt, decode; one image at a time, no memory.

The parts that SAM 2 took over are the same files; what it added is switched off. What differs is the image
encoder (`vit.py`), the token behind a box, and the head that predicts the overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from napari_sam2.model import sam1_weights, weights
from napari_sam2.model.capabilities import Capabilities
from napari_sam2.model.fit import Fit
from napari_sam2.model.mask_decoder import MaskDecoder
from napari_sam2.model.prompt_encoder import PromptEncoder
from napari_sam2.model.sam1_config import Sam1Config
from napari_sam2.model.values import ImageEmbedding, MaskPrediction, PromptTokens, StabilityFallback
from napari_sam2.model.vit import ViT


class SAM1(nn.Module):
    """The network.

    Parameters
    ----------
    config
        A row of the table in `sam1_config.py`, or one of your own.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        tracks=False,
        judges_presence=False,
        falls_back=False,
        fit=Fit.PADDED,
        mask_logit=6.9068,  # log(0.999 / 0.001), as in micro-sam; SAM itself takes no drawn masks
        mask_limit=inf,
    )

    def __init__(self, config: Sam1Config) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ViT(config)
        self.prompt_encoder = PromptEncoder(config, closes_boxes=False)
        self.mask_decoder = MaskDecoder(
            config.width, config.decoder_heads, config.decoder_hidden, config.iou_hidden, video=False
        )

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return self.image_encoder.pos_embed.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the weights."""
        return self.image_encoder.pos_embed.dtype

    def encode(self, pixels: Float[Tensor, "b 3 s s"]) -> ImageEmbedding:
        """Encode `pixels` (b, 3, s, s), normalised, then padded; the finer maps of the result are empty."""
        features = self.image_encoder(pixels.to(self.dtype))
        nothing = features.new_zeros(len(features), 0, 0, 0)
        return ImageEmbedding(features, nothing, nothing)

    def prompt(
        self,
        points: Float[Tensor, "b p 2"] | None,
        labels: Int[Tensor, "b p"] | None,
        mask_logits: Float[Tensor, "#b 1 h w"] | None,
    ) -> PromptTokens:
        """Encode prompts, all with a box or all without one; see `PromptEncoder.forward`."""
        tokens: PromptTokens = self.prompt_encoder(points, labels, mask_logits)
        return tokens

    def recall(self, embedding: ImageEmbedding, slots: None = None) -> Float[Tensor, "b c h w"]:
        """Return the features as they are: there is no memory, nor a mark for its absence."""
        return embedding.features

    def decode(
        self,
        features: Float[Tensor, "#b c h w"],
        embedding: ImageEmbedding,
        prompt: PromptTokens,
        multimask: bool,
        fallback: StabilityFallback | None = None,
    ) -> MaskPrediction:
        """Predict masks for a batch of prompts on one image.

        Parameters
        ----------
        features
            What `recall` returned, (b or 1, c, h, w).
        embedding
            Not looked at: the network has no finer maps.
        prompt
            What `prompt` returned.
        multimask
            Three alternatives (for a single ambiguous click) instead of one mask.
        fallback
            Whether and when an unstable single mask gives way to an alternative; the reference never does it.

        Returns
        -------
        MaskPrediction
            Without object score and pointer: both are empty. The predicted overlaps may leave [0, 1].
        """
        position = self.prompt_encoder.pe_layer.grid(features.shape[-1]).to(features.dtype)
        masks = self.mask_decoder(features, embedding, position, prompt, multimask, fallback)
        pointer = masks.iou.new_zeros(len(masks.iou), 1, 0)
        return MaskPrediction(
            masks.logits.float(),
            masks.iou.float(),
            masks.object_score.float(),
            pointer,
            fit=self.capabilities.fit,
        )

    def load_official(self, state_dict: Mapping[str, Tensor]) -> None:
        """Load weights under the reference's names; every key and shape must fit.

        Tables of relative positions may have another length, and adapters (LoRA) are merged.

        Raises
        ------
        CheckpointError
            Naming what does not fit; the network is then unchanged.
        """
        state = sam1_weights.fit_tables(sam1_weights.merged(state_dict), self.to_official())
        weights.load(self, state, sam1_weights.official_name, "SAM ViT-B, ViT-L and ViT-H differ")

    def to_official(self) -> dict[str, Tensor]:
        """Return the weights under the reference's names, in its order of keys."""
        return weights.to_official(self, sam1_weights.official_name)
