"""SAM networks rebuilt from the reference vectors, and a quick one for everything else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from napari_sam2.model.sam1 import SAM1
from napari_sam2.model.sam1_config import Sam1Config
from tests.conftest import TESTS, recipe

TINY = Sam1Config(24, 2, 2, (1,), window=3, image_size=128, width=32, decoder_hidden=32, iou_hidden=16)


@dataclass(frozen=True)
class Sam1Golden:
    """One file of reference vectors, with the network and the image behind it."""

    vectors: dict[str, np.ndarray]
    meta: dict[str, Any]
    model: SAM1
    image: np.ndarray

    @property
    def size(self) -> int:
        return self.model.config.image_size


@lru_cache(maxsize=1)
def sam1_golden(name: str) -> Sam1Golden:
    with np.load(TESTS / "golden" / f"{name}.npz") as file:
        vectors = {key: file[key] for key in file.files}
    meta = json.loads(str(vectors.pop("meta")))
    model = SAM1(config_of(meta["config"])).eval().requires_grad_(False)
    model.load_official(seeded(model, meta["weight_seed"]))
    image = recipe.frames(1, meta["H"], meta["W"], meta["frame_seed"])[0]
    return Sam1Golden(vectors, meta, model, image)


def config_of(config: dict[str, Any]) -> Sam1Config:
    """The configuration by its names in the vectors' notes."""
    return Sam1Config(
        embed_dim=config["embed_dim"],
        depth=config["depth"],
        num_heads=config["num_heads"],
        global_blocks=tuple(config["global_attn_indexes"]),
        window=config["window_size"],
        image_size=config["image_size"],
        width=config["prompt_embed_dim"],
        decoder_heads=config["decoder_num_heads"],
        decoder_hidden=config["decoder_mlp_dim"],
        iou_hidden=config["iou_head_hidden_dim"],
    )


def seeded(model: SAM1, seed: int = 0, rows: dict[str, int] | None = None) -> dict[str, torch.Tensor]:
    """Weights under the reference's names; `rows` gives some tensors another length."""
    shapes = {key: tuple(tensor.shape) for key, tensor in model.to_official().items()}
    shapes |= {key: (length, *shapes[key][1:]) for key, length in (rows or {}).items()}
    return {key: torch.from_numpy(array) for key, array in recipe.weights(shapes, seed).items()}


def tiny_sam1() -> SAM1:
    """A network of 128 px with seeded weights: meaningless masks, but quick and all of its parts alive."""
    model = SAM1(TINY).eval().requires_grad_(False)
    model.load_official(seeded(model))
    return model
