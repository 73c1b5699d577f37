"""The three sizes, and configurations inside files."""

from __future__ import annotations

import pytest

from napari_sam2.errors import CheckpointError
from napari_sam2.model.config import NANO, ModelConfig
from napari_sam2.model.families import build, config_from_json, released, tracking
from napari_sam2.model.sam1 import SAM1
from napari_sam2.model.sam1_config import SAM1_RELEASED, Sam1Config
from tests.sam1 import TINY, tiny_sam1


def test_the_sizes() -> None:
    assert list(SAM1_RELEASED) == ["sam_vit_b", "sam_vit_l", "sam_vit_h"]
    for config in SAM1_RELEASED.values():
        assert (config.grid, config.mask_size) == (64, 256)
        assert config.global_blocks[-1] == config.depth - 1
        assert len(config.global_blocks) == 4
    assert released("sam_vit_h").embed_dim == 1280  # type: ignore[union-attr]
    assert isinstance(released("sam2.1_hiera_tiny"), ModelConfig)


def test_unknown_name() -> None:
    with pytest.raises(CheckpointError, match=r"'sam_vit_t'; there are sam2_hiera_tiny.*sam_vit_h"):
        released("sam_vit_t")


@pytest.mark.parametrize("config", [TINY, NANO, *SAM1_RELEASED.values()])
def test_text_round_trip(config: Sam1Config | ModelConfig) -> None:
    assert config_from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "text", ["{", "[]", "3", '{"family": "sam1", "depht": 3}', '{"family": "sam3"}', '{"family": ["sam1"]}']
)
def test_unreadable_texts(text: str) -> None:
    with pytest.raises(CheckpointError, match="configuration inside the weights cannot be read"):
        config_from_json(text)


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(CheckpointError, match="multiple of 16, got 1000"):
        Sam1Config(image_size=1000)
    with pytest.raises(CheckpointError, match=r"channels \(768\) must be a multiple of the heads \(7\)"):
        Sam1Config(num_heads=7)


def test_families_say_what_they_can() -> None:
    sam1 = build(TINY)
    assert isinstance(sam1, SAM1)
    assert not sam1.capabilities.tracks
    with pytest.raises(CheckpointError, match=r"no memory to follow an object.*'nano'.*SliceBySlice"):
        tracking(tiny_sam1())
