"""The command line with SAM: one image works, following is refused, missing weights are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.io import registry
from napari_sam2.io.checkpoints import save_model
from napari_sam2.io.registry import Checkpoint
from tests.sam1 import tiny_sam1


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tiny_sam1(), tmp_path_factory.mktemp("weights") / "vit.safetensors")


def test_segment(image: Path, tmp_path: Path, weights: Path) -> None:
    output = tmp_path / "labels.tif"
    words = ["segment", str(image), "-o", str(output), "--click", "30,30", "--device", "cpu"]
    result = CliRunner().invoke(app, [*words, "--model", str(weights)])
    assert (result.exit_code, result.stderr) == (0, "")
    labels = tifffile.imread(output)
    assert labels.shape == (64, 72)
    assert set(np.unique(labels)) <= {0, 1}


def test_weights_that_are_not_there(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path / "cache"))
    entry = Checkpoint("sam_vit_b", "http://127.0.0.1:9/sam_vit_b_01ec64.pth")
    monkeypatch.setitem(registry.CHECKPOINTS, "sam_vit_b", entry)
    words = ["segment", str(image), "-o", str(tmp_path / "labels.tif"), "--click", "30,30"]
    result = CliRunner().invoke(app, [*words, "--model", "sam_vit_b"])
    assert result.exit_code == 1
    assert "'sam_vit_b' is not on this machine" in result.stderr
    assert f"put the file sam_vit_b_01ec64.pth into {tmp_path / 'cache'} by hand" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "labels.tif").exists()


def test_following_is_refused_in_a_sentence(stack: Path, tmp_path: Path, weights: Path) -> None:
    words = ["track", str(stack), "-o", str(tmp_path / "labels.tif"), "--object", "0,30,30"]
    result = CliRunner().invoke(app, [*words, "--model", str(weights), "--device", "cpu"])
    assert result.exit_code == 1
    assert "segments single images and has no memory" in result.stderr
    assert not (tmp_path / "labels.tif").exists()
