"""The released weights' names, and the network's shape, as `transformers` wants them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig

from napari_sam2.model.config import ModelConfig

_ALONE = {
    "maskmem_tpos_enc": "memory_temporal_positional_encoding",
    "no_mem_embed": "no_memory_embedding",
    "no_mem_pos_enc": "no_memory_positional_encoding",
    "no_obj_ptr": "no_object_pointer",
    "no_obj_embed_spatial": "occlusion_spatial_embedding_parameter",
}

# Applied one after the other, to all other names.
_RENAMED = (
    (r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^image_encoder\.trunk\.patch_embed\.proj\.", "vision_encoder.backbone.patch_embed.projection."),
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"\.gamma$", ".scale"),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv([12])\.", r".pointwise_conv\1."),
    (r"\.mask_downsampler\.encoder\.12\.", ".mask_downsampler.final_conv."),
    # Each of the four steps is a convolution, a norm and an activation without weights.
    (r"\.encoder\.(\d+)\.", lambda m: f".layers.{int(m[1]) // 3}.{('conv', 'layer_norm')[int(m[1]) % 3]}."),
    (r"\.out_proj\.", ".o_proj."),
    (r"\.norm", ".layer_norm"),
    (r"\.mlp\.layers\.0\.", ".mlp.proj_in."),
    (r"\.mlp\.layers\.1\.", ".mlp.proj_out."),
    (r"(_mlps\.\d|_head|object_pointer_proj)\.layers\.0\.", r"\1.proj_in."),
    (r"(_mlps\.\d|_head|object_pointer_proj)\.layers\.1\.", r"\1.layers.0."),
    (r"(_mlps\.\d|_head|object_pointer_proj)\.layers\.2\.", r"\1.proj_out."),
)

_POINTS = "sam_prompt_encoder.point_embeddings."
_FOURIER = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"


def to_transformers(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict under the reference's names as `Sam2VideoModel` takes it.

    Two things differ by more than a name: four point embeddings become one table, and one Fourier matrix two.
    """
    renamed = {
        _rename(name): tensor
        for name, tensor in official.items()
        if not name.startswith(_POINTS) and name != _FOURIER
    }
    points = [official[f"{_POINTS}{label}.weight"] for label in range(4)]
    fourier = official[_FOURIER]
    return renamed | {
        "prompt_encoder.point_embed.weight": torch.cat(points),
        "prompt_encoder.shared_embedding.positional_embedding": fourier,
        "shared_image_embedding.positional_embedding": fourier,
    }


def _rename(name: str) -> str:
    if name in _ALONE:
        return _ALONE[name]
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def transformers_model(config: ModelConfig, official: Mapping[str, Tensor]) -> Sam2VideoModel:
    """Build `transformers`' network of the same shape (SAM 2.1) and with the same weights; every key fits."""
    trunk, side, grid = config.trunk, config.image_size, config.grid
    heads = [trunk.num_heads * 2**stage for stage in range(len(trunk.stages))]
    backbone = Sam2HieraDetConfig(
        hidden_size=trunk.embed_dim,
        num_attention_heads=trunk.num_heads,
        image_size=[side, side],
        window_positional_embedding_background_size=list(trunk.background_size),
        blocks_per_stage=list(trunk.stages),
        embed_dim_per_stage=list(trunk.widths),
        num_attention_heads_per_stage=heads,
        window_size_per_stage=list(trunk.window_spec),
        global_attention_blocks=list(trunk.global_blocks),
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=list(reversed(trunk.widths)),
        backbone_feature_sizes=[[scale * grid, scale * grid] for scale in (4, 2, 1)],
    )
    theirs = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"image_size": side},
        image_size=side,
        memory_attention_rope_feat_sizes=[grid, grid],
    )
    model: Any = Sam2VideoModel(theirs)
    model.load_state_dict(to_transformers(official))
    return model.eval()
