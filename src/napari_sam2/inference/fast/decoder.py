"""The mask decoder, a few prompts at a time, and the code of its grid computed once."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from napari_sam2.model.mask_decoder import DecodedMasks, MaskDecoder
from napari_sam2.model.positions import FourierPosition
from napari_sam2.model.values import ImageEmbedding, PromptTokens, StabilityFallback

_CELLS = 2**16
"""Cells of the finest maps that are held at once: one prompt's at 1024 px, 8 MB."""


class GroupedDecoder(MaskDecoder):
    """Decodes as many prompts at once as the cache holds: maps of 16 prompts are 130 MB a step."""

    def forward(
        self,
        features: Tensor,
        embedding: ImageEmbedding,
        position: Tensor,
        prompt: PromptTokens,
        multimask: bool,
        fallback: StabilityFallback | None,
    ) -> DecodedMasks:
        """Decode a batch of prompts; see `MaskDecoder.forward`."""
        batch = max(len(prompt.sparse), len(features), len(prompt.dense))
        size = max(1, _CELLS // (16 * features.shape[-2] * features.shape[-1]))
        if batch <= size or features.device.type != "cpu":
            return super().forward(features, embedding, position, prompt, multimask, fallback)
        decode = super().forward

        def some(of: Tensor, start: int) -> Tensor:
            return of if len(of) == 1 else of[start : start + size]

        parts = [
            decode(
                some(features, start),
                ImageEmbedding(*(some(getattr(embedding, f.name), start) for f in fields(embedding))),
                position,
                PromptTokens(some(prompt.sparse, start), some(prompt.dense, start)),
                multimask,
                fallback,
            )
            for start in range(0, batch, size)
        ]
        return DecodedMasks(
            *(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(DecodedMasks))
        )


class PlacedFourier(FourierPosition):
    """Keeps the code of the last grid; it depends on nothing else."""

    _placed: tuple[tuple[int, ...], Tensor] | None = None

    def grid(self, side: int) -> Tensor:
        """Return the code of every cell centre of a square grid, (1, channels, side, side)."""
        matrix = self.positional_encoding_gaussian_matrix
        key = (side, matrix.data_ptr(), 0 if matrix.is_inference() else matrix._version)
        if self._placed is None or self._placed[0] != key:
            with torch.inference_mode(False), torch.no_grad():
                self._placed = key, super().grid(side)
        return self._placed[1]
