"""Configurations: the table, the reference's nested keys, and the text that travels with weights."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import CheckpointError
from napari_sam2.model.config import NANO, RELEASED, HieraConfig, ModelConfig, released

GOLDEN = Path(__file__).parent.parent / "golden"
SWITCH = (
    "no_obj_embed_spatial",
    "add_tpos_enc_to_obj_ptrs",
    "proj_tpos_enc_in_obj_ptrs",
    "use_signed_tpos_enc_to_obj_ptrs",
)


def official(name: str) -> dict[str, Any]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return json.loads(str(file["meta"]))["config"]


def test_the_table_has_four_sizes_of_two_releases() -> None:
    sizes = ("tiny", "small", "base_plus", "large")
    assert list(RELEASED) == [f"{release}_hiera_{s}" for release in ("sam2", "sam2.1") for s in sizes]
    for name, config in RELEASED.items():
        assert {getattr(config, switch) for switch in SWITCH} == {name.startswith("sam2.1")}
        assert config.grid == 64
        assert config.mask_size == 256
    assert len({config.trunk for config in RELEASED.values()}) == 4


@pytest.mark.parametrize(
    ("file", "name"), [("tiny-2.1", "sam2.1_hiera_tiny"), ("large-2.0", "sam2_hiera_large")]
)
def test_official_configurations_equal_the_table(file: str, name: str) -> None:
    found = ModelConfig.from_official(official(file))
    assert found == released(name)
    assert ModelConfig.from_official({"model": official(file)}) == found


def test_a_configuration_of_its_own() -> None:
    mapping = official("nano-2.1")
    found = ModelConfig.from_official(mapping)
    trunk = mapping["image_encoder"]["trunk"]
    assert found.image_size == mapping["image_size"]
    assert found.trunk.embed_dim == trunk["embed_dim"]
    assert found.trunk.stages == tuple(trunk["stages"])
    assert found.memory_layers == mapping["memory_attention"]["num_layers"]
    assert found.no_obj_embed_spatial
    assert not ModelConfig.from_official(official("nano-2.0")).no_obj_embed_spatial


def test_absent_keys_take_the_reference_s_defaults() -> None:
    found = ModelConfig.from_official({})
    assert found.trunk == HieraConfig(96, 1, (2, 3, 16, 3), (12, 16, 20), (8, 4, 14, 7), (14, 14), 0.0)
    assert (found.image_size, found.width, found.memory_width, found.num_maskmem) == (512, 256, 64, 7)
    assert (found.memory_layers, found.memory_hidden, found.fuser_layers) == (4, 2048, 2)
    assert not any(getattr(found, switch) for switch in SWITCH)
    assert ModelConfig.from_official({"image_encoder": None, "image_size": 640}).image_size == 640


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("image_encoder.scalp", 2, "1"),
        ("image_encoder.neck.fpn_top_down_levels", [0, 1, 2, 3], "(2, 3)"),
        ("memory_attention.layer.cross_attention.rope_theta", 100.0, "10000.0"),
        ("memory_encoder.mask_downsampler.stride", 4, "2"),
        ("sigmoid_scale_for_mem_enc", 1.0, "20.0"),
        ("soft_no_obj_ptr", True, "False"),
    ],
)
def test_fixed_keys_with_other_values_are_named(path: str, value: object, wanted: str) -> None:
    mapping = copy.deepcopy(official("tiny-2.1"))
    branch = mapping
    *parents, key = path.split(".")
    for parent in parents:
        branch = branch.setdefault(parent, {})
    branch[key] = value
    with pytest.raises(CheckpointError) as caught:
        ModelConfig.from_official(mapping)
    seen = tuple(value) if isinstance(value, list) else value
    assert f"sets {path} to {seen!r}; only {wanted} is supported" in str(caught.value)


@pytest.mark.parametrize("config", [NANO, *RELEASED.values()])
def test_json_round_trip(config: ModelConfig) -> None:
    assert ModelConfig.from_json(config.to_json()) == config
    assert eval(repr(config), {"ModelConfig": ModelConfig, "HieraConfig": HieraConfig}) == config


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"trunk": {"color": 1}}', '{"trunk": {}, "unknown": 1}', '{"trunk": 3}']
)
def test_damaged_json_is_an_error_in_words(text: str) -> None:
    with pytest.raises(CheckpointError, match="configuration inside the weights cannot be read"):
        ModelConfig.from_json(text)


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(CheckpointError, match="multiple of 64, got 1000"):
        ModelConfig(image_size=1000)
    with pytest.raises(CheckpointError, match=r"width \(256\) must be a multiple of the memory width \(48\)"):
        ModelConfig(memory_width=48)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match=r"'sam3'; there are sam2_hiera_tiny, .*sam2\.1_hiera_large"):
        released("sam3")
