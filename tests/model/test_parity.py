"""The network against the reference's numbers (tests/golden)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.inference.pixels import to_model_pixels
from napari_sam2.model.mask_decoder import DecodedMasks
from napari_sam2.model.positions import sine_map
from napari_sam2.model.values import ImageEmbedding, StabilityFallback
from tests.conftest import Golden, golden

FILES = ["nano-2.1", "nano-2.0", "tiny-2.1", "large-2.0"]


@pytest.fixture(scope="module", params=FILES)
def case(request: pytest.FixtureRequest) -> Golden:
    return golden(request.param)


@pytest.fixture(scope="module")
def encoded(case: Golden) -> ImageEmbedding:
    pixels = to_model_pixels(case.frames[0] / np.float32(255), case.size, torch.device("cpu"))
    thinned = pixels[0, :, :: case.size // 32, :: case.size // 32]
    np.testing.assert_allclose(thinned, case.vectors["preprocessed"], atol=5e-6)
    with torch.inference_mode():
        return case.model.encode(pixels)


def test_levels(case: Golden, encoded: ImageEmbedding) -> None:
    stride = case.meta["fpn_stride"]
    for number, level in enumerate((encoded.fine, encoded.middle, encoded.features)):
        thinned = level[0, :: max(1, level.shape[1] // 8), ::stride, ::stride]
        np.testing.assert_allclose(thinned, case.vectors[f"fpn{number}"], atol=5e-5)
        mean = float(level.abs().mean())
        assert mean == pytest.approx(float(case.vectors[f"fpn{number}_absmean"]), abs=1e-5)


def test_positions(case: Golden) -> None:
    stride, width = 2 * case.meta["fpn_stride"], case.model.config.width
    for number, scale in enumerate((4, 2, 1)):
        side = scale * case.model.config.grid
        code = sine_map(width, side, side, torch.device("cpu"))[:: width // 8, ::stride, ::stride]
        np.testing.assert_allclose(code, case.vectors[f"pos{number}"], atol=1e-6)


PROMPTS = {
    "one_click": ([[(100, 90)]], [[1]], True),
    "one_click_single": ([[(100, 90)]], [[1]], False),
    "pos_neg": ([[(100, 90), (40.5, 200.25)]], [[1, 0]], False),
    "box": ([[(60, 50), (150, 160)]], [[2, 3]], False),
    "box_click": ([[(60, 50), (150, 160), (100, 100)]], [[2, 3, 0]], False),
    "refine": ([[(100, 90), (120, 130)]], [[1, 1]], False),
    "batch3": ([[(30, 40)], [(128, 128)], [(220, 200)]], [[1], [1], [1]], True),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts(case: Golden, encoded: ImageEmbedding, name: str) -> None:
    decoded = decode(case, encoded, name)
    thin = max(1, case.size // 4 // 32)
    vectors = case.vectors
    np.testing.assert_allclose(decoded.logits[:, :, ::thin, ::thin], vectors[f"{name}/low_res"], atol=5e-5)
    np.testing.assert_allclose(decoded.iou, vectors[f"{name}/iou"], atol=5e-5)
    np.testing.assert_allclose(decoded.object_score, vectors[f"{name}/object_score"], atol=5e-5)
    np.testing.assert_allclose(decoded.tokens[..., ::8], vectors[f"{name}/tokens"], atol=5e-5)


@torch.inference_mode()
def decode(case: Golden, encoded: ImageEmbedding, name: str) -> DecodedMasks:
    points, labels, multimask = PROMPTS[name]
    model = case.model
    start = decode(case, encoded, "one_click_single").logits.clamp(-32, 32) if name == "refine" else None
    scaled = torch.tensor(points, dtype=torch.float32) * (case.size / 256)
    prompt = model.prompt(scaled, torch.tensor(labels), start)
    features = model.recall(encoded, None)
    position = model.prompt_encoder.pe_layer.grid(model.config.grid)
    return model.mask_decoder(features, encoded, position, prompt, multimask, StabilityFallback())
