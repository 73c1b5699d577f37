"""The families of networks: what any of them can do, and what only some can."""

from __future__ import annotations

import json
from typing import cast

from napari_sam2.errors import CheckpointError
from napari_sam2.model.config import RELEASED, ModelConfig
from napari_sam2.model.sam1 import SAM1
from napari_sam2.model.sam1_config import FAMILY, SAM1_RELEASED, Sam1Config
from napari_sam2.model.sam2 import SAM2

ImageModel = SAM2 | SAM1
"""A network that segments single images from prompts."""

Config = ModelConfig | Sam1Config


def build(config: Config) -> ImageModel:
    """Return the network that `config` describes, with random weights."""
    return SAM1(config) if isinstance(config, Sam1Config) else SAM2(config)


def released(name: str) -> Config:
    """Return the configuration of a released model of any family, such as ``"sam_vit_b"``."""
    table: dict[str, Config] = {**RELEASED, **SAM1_RELEASED}
    try:
        return table[name]
    except KeyError:
        raise CheckpointError(
            f"No released model is called {name!r}; there are {', '.join(table)}."
        ) from None


def config_from_json(text: str) -> Config:
    """Read the configuration inside a weight file of ours, whichever family it is of.

    Raises
    ------
    CheckpointError
        If it is none.
    """
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    sam1 = isinstance(values, dict) and values.get("family") == FAMILY
    return Sam1Config.from_json(text) if sam1 else ModelConfig.from_json(text)


def tracking(model: ImageModel) -> SAM2:
    """Return `model` if it can follow objects from frame to frame.

    Raises
    ------
    CheckpointError
        If it only segments single images.
    """
    if not model.capabilities.tracks:
        raise CheckpointError(
            "This model (SAM, 2023) segments single images and has no memory to follow an object with: take "
            "a SAM 2 model, such as 'nano' or 'sam2.1_hiera_tiny', or carry masks from slice to slice with "
            "SliceBySlice."
        )
    return cast(SAM2, model)
