from collections.abc import Iterator
from pathlib import Path

import pytest
import tifffile
import torch

from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.model.config import HieraConfig, ModelConfig
from napari_sam2.model.sam2 import SAM2

TINY = ModelConfig(
    trunk=HieraConfig(8, 1, (1, 1, 1, 1), (2,), (8, 4, 4, 2), (4, 4)),
    image_size=128,
    width=32,
    memory_width=8,
    memory_layers=1,
    memory_hidden=16,
    fuser_layers=1,
)


@pytest.fixture(scope="session")
def network() -> SAM2:
    torch.manual_seed(0)
    return SAM2(TINY).eval().requires_grad_(False)


@pytest.fixture
def random_nano(network: SAM2, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The smallest random network in place of every model: what is tested is the way, not the masks."""
    monkeypatch.setattr("napari_sam2.io.checkpoints.load_model", lambda *_, **__: network)
    yield


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Six frames of 64 x 72 pixels with two nuclei."""
    phantom = moving_nuclei(frames=6, height=64, width=72, objects=2, divisions=0, seed=1)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, phantom.images, photometric="minisblack", metadata={"axes": "TYX"})
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """One frame of the same."""
    phantom = moving_nuclei(frames=1, height=64, width=72, objects=2, divisions=0, seed=1)
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, phantom.images[0], photometric="minisblack")
    return path
