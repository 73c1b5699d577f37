"""SAM against the independent implementation in `transformers`, on the same seeded weights."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.pixels import to_model_pixels
from napari_sam2.model.sam1_config import Sam1Config
from napari_sam2.prompts import Box, Click
from tests.sam1 import TINY, tiny_sam1

pytest.importorskip("transformers", reason="transformers is not installed (extra 'bench')")

# (ours as exported, theirs), one after the other.
RENAMED = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"\.blocks\.", ".layers."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"^vision_encoder\.layers\.(\d+)\.norm(\d)\.", r"vision_encoder.layers.\1.layer_norm\2."),
    (r"\.neck\.0\.", ".neck.conv1."),
    (r"\.neck\.1\.", ".neck.layer_norm1."),
    (r"\.neck\.2\.", ".neck.conv2."),
    (r"\.neck\.3\.", ".neck.layer_norm2."),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.point_embeddings\.", ".point_embed."),
    (
        r"prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix",
        "shared_image_embedding.positional_embedding",
    ),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"^(mask_decoder\.transformer\.layers\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"(_mlps\.\d|_head)\.layers\.0\.", r"\1.proj_in."),
    (r"(_mlps\.\d|_head)\.layers\.1\.", r"\1.layers.0."),
    (r"(_mlps\.\d|_head)\.layers\.2\.", r"\1.proj_out."),
)


def theirs(config: Sam1Config, state: dict[str, torch.Tensor]) -> Any:
    """The same network with the same weights."""
    from transformers import SamConfig, SamModel

    width = config.width
    model = SamModel(
        SamConfig(
            vision_config={
                "hidden_size": config.embed_dim,
                "output_channels": width,
                "num_hidden_layers": config.depth,
                "num_attention_heads": config.num_heads,
                "image_size": config.image_size,
                "window_size": config.window,
                "global_attn_indexes": list(config.global_blocks),
                "mlp_dim": 4 * config.embed_dim,
                "num_pos_feats": width // 2,
            },
            prompt_encoder_config={
                "hidden_size": width,
                "image_size": config.image_size,
            },
            mask_decoder_config={
                "hidden_size": width,
                "mlp_dim": config.decoder_hidden,
                "num_attention_heads": config.decoder_heads,
                "iou_head_hidden_dim": config.iou_hidden,
                # SAM's own value; the library's default differs.
                "layer_norm_eps": 1e-5,
            },
        )
    ).eval()
    renamed = {}
    for key, tensor in state.items():
        for ours, other in RENAMED:
            key = re.sub(ours, other, key)
        renamed[key] = tensor
    shared = "shared_image_embedding.positional_embedding"
    renamed["prompt_encoder.shared_embedding.positional_embedding"] = renamed[shared]
    model.load_state_dict(renamed, strict=True)
    return model.requires_grad_(False)


def test_embedding_masks_and_overlaps_agree() -> None:
    model = tiny_sam1()
    other = theirs(TINY, dict(model.to_official()))
    image = np.random.default_rng(0).integers(0, 255, (90, 128, 3), dtype=np.uint8)
    predictor = ImagePredictor(model)
    predictor.set_image(image, IntensityMap.identity())
    assert predictor._embedding is not None
    pixels = to_model_pixels(
        image / np.float32(255), TINY.image_size, torch.device("cpu"), model.capabilities.fit
    )
    embedding = other.get_image_embeddings(pixels)
    torch.testing.assert_close(predictor._embedding.features, embedding, atol=2e-5, rtol=0)
    cases = {
        "click": ([Click(40, 33)], None),
        "clicks": ([Click(40, 33), Click(7, 100, positive=False)], None),
        "box": ([], Box(10, 20, 60, 90)),
        "box and click": ([Click(40, 33)], Box(10, 20, 60, 90)),
    }
    for name, (clicks, box) in cases.items():
        for multimask in (True, False):
            found = predictor.predict(clicks, box, multimask=multimask)
            given: dict[str, Any] = {}
            if clicks:
                given["input_points"] = torch.tensor([[[[c.x, c.y] for c in clicks]]], dtype=torch.float32)
                given["input_labels"] = torch.tensor([[[int(c.positive) for c in clicks]]])
            if box is not None:
                given["input_boxes"] = torch.tensor([[[box.x0, box.y0, box.x1, box.y1]]])
            expected = other(image_embeddings=embedding, multimask_output=multimask, **given)
            torch.testing.assert_close(
                found.logits, expected.pred_masks[:, 0], atol=1e-5, rtol=0, msg=f"{name}: {multimask}"
            )
            torch.testing.assert_close(found.iou, expected.iou_scores[:, 0], atol=5e-6, rtol=0)
