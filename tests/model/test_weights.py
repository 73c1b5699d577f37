"""Weights under the reference's names: the eight released key lists, and round trips through them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch

from napari_sam2.errors import CheckpointError
from napari_sam2.model.config import RELEASED, released
from napari_sam2.model.sam2 import SAM2

KEYS = json.loads(gzip.decompress((Path(__file__).parent / "keys.json.gz").read_bytes()))


@pytest.fixture
def weights(small_model: SAM2) -> dict[str, torch.Tensor]:
    return {key: tensor.clone() for key, tensor in small_model.to_official().items()}


def other(model: SAM2) -> SAM2:
    """A network of the same shape with weights of its own."""
    torch.manual_seed(1)
    return SAM2(model.config)


def test_the_lists_are_those_of_the_released_models() -> None:
    assert KEYS.keys() == RELEASED.keys()


@pytest.mark.parametrize("name", KEYS)
def test_keys_and_shapes(name: str) -> None:
    with torch.device("meta"):
        model = SAM2(released(name))
    ours = {key: list(tensor.shape) for key, tensor in model.to_official().items()}
    assert ours == KEYS[name]


@pytest.mark.parametrize("name", ["sam2_hiera_tiny", "sam2.1_hiera_tiny"])
def test_a_released_list_is_accepted_as_a_whole(name: str) -> None:
    with torch.device("meta"):
        model = SAM2(released(name))
        state = {key: torch.zeros(shape) for key, shape in KEYS[name].items()}
        model.load_official(state)
        state.pop("no_mem_pos_enc")
        with pytest.raises(CheckpointError, match=r"1 missing \(no_mem_pos_enc\)"):
            model.load_official(state)


def test_releases_do_not_fit_each_other() -> None:
    with torch.device("meta"):
        model = SAM2(released("sam2.1_hiera_tiny"))
        state = {key: torch.zeros(shape) for key, shape in KEYS["sam2_hiera_tiny"].items()}
        with pytest.raises(CheckpointError, match=r"3 missing .*no_obj_embed_spatial.*2\.0 and 2\.1 differ"):
            model.load_official(state)


def test_round_trip_is_exact(small_model: SAM2, weights: dict[str, torch.Tensor]) -> None:
    copy = other(small_model)
    assert any(not torch.equal(tensor, weights[key]) for key, tensor in copy.to_official().items())
    copy.load_official(weights)
    again = copy.to_official()
    assert list(again) == list(weights)
    for key, tensor in again.items():
        assert torch.equal(tensor, weights[key]), key


def test_names_differ_where_the_reference_wraps_its_modules(small_model: SAM2) -> None:
    theirs, ours = small_model.to_official().keys(), small_model.state_dict().keys()
    assert "sam_mask_decoder.iou_token.weight" in theirs - ours
    assert "sam_prompt_encoder.not_a_point_embed.weight" in theirs - ours
    assert "image_encoder.neck.convs.0.conv.weight" in theirs - ours


def test_what_does_not_fit_is_named_and_nothing_is_changed(
    small_model: SAM2, weights: dict[str, torch.Tensor]
) -> None:
    model = other(small_model)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    del weights["no_mem_embed"]
    weights["stray"] = torch.zeros(1)
    weights["no_obj_ptr"] = torch.zeros(1, 31)
    with pytest.raises(CheckpointError) as caught:
        model.load_official(weights)
    text = str(caught.value)
    assert "1 missing (no_mem_embed)" in text
    assert "1 unexpected (stray)" in text
    assert "1 of another shape (no_obj_ptr (1, 31) instead of (1, 32))" in text
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key


def test_many_misfits_are_counted_and_cut_short(small_model: SAM2) -> None:
    count = len(small_model.state_dict())
    with pytest.raises(CheckpointError, match=rf"{count} missing \(([\w.]+, ){{4}}\.\.\.\)"):
        small_model.load_official({})
