"""Many prompts on one embedding, ours beside `transformers`': one click each, three masks each."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import Sam2VideoModel

from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import ImageEmbedding


class Prompts:
    """Clicks on one image, and the logits that they lead to.

    Parameters
    ----------
    count
        How many.
    side
        Of the square that the networks see.
    """

    def __init__(self, count: int, side: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.points = torch.rand(count, 1, 2, generator=generator) * side
        self.labels = torch.ones(count, 1, dtype=torch.long)

    def ours(self, model: SAM2, embedding: ImageEmbedding, features: Tensor) -> Tensor:
        """Return logits (count, 3, h, w)."""
        tokens = model.prompt(self.points, self.labels, None)
        return model.decode(features, embedding, tokens, multimask=True).logits

    def theirs(self, model: Sam2VideoModel, embedding: ImageEmbedding, features: Tensor) -> Tensor:
        """Return logits (count, 3, h, w)."""
        sparse, dense = model.prompt_encoder(self.points[None], self.labels[None], None, None)
        logits, *_ = model.mask_decoder(
            image_embeddings=features,
            image_positional_embeddings=model.get_image_wide_positional_embeddings(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
            high_resolution_features=[embedding.fine, embedding.middle],
        )
        found: Tensor = logits[0]
        return found
