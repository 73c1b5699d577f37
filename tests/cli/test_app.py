"""Whatever comes in: one sentence, the right exit code, and no file left behind."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.errors import PromptError
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.io.checkpoints import save_model
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click


class Trap:
    """What a pickled checkpoint could do when it is opened."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("sprung",)


@pytest.fixture
def folder(network: SAM2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good.tif, model.safetensors, and one file of each bad kind."""
    images = moving_nuclei(frames=6, height=64, width=72, objects=2, divisions=0, seed=1).images
    holed = images.astype(np.float32)
    holed[3, 5, 5] = np.nan
    flat = np.full_like(images, 7)
    for name, array in (("good", images), ("nan", holed), ("flat", flat)):
        tifffile.imwrite(tmp_path / f"{name}.tif", array, photometric="minisblack", metadata={"axes": "TYX"})
    whole = (tmp_path / "good.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.tif").touch()
    save_model(network, tmp_path / "model.safetensors")
    torch.save({"model": {"conv1.weight": torch.zeros(1)}}, tmp_path / "wrong.pt")
    torch.save({"model": Trap()}, tmp_path / "pickled.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def _fails(arguments: list[str], code: int, words: str) -> None:
    before = sorted(Path().iterdir())
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert not result.stdout
    assert code == 2 or result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert sorted(Path().iterdir()) == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("stack", "clicks", "model", "words"),
    [
        ("nowhere.tif", ["0,20,20"], "model.safetensors", "nowhere.tif does not exist"),
        ("empty.tif", ["0,20,20"], "model.safetensors", "empty.tif is empty (0 bytes)"),
        ("cut.tif", ["0,20,20"], "model.safetensors", "damaged, cut short"),
        ("nan.tif", ["0,20,20"], "model.safetensors", "Frame 3 holds 1 NaN"),
        ("flat.tif", ["0,20,20"], "model.safetensors", "Every sampled pixel is 7"),
        ("good.tif", ["0,20,72"], "model.safetensors", "y=20, x=72 lies outside the image of 64 x 72"),
        ("good.tif", ["0,20,20", "6,20,20"], "model.safetensors", "no frame 6: the sequence has 6"),
        ("good.tif", ["-1,20,20"], "model.safetensors", "There is no frame -1"),
        ("good.tif", ["0,20,20"], "wrong.pt", "wrong.pt is not a SAM 2 checkpoint"),
        ("good.tif", ["0,20,20"], "pickled.pt", "pickled Python objects"),
        ("good.tif", ["0,20,20"], "nowhere.pt", "There is no file nowhere.pt"),
        ("good.tif", ["0,20,20"], "good.tif", "good.tif is a TIFF image"),
        ("good.tif", ["0,20,20"], "nanno", "Did you mean 'nano'"),
    ],
)
def test_track_with_bad_input(stack: str, clicks: list[str], model: str, words: str) -> None:
    options = [part for click in clicks for part in ("--object", click)]
    _fails(["track", stack, *options, "-m", model, "--device", "cpu", "-o", "labels.tif"], 1, words)


@pytest.mark.usefixtures("folder")
def test_track_without_an_object() -> None:
    given = ["track", "good.tif", "-m", "model.safetensors", "-o", "labels.tif"]
    _fails(given, 2, "say where an object is, or ask for")


def test_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    arguments = ["track", "good.tif", "--object", "0,20,20", "-m", "model.safetensors", "--device", "cpu"]
    _fails([*arguments, "-o", "labels.tif"], 1, "The disk is full: labels.tif was not written")


def test_object_whose_prompts_were_all_taken_back(network: SAM2) -> None:
    tracker = VideoTracker(network)
    state = tracker.start(moving_nuclei(frames=3, height=64, width=72, objects=2, divisions=0).images)
    tracker.prompt(state, 0, 1, clicks=[Click(20, 20)])
    tracker.prompt(state, 0, 2, clicks=[Click(40, 40)])
    tracker.clear(state, 0, 2)
    with pytest.raises(PromptError, match="Object 2 has no prompt: give it a click, a box or a mask"):
        next(tracker.propagate(state))
