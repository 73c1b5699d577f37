"""Shared by all tests: where the reference vectors are, and networks rebuilt from them."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch

# Shapes in signatures are checked from here on, before the modules are first imported.
jaxtyping.install_import_hook(("napari_sam2.model", "napari_sam2_kernels"), "beartype.beartype")

from napari_sam2.model.config import HieraConfig, ModelConfig  # noqa: E402
from napari_sam2.model.sam2 import SAM2  # noqa: E402

TESTS = Path(__file__).parent
SHARED = TESTS.parent.parent / "shared"


def _recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_recipe", TESTS / "golden" / "recipe.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recipe = _recipe()


@dataclass(frozen=True)
class Golden:
    """One file of reference vectors, with the network and the video behind it."""

    vectors: dict[str, np.ndarray]
    meta: dict[str, Any]
    model: SAM2
    frames: np.ndarray

    @property
    def size(self) -> int:
        return self.model.config.image_size


@lru_cache(maxsize=1)
def golden(name: str) -> Golden:
    with np.load(TESTS / "golden" / f"{name}.npz") as file:
        vectors = {key: file[key] for key in file.files}
    meta = json.loads(str(vectors.pop("meta")))
    model = SAM2(ModelConfig.from_official(meta["config"])).eval().requires_grad_(False)
    seed_weights(model, meta["weight_seed"])
    return Golden(vectors, meta, model, recipe.frames(meta["T"], meta["H"], meta["W"], meta["frame_seed"]))


def seed_weights(model: SAM2, seed: int = 0) -> None:
    shapes = {key: tuple(tensor.shape) for key, tensor in model.to_official().items()}
    model.load_official({k: torch.from_numpy(v) for k, v in recipe.weights(shapes, seed).items()})


@pytest.fixture(scope="session")
def small_model() -> SAM2:
    """A network of 128 px with seeded weights: meaningless masks, but quick and all of its parts alive."""
    config = ModelConfig(HieraConfig(16, 1, (1, 1, 2, 1), (3,), (8, 4, 8, 4), (7, 7)), 128, 32, 16, 2, 64, 1)
    model = SAM2(config).eval().requires_grad_(False)
    seed_weights(model)
    return model
