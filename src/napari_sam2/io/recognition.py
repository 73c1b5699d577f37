"""Which network weights belong to, told from the names and shapes of their tensors alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from napari_sam2.model.config import RELEASED, released
from napari_sam2.model.families import Config
from napari_sam2.model.sam1_config import SAM1_RELEASED, Sam1Config
from napari_sam2.model.sam2 import SAM2

_DEPTH = "image_encoder.trunk.blocks."
_PATCH = "image_encoder.trunk.patch_embed.proj.weight"
_CONV_STEM = "image_encoder.trunk.patch_embed.layers.0.conv.weight"
_NEW_IN_2_1 = "no_obj_embed_spatial"
_SAM1_DEPTH = "image_encoder.blocks."
_SAM1_PATCH = "image_encoder.patch_embed.proj.weight"
_TINY_VIT = "image_encoder.patch_embed.seq."


def config_of(state: Mapping[str, Tensor]) -> Config | None:
    """Tell which released configuration official weights belong to, by names and shapes alone.

    Returns
    -------
    ModelConfig, Sam1Config or None
        None if the encoder fits none of the eight of SAM 2 and three of SAM.
    """
    if _SAM1_PATCH in state:
        shape = (_depth(state, _SAM1_DEPTH), state[_SAM1_PATCH].shape[0])
        return next((c for c in SAM1_RELEASED.values() if (c.depth, c.embed_dim) == shape), None)
    if _PATCH not in state:
        return None
    found = (_depth(state, _DEPTH), state[_PATCH].shape[0], _NEW_IN_2_1 in state)
    for config in RELEASED.values():
        trunk = config.trunk
        if found == (sum(trunk.stages), trunk.embed_dim, config.no_obj_embed_spatial):
            return config
    return None


def other_family(state: Mapping[str, Tensor], config: Config) -> str | None:
    """Return what is wrong where weights of one family meet the configuration of another; else None."""
    families = {_SAM1_DEPTH: "SAM (2023)", _DEPTH: "SAM 2"}
    found = next((name for start, name in families.items() if any(k.startswith(start) for k in state)), None)
    expected = families[_SAM1_DEPTH if isinstance(config, Sam1Config) else _DEPTH]
    if found in (None, expected):
        return None
    return (
        f"holds the weights of a {found} network, but those of {expected} are expected here: give a file of "
        "that family, or leave the name and the configuration to the file."
    )


def unknown_network(path: Path, state: Mapping[str, Tensor]) -> str:
    """Return the sentence for weights that fit no released configuration."""
    if _PATCH in state:
        return (
            f"{path} holds a SAM 2 with {_depth(state, _DEPTH)} trunk blocks of width "
            f"{state[_PATCH].shape[0]}, which is none of the eight released configurations: give its own "
            "with config=."
        )
    if _CONV_STEM in state:
        return (
            f"{path} holds a SAM 2 with a convolutional stem and does not say of which shape: "
            "give its ModelConfig with config=."
        )
    if _SAM1_PATCH in state:
        return (
            f"{path} holds a SAM (2023) with {_depth(state, _SAM1_DEPTH)} encoder blocks of width "
            f"{state[_SAM1_PATCH].shape[0]}, which is none of {', '.join(SAM1_RELEASED)}: give its "
            "Sam1Config with config=."
        )
    if any(key.startswith(_TINY_VIT) for key in state):
        return (
            f"{path} holds a MobileSAM (TinyViT, vit_t), which is not supported: take one of "
            f"{', '.join(SAM1_RELEASED)}, or a fine-tune of one."
        )
    names = set(SAM2(released("sam2.1_hiera_tiny")).to_official())
    missing = sorted(names - set(state))
    unexpected = sorted(set(state) - names)
    return (
        f"{path} is not a SAM 2 checkpoint. Compared with sam2.1_hiera_tiny, {len(missing)} names are "
        f"missing (first {missing[0]}) and {len(unexpected)} unexpected (first {[*unexpected, '-'][0]})."
    )


def _depth(state: Mapping[str, Tensor], start: str) -> int:
    return len({key[len(start) :].split(".")[0] for key in state if key.startswith(start)})
