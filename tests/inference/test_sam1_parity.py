"""SAM from pixels to masks against the reference's numbers (tests/golden), through `ImagePredictor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import pixels
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.model.fit import Fit
from napari_sam2.model.values import MaskPrediction
from napari_sam2.prompts import Box, Click
from tests.conftest import recipe
from tests.sam1 import Sam1Golden, sam1_golden

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Tolerance:
    """What the vectors' notes call fair."""

    blocks: float
    embedding: float
    logits: float
    iou: float


TOLERANCE = {
    "sam1-nano": Tolerance(3e-5, 2e-5, 1e-5, 2e-6),
    "sam1-vit_b": Tolerance(5e-5, 5e-5, 3e-5, 5e-6),
}


@dataclass(frozen=True)
class Case:
    """A file of vectors, and what our network makes of its image."""

    golden: Sam1Golden
    tolerance: Tolerance
    predictor: ImagePredictor
    blocks: dict[str, torch.Tensor]


@pytest.fixture(scope="module", params=["sam1-nano", pytest.param("sam1-vit_b", marks=pytest.mark.slow)])
def case(request: pytest.FixtureRequest) -> Case:
    golden = sam1_golden(request.param)
    encoder = golden.model.image_encoder
    blocks: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        return lambda module, args, output: blocks.update({name: output})

    layers = {"patch_embed": encoder.patch_embed} | {f"block{i:02d}": b for i, b in enumerate(encoder.blocks)}
    handles = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
    predictor = ImagePredictor(golden.model)
    predictor.set_image(golden.image, IntensityMap.identity())
    for handle in handles:
        handle.remove()
    return Case(golden, TOLERANCE[request.param], predictor, blocks)


def test_pixels(case: Case) -> None:
    golden = case.golden
    rgb, vectors = IntensityMap.identity()(golden.image), golden.vectors
    shape = Fit.PADDED.extent((golden.meta["H"], golden.meta["W"]), golden.size)
    assert list(shape) == golden.meta["input_size"]
    thin = golden.meta["thin"]["resized"]
    resized = pixels.resize_eight_bits(rgb, shape)
    np.testing.assert_array_equal(resized[::thin, ::thin], vectors["resized"])
    ours = pixels.to_model_pixels(rgb, golden.size, CPU, Fit.PADDED)
    step = golden.size // 32
    np.testing.assert_allclose(ours[0, :, ::step, ::step], vectors["preprocessed"], atol=1e-6)
    assert (ours[0, :, shape[0] :] == 0).all()
    assert (ours[0, :, :, shape[1] :] == 0).all()


@pytest.mark.parametrize(("height", "width", "seed"), [(301, 417, 2), (640, 333, 3)])
def test_images_that_shrink(height: int, width: int, seed: int) -> None:
    golden = sam1_golden("sam1-nano")
    image = recipe.frames(1, height, width, seed)[0]
    shape = Fit.PADDED.extent((height, width), golden.size)
    resized = pixels.resize_eight_bits(IntensityMap.identity()(image), shape)
    np.testing.assert_array_equal(resized, golden.vectors[f"resize/{height}x{width}-seed{seed}"])


def test_blocks(case: Case) -> None:
    thin, vectors = case.golden.meta["thin"], case.golden.vectors
    space, channels = thin["block_space"], thin["block_channels"]
    recorded = [k for k in vectors if k.startswith("encoder/") and not k.endswith("_absmean")]
    assert len(recorded) > 4
    for key in recorded:
        output = case.blocks[key.removeprefix("encoder/")]
        ours = output[0, ::space, ::space, ::channels]
        np.testing.assert_allclose(ours, vectors[key], atol=case.tolerance.blocks, rtol=0, err_msg=key)
        assert float(output.abs().mean()) == pytest.approx(float(vectors[f"{key}_absmean"]), abs=1e-5)


def test_embedding_and_positions(case: Case) -> None:
    assert case.predictor._embedding is not None
    thin, vectors = case.golden.meta["thin"], case.golden.vectors
    c, s = thin["embedding_channels"], thin["embedding_space"]
    features = case.predictor._embedding.features
    atol = case.tolerance.embedding
    np.testing.assert_allclose(features[0, ::c, ::s, ::s], vectors["embedding"], atol=atol, rtol=0)
    assert float(features.abs().mean()) == pytest.approx(float(vectors["embedding_absmean"]), abs=1e-5)
    model = case.golden.model
    grid = model.prompt_encoder.pe_layer.grid(model.config.grid)
    np.testing.assert_allclose(grid[0, ::c, ::s, ::s], vectors["dense_pe"], atol=atol, rtol=0)


def ask(case: Case, name: str) -> MaskPrediction:
    """What the vectors' notes say of one prompt; their coordinates are (x, y)."""
    asked = case.golden.meta["prompts"][name]
    multimask = asked["multimask"]
    start = ask(case, asked["mask"]).logits if "mask" in asked else None
    corners = asked.get("boxes") or ([asked["box"]] if "box" in asked else [])
    boxes = [Box(y0, x0, y1, x1) for x0, y0, x1, y1 in corners] or None
    rows = asked.get("points", []) if asked.get("batch") else [asked.get("points", [])]
    labels = asked.get("labels", []) if asked.get("batch") else [asked.get("labels", [])]
    clicks = [
        [Click(y, x, bool(label)) for (x, y), label in zip(row, of_row, strict=True)]
        for row, of_row in zip(rows, labels, strict=True)
    ]
    if not boxes and not any(clicks) and start is None:
        # The predictor asks for a prompt; the network can do without.
        model, embedding = case.golden.model, case.predictor._embedding
        assert embedding is not None
        tokens = model.prompt(None, None, None)
        return model.decode(embedding.features, embedding, tokens, multimask)
    given = clicks if any(clicks) else ()
    return case.predictor.predict(given, boxes, mask_logits=start, multimask=multimask)


PROMPTS = (
    "one_click",
    "one_click_single",
    "pos_neg",
    "box",
    "box_click",
    "refine",
    "mask_only",
    "batch3",
    "boxes2",
    "no_prompt",
)


def test_every_prompt_of_the_vectors_is_compared(case: Case) -> None:
    assert set(PROMPTS) == set(case.golden.meta["prompts"])


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts(case: Case, name: str) -> None:
    with torch.inference_mode():
        found = ask(case, name)
    vectors, thin = case.golden.vectors, case.golden.meta["thin"]
    k, atol = thin["low_res"], case.tolerance.logits
    np.testing.assert_allclose(found.logits[:, :, ::k, ::k], vectors[f"{name}/low_res"], atol=atol, rtol=0)
    mean = float(vectors[f"{name}/low_res_absmean"])
    assert float(found.logits.abs().mean()) == pytest.approx(mean, abs=1e-5)
    np.testing.assert_allclose(found.iou, vectors[f"{name}/iou"], atol=case.tolerance.iou, rtol=0)
    if f"{name}/full" in vectors:
        s = thin["full"]
        full = found.image_logits()[:, :, ::s, ::s]
        np.testing.assert_allclose(full, vectors[f"{name}/full"], atol=atol, rtol=0)
