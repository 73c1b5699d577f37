"""The smallest network that has all parts of SAM 2."""

import pytest

from napari_sam2.model.config import HieraConfig, ModelConfig


@pytest.fixture(scope="session")
def tiny() -> ModelConfig:
    trunk = HieraConfig(16, 1, (1, 1, 1, 1), (2,), (8, 4, 4, 4), (7, 7))
    return ModelConfig(trunk, 64, 32, 16, 1, 32, 1)
