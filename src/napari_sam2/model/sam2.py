"""SAM 2 (Ravi et al. 2025): encode, decode, recall, memorize; no state and no policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from napari_sam2.model import weights
from napari_sam2.model.capabilities import Capabilities
from napari_sam2.model.config import ModelConfig
from napari_sam2.model.fit import Fit
from napari_sam2.model.image_encoder import ImageEncoder
from napari_sam2.model.layers import MLP
from napari_sam2.model.mask_decoder import MaskDecoder
from napari_sam2.model.memory_attention import MemoryAttention
from napari_sam2.model.memory_encoder import MemoryEncoder
from napari_sam2.model.positions import sine_map, sine_times
from napari_sam2.model.prompt_encoder import PADDING, PromptEncoder
from napari_sam2.model.values import (
    FrameMemory,
    ImageEmbedding,
    MaskPrediction,
    MemorySlots,
    PromptTokens,
    StabilityFallback,
)


class SAM2(nn.Module):
    """The network.

    Parameters
    ----------
    config
        A row of the table in `config.py`, or what `ModelConfig.from_official` read.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        tracks=True,
        judges_presence=True,
        falls_back=True,
        fit=Fit.STRETCHED,
        mask_logit=10.0,
        mask_limit=32.0,
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width, memory_width = config.width, config.memory_width
        self.image_encoder = ImageEncoder(config)
        self.prompt_encoder = PromptEncoder(config)
        self.mask_decoder = MaskDecoder(width)
        self.memory_attention = MemoryAttention(config)
        self.memory_encoder = MemoryEncoder(config)
        self.mask_downsample = nn.Conv2d(1, 1, kernel_size=4, stride=4)
        self.obj_ptr_proj = MLP(width, width, width, depth=3)
        self.maskmem_tpos_enc = nn.Parameter(torch.zeros(config.num_maskmem, 1, 1, memory_width))
        self.no_mem_embed = nn.Parameter(torch.zeros(1, 1, width))
        # Never read; released checkpoints hold it and expect it.
        self.no_mem_pos_enc = nn.Parameter(torch.zeros(1, 1, width))
        self.no_obj_ptr = nn.Parameter(torch.zeros(1, width))
        if config.no_obj_embed_spatial:
            self.no_obj_embed_spatial = nn.Parameter(torch.zeros(1, memory_width))
        if config.proj_tpos_enc_in_obj_ptrs:
            self.obj_ptr_tpos_proj = nn.Linear(width, memory_width)
        for parameter in self.parameters(recurse=False):
            nn.init.trunc_normal_(parameter, std=0.02)

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return self.no_mem_embed.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the weights."""
        return self.no_mem_embed.dtype

    def encode(self, pixels: Float[Tensor, "b 3 s s"]) -> ImageEmbedding:
        """Encode `pixels` (b, 3, s, s), normalised."""
        fine, middle, coarse = self.image_encoder(pixels.to(self.dtype))
        decoder = self.mask_decoder
        return ImageEmbedding(coarse, decoder.conv_s1(middle), decoder.conv_s0(fine))

    def prompt(
        self,
        points: Float[Tensor, "b p 2"] | None,
        labels: Int[Tensor, "b p"] | None,
        mask_logits: Float[Tensor, "#b 1 h w"] | None,
    ) -> PromptTokens:
        """Encode prompts; see `PromptEncoder.forward`."""
        tokens: PromptTokens = self.prompt_encoder(points, labels, mask_logits)
        return tokens

    def unprompted(self, count: int, mask_logits: Float[Tensor, "#b 1 h w"] | None = None) -> PromptTokens:
        """Encode `count` prompts without any point, as on frames that nobody touched."""
        points = torch.zeros(count, 1, 2, device=self.device)
        return self.prompt(points, torch.full((count, 1), PADDING, device=self.device), mask_logits)

    def decode(
        self,
        features: Float[Tensor, "#b c h w"],
        embedding: ImageEmbedding,
        prompt: PromptTokens,
        multimask: bool,
        fallback: StabilityFallback | None = None,
    ) -> MaskPrediction:
        """Predict masks for a batch of prompts on one image, or on one image each.

        Parameters
        ----------
        features
            What `recall` returned, (b or 1, c, h, w).
        embedding
            The image's maps, (b or 1, ...).
        prompt
            What `prompt` returned.
        multimask
            Three alternatives instead of one mask.
        fallback
            Whether and when an unstable single mask gives way to an alternative.
        """
        position = self.prompt_encoder.pe_layer.grid(features.shape[-1]).to(features.dtype)
        masks = self.mask_decoder(features, embedding, position, prompt, multimask, fallback)
        pointer = self._gate_pointer(self.obj_ptr_proj(masks.tokens), masks.object_score > 0)
        return MaskPrediction(masks.logits.float(), masks.iou.float(), masks.object_score.float(), pointer)

    def adopt(self, embedding: ImageEmbedding, mask: Float[Tensor, "b 1 s s"]) -> MaskPrediction:
        """Take a given mask for the frame's result; only its pointer comes from the network.

        Parameters
        ----------
        embedding
            Of the frame.
        mask
            (b, 1, s, s) of zeros and ones at the model's input size.
        """
        side = self.config.mask_size
        logits = F.interpolate(20.0 * mask.float() - 10.0, (side, side), mode="bilinear", antialias=True)
        prompt = self.unprompted(len(mask), self.mask_downsample(mask.to(self.dtype)))
        decoded = self.decode(embedding.features, embedding, prompt, multimask=False)
        present = mask.flatten(1).any(dim=1, keepdim=True)
        pointer = self._gate_pointer(decoded.pointer, present)
        score = 20.0 * present.float() - 10.0
        return MaskPrediction(logits, torch.ones(len(mask), 1, device=mask.device), score, pointer)

    def recall(self, embedding: ImageEmbedding, slots: MemorySlots | None) -> Float[Tensor, "b c h w"]:
        """Return the frame's features in the light of its memory, (b, c, h, w).

        Without memory they are marked as such (``no_mem_embed``) and pass unchanged otherwise.
        """
        features = embedding.features
        if slots is None:
            return features + self.no_mem_embed.transpose(1, 2)[..., None]
        height, width = features.shape[-2:]
        memory, codes, mapped = self._memory_tokens(slots)
        position = sine_map(features.shape[1], height, width, features.device).to(features.dtype)
        conditioned = self.memory_attention(
            features.flatten(2).transpose(1, 2), position.flatten(1).T[None], memory, codes, mapped
        )
        return conditioned.transpose(1, 2).unflatten(2, (height, width))

    def memorize(self, embedding: ImageEmbedding, prediction: MaskPrediction, binarize: bool) -> FrameMemory:
        """Turn a frame and its masks into memories.

        Parameters
        ----------
        embedding
            Of the frame, batch b or 1.
        prediction
            One mask each: logits (b, 1, h, w).
        binarize
            Remember the hard mask instead of probabilities (as for prompted frames).
        """
        side = self.config.image_size
        logits = F.interpolate(prediction.logits.float(), (side, side), mode="bilinear", align_corners=False)
        mask = (logits > 0).float() if binarize else logits.sigmoid()
        features = self.memory_encoder(embedding.features, (20.0 * mask - 10.0).to(self.dtype))
        if self.config.no_obj_embed_spatial:
            absent = (prediction.object_score <= 0).to(features.dtype)[..., None, None]
            features = features + absent * self.no_obj_embed_spatial[..., None, None]
        return FrameMemory(features, prediction.pointer[:, 0])

    def load_official(self, state_dict: Mapping[str, Tensor]) -> None:
        """Load weights under the reference's names; every key and shape must fit."""
        weights.load(self, state_dict)

    def to_official(self) -> dict[str, Tensor]:
        """Return the weights under the reference's names, in its order of keys."""
        return weights.to_official(self)

    def _gate_pointer(
        self, pointer: Float[Tensor, "b m c"], present: Bool[Tensor, "b 1"]
    ) -> Float[Tensor, "b m c"]:
        return torch.where(present[..., None], pointer, self.no_obj_ptr[:, None].to(pointer.dtype))

    def _memory_tokens(
        self, slots: MemorySlots
    ) -> tuple[Float[Tensor, "b m v"], Float[Tensor, "1 m v"], int]:
        count, channels, height, width = slots.features.shape[1:]
        maps = slots.features.to(self.dtype).permute(0, 1, 3, 4, 2).flatten(1, 3)
        place = sine_map(channels, height, width, maps.device).to(self.dtype).flatten(1).T
        ages = self.maskmem_tpos_enc[list(slots.ages), 0]
        codes = (place[None] + ages).flatten(0, 1)[None]
        mapped = count * height * width
        if not slots.steps:
            return maps, codes, mapped
        pieces = self.config.width // channels
        pointers = slots.pointers.to(self.dtype).unflatten(2, (pieces, channels)).flatten(1, 2)
        times = self._pointer_times(slots.steps).repeat_interleave(pieces, dim=0)
        return torch.cat((maps, pointers), dim=1), torch.cat((codes, times[None]), dim=1), mapped

    def _pointer_times(self, steps: tuple[float, ...]) -> Float[Tensor, "k v"]:
        config = self.config
        if not config.add_tpos_enc_to_obj_ptrs:
            return torch.zeros(len(steps), config.memory_width, device=self.device, dtype=self.dtype)
        signed = config.use_signed_tpos_enc_to_obj_ptrs
        times = torch.tensor([step if signed else abs(step) for step in steps], device=self.device)
        if config.proj_tpos_enc_in_obj_ptrs:
            projected: Tensor = self.obj_ptr_tpos_proj(sine_times(times, config.width).to(self.dtype))
            return projected
        return sine_times(times, config.memory_width).to(self.dtype)
