"""SAM's weights under the reference's names, and the parts that it shares with SAM 2 the other way round."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam2.errors import CheckpointError, PromptError
from napari_sam2.inference.pixels import to_model_pixels
from napari_sam2.model.prompt_encoder import BOX_END, BOX_START, NEGATIVE, POSITIVE
from napari_sam2.model.sam1 import SAM1
from napari_sam2.model.sam1_config import SAM1_RELEASED
from napari_sam2.model.sam1_weights import merged
from napari_sam2.model.values import StabilityFallback
from tests.sam1 import TINY, sam1_golden, seeded, tiny_sam1

KEYS = json.loads(gzip.decompress((Path(__file__).parent / "keys_sam1.json.gz").read_bytes()))


@pytest.fixture(scope="module")
def model() -> SAM1:
    return tiny_sam1()


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", KEYS)
def test_keys_shapes_and_their_order(name: str) -> None:
    with torch.device("meta"):
        model = SAM1(SAM1_RELEASED[name])
        ours = {key: list(tensor.shape) for key, tensor in model.to_official().items()}
        assert list(ours.items()) == list(KEYS[name].items())
        model.load_official({key: torch.zeros(shape) for key, shape in KEYS[name].items()})


def test_the_lists_are_those_of_the_released_models() -> None:
    assert KEYS.keys() == SAM1_RELEASED.keys()
    assert [len(keys) for keys in KEYS.values()] == [314, 482, 594]


def test_round_trip_is_exact(model: SAM1) -> None:
    weights = {key: tensor.clone() for key, tensor in model.to_official().items()}
    torch.manual_seed(1)
    copy = SAM1(TINY)
    assert any(not torch.equal(tensor, weights[key]) for key, tensor in copy.to_official().items())
    copy.load_official(weights)
    again = copy.to_official()
    assert list(again) == list(weights)
    assert all(torch.equal(tensor, weights[key]) for key, tensor in again.items())


def test_what_does_not_fit_is_named_and_nothing_is_changed(model: SAM1) -> None:
    weights = dict(model.to_official())
    del weights["mask_decoder.iou_token.weight"]
    weights["mask_decoder.hf_token.weight"] = torch.zeros(1, 32)
    weights["image_encoder.pos_embed"] = torch.zeros(1, 4, 4, 24)
    other = SAM1(TINY)
    before = {key: tensor.clone() for key, tensor in other.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        other.load_official(weights)
    for part in ("1 missing (mask_decoder.iou_token", "1 unexpected (mask_decoder.hf_token", "ViT-L"):
        assert part in str(caught.value)
    assert "1 of another shape (image_encoder.pos_embed (1, 4, 4, 24)" in str(caught.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in other.state_dict().items())


def test_tables_of_another_length_are_interpolated(pixels: torch.Tensor) -> None:
    """The reference's own numbers: tables of 39, 27 and 23 rows where 31, 13 and 31 are needed."""
    case = sam1_golden("sam1-nano")
    lengths = case.meta["relpos_table_lengths"]
    rows = {
        f"image_encoder.blocks.{block}.attn.rel_pos_{axis}": length
        for block, length in lengths.items()
        for axis in "hw"
    }
    model = SAM1(case.model.config).eval().requires_grad_(False)
    model.load_official(seeded(model, case.meta["weight_seed"], rows))
    image = to_model_pixels(
        case.image / np.float32(255), case.size, torch.device("cpu"), model.capabilities.fit
    )
    embedding = model.encode(image)
    thin = case.meta["thin"]
    c, s = thin["embedding_channels"], thin["embedding_space"]
    np.testing.assert_allclose(
        embedding.features[0, ::c, ::s, ::s], case.vectors["relpos_interp/embedding"], atol=2e-5
    )
    height, width = case.meta["input_size"]
    points = torch.tensor([[[100 * width / case.meta["W"], 70 * height / case.meta["H"]]]])
    tokens = model.prompt(points, torch.tensor([[POSITIVE]]), None)
    found = model.decode(model.recall(embedding), embedding, tokens, multimask=True)
    k = thin["low_res"]
    vectors = case.vectors
    np.testing.assert_allclose(
        found.logits[:, :, ::k, ::k], vectors["relpos_interp/one_click/low_res"], atol=1e-5
    )
    np.testing.assert_allclose(found.iou, vectors["relpos_interp/one_click/iou"], atol=2e-6)


def test_adapters_are_merged(model: SAM1, pixels: torch.Tensor) -> None:
    plain = {key: tensor.clone() for key, tensor in model.to_official().items()}
    generator = torch.Generator().manual_seed(3)
    adapted, expected = {}, dict(plain)
    for key, tensor in plain.items():
        key = key.replace(".attn.qkv.", ".attn.qkv.qkv_proj.")
        adapted[key.replace(".mlp.lin", ".mlp.mlp_layer.lin") if "image_encoder" in key else key] = tensor
    width = TINY.embed_dim
    for block in range(TINY.depth):
        attention, mlp = (f"image_encoder.blocks.{block}.{part}" for part in ("attn.qkv", "mlp"))
        for row, part in enumerate("qv"):
            down = torch.randn(2, width, generator=generator)
            up = torch.randn(width, 2, generator=generator)
            adapted[f"{attention}.w_a_linear_{part}.weight"] = down
            adapted[f"{attention}.w_b_linear_{part}.weight"] = up
            change = torch.zeros(3 * width, width)
            change[2 * row * width : (2 * row + 1) * width] = up @ down
            expected[f"{attention}.weight"] = expected[f"{attention}.weight"] + change
        down = torch.randn(2, width, generator=generator)
        up = torch.randn(4 * width, 2, generator=generator)
        adapted[f"{mlp}.w_a_linear_1.weight"], adapted[f"{mlp}.w_b_linear_1.weight"] = down, up
        expected[f"{mlp}.lin1.weight"] = expected[f"{mlp}.lin1.weight"] + up @ down
    loaded = SAM1(TINY).eval().requires_grad_(False)
    loaded.load_official(adapted)
    for key, tensor in loaded.to_official().items():
        torch.testing.assert_close(tensor, expected[key], msg=key)
    assert not torch.allclose(loaded.encode(pixels).features, model.encode(pixels).features, atol=0.01)
    assert merged(plain).keys() == plain.keys()


def test_half_an_adapter_is_refused(model: SAM1) -> None:
    weights = dict(model.to_official())
    weights["image_encoder.blocks.0.attn.qkv.w_a_linear_q.weight"] = torch.zeros(2, 24)
    with pytest.raises(CheckpointError, match=r"1 unexpected .*w_a_linear_q"):
        SAM1(TINY).load_official(weights)


def test_what_sam_does_not_have_is_empty(model: SAM1, pixels: torch.Tensor) -> None:
    embedding = model.encode(pixels)
    assert embedding.features.shape == (1, 32, 8, 8)
    assert embedding.middle.numel() == embedding.fine.numel() == 0
    assert embedding.nbytes == embedding.features.nbytes
    tokens = model.prompt(torch.tensor([[[5.0, 9.0]], [[60.0, 7.0]]]), torch.tensor([[1], [1]]), None)
    found = model.decode(model.recall(embedding), embedding, tokens, multimask=True)
    assert found.logits.shape == (2, 3, 32, 32)
    assert found.object_score.shape == (2, 0)
    best = found.best()
    assert best.logits.shape == (2, 1, 32, 32)
    assert best.fit is model.capabilities.fit
    assert torch.equal(best.gated().logits, best.logits), "nothing is known to be out of view"


def test_tokens_of_clicks_and_boxes(model: SAM1) -> None:
    def count(labels: list[int]) -> int:
        points = torch.full((1, len(labels), 2), 20.0)
        return model.prompt(points, torch.tensor([labels]), None).sparse.shape[1]

    assert count([POSITIVE]) == 2, "a click, and the token that closes"
    assert count([POSITIVE, NEGATIVE]) == 3
    assert count([BOX_START, BOX_END]) == 2, "nothing closes a box"
    assert count([BOX_START, BOX_END, POSITIVE]) == 3
    assert model.prompt(None, None, None).sparse.shape == (1, 0, 32)
    with pytest.raises(PromptError, match="with a box and without"):
        labels = torch.tensor([[BOX_START, BOX_END], [POSITIVE, NEGATIVE]])
        model.prompt(torch.zeros(2, 2, 2), labels, None)


def test_overlaps_are_not_squeezed(model: SAM1, pixels: torch.Tensor) -> None:
    embedding = model.encode(pixels)
    tokens = model.prompt(None, None, None)
    before = model.decode(embedding.features, embedding, tokens, multimask=True).iou
    last = model.mask_decoder.iou_prediction_head.layers[-1]
    last.bias += 5
    try:
        after = model.decode(embedding.features, embedding, tokens, multimask=True).iou
    finally:
        last.bias -= 5
    torch.testing.assert_close(after, before + 5)


def test_the_single_mask_stays_unless_asked(model: SAM1, pixels: torch.Tensor) -> None:
    embedding = model.encode(pixels)
    tokens = model.prompt(torch.tensor([[[30.0, 30.0]]]), torch.tensor([[POSITIVE]]), None)
    single = model.decode(embedding.features, embedding, tokens, multimask=False)
    three = model.decode(embedding.features, embedding, tokens, multimask=True)
    never_stable = StabilityFallback(delta=1e3, threshold=0.5)
    fallen = model.decode(embedding.features, embedding, tokens, False, never_stable)
    assert torch.equal(fallen.logits, three.best().logits)
    assert not torch.equal(single.logits, fallen.logits)


def test_half_precision(model: SAM1, pixels: torch.Tensor) -> None:
    low = tiny_sam1().to(torch.bfloat16)
    assert low.dtype == torch.bfloat16
    expected, found = model.encode(pixels).features, low.encode(pixels).features.float()
    assert float((found - expected).abs().mean()) < 0.05 * float(expected.abs().mean())
