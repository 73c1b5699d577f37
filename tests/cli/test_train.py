"""``napari-sam2 train``: killed and resumed, from a few frames to a better model, and what may be wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.io.checkpoints import load_model, save_model
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.metrics import read_metrics
from napari_sam2.training.presets import TINY

MAIN = "import torch; torch.set_num_threads(1); from napari_sam2.cli import main; main()"


def start(*words: str, **more: str) -> subprocess.Popen[str]:
    roots = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": roots, "OMP_NUM_THREADS": "1", **more}
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "train", *words, "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return out


@pytest.mark.slow
def test_killed_in_the_middle_and_resumed_gives_the_same_to_the_bit(tmp_path: Path) -> None:
    words = ("--preset", "tiny", "--scale", "0.2", "--save-seconds", "0")
    finish(start(*words, "-o", str(tmp_path / "whole")))
    process = start(*words, "-o", str(tmp_path / "cut"))
    table = tmp_path / "cut" / "stage0" / "metrics.csv"
    while process.poll() is None and len(read_metrics(table)) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    reached = torch.load(tmp_path / "cut" / "stage0" / "last.pt", weights_only=True)["step"]
    assert 0 < reached < 30
    finish(start(*words, "-o", str(tmp_path / "cut")))
    for name in ("stage0/metrics.csv", "stage1/metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    weights = [load_file(tmp_path / run / "tiny.safetensors") for run in ("cut", "whole")]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    assert [int(row["step"]) for row in read_metrics(table)] == [5, 10, 15, 20, 25, 30]


@pytest.mark.slow
def test_two_processes_agree(tmp_path: Path) -> None:
    words = ("--preset", "tiny", "--scale", "0.02", "-o", str(tmp_path))
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29617"}
    pair = [start(*words, **shared, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(2)]
    outs = [finish(process) for process in pair]
    assert "tiny.safetensors" in outs[0]
    assert outs[1] == ""  # only the first one speaks
    load_model(tmp_path / "tiny.safetensors")
    assert len(read_metrics(tmp_path / "stage0" / "metrics.csv")) == 1


@pytest.fixture(scope="module")
def start_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return save_model(SAM2(TINY), tmp_path_factory.mktemp("weights") / "start.safetensors")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four tracked frames."""
    phantom = moving_nuclei(frames=4, height=64, width=72, objects=3, divisions=0, seed=1)
    folder = tmp_path / "data"
    folder.mkdir()
    for name, array in (("image", phantom.images), ("labels", phantom.labels)):
        tifffile.imwrite(folder / f"{name}.tif", array, photometric="minisblack", metadata={"axes": "TYX"})
    return folder


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["train", *words, "--device", "cpu"])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(("parts", "stages"), [("decoder", 1), ("all", 2)])
def test_fine_tune(start_weights: Path, data: Path, tmp_path: Path, parts: str, stages: int) -> None:
    output = tmp_path / "mine.safetensors"
    options = ("--frames", "0,2", "--parts", parts, "--steps", "4", "-o", str(output))
    code, out, err = run("--from", str(start_weights), "--data", str(data), *options)
    assert code == 0, err
    assert "2 labelled frames to learn from, 2 held back. One-click IoU on those before: 0." in out
    assert "One-click IoU on the held-back frames after: 0." in out
    old, new = (load_model(path).to_official() for path in (start_weights, output))
    moved = {name for name in old if not torch.equal(old[name], new[name])}
    assert any(name.startswith("sam_mask_decoder.") for name in moved)
    assert any(name.startswith("image_encoder.") for name in moved) == (parts == "all")
    assert any(name.startswith("memory_attention.") for name in moved) == (parts == "all")
    with safe_open(output, "pt") as file:
        assert f'"parts": "{parts}"' in file.metadata()["training"]
    folder = tmp_path / "mine.training"
    assert len(list(folder.glob("stage*/metrics.csv"))) == stages
    assert not list(folder.glob("**/*.pt"))  # checkpoints of a finished run are of no use


def test_minutes_become_steps(start_weights: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    code, _, err = run(
        "--from", str(start_weights), "--data", str(data), "--minutes", "0.01", "-o", str(output)
    )
    assert code == 0, err
    (row, *_) = read_metrics(tmp_path / "mine.training" / "stage0" / "metrics.csv")
    assert 0 < int(row["step"]) <= 20
    assert output.is_file()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "either --preset"),
        (("--preset", "tiny", "--from", "nano"), 2, "either --preset"),
        (("--from", "nano"), 2, "where the labelled frames are"),
        (("--from", "nano", "--data", "DATA", "--frames", "0,x"), 2, "whole numbers"),
        (("--preset", "huge"), 1, "no preset 'huge', but nano, tiny"),
        (("--from", "nano", "--data", "NOWHERE"), 1, "does not exist"),
        (("--from", "nano", "--data", "DATA", "--frames", "9"), 1, "there is no frame 9"),
    ],
)
def test_what_is_wrong_is_said(
    data: Path, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    places = {"DATA": str(data), "NOWHERE": str(tmp_path / "nowhere")}
    output = tmp_path / "out.safetensors"
    found, _, err = run(*(places.get(word, word) for word in words), "-o", str(output))
    assert found == code
    assert message in " ".join(err.replace("│", " ").split())
    assert not output.exists()


def test_bad_data_loses_nothing(start_weights: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    output.write_bytes(b"precious")
    words = ("--from", str(start_weights), "--data", str(data), "--steps", "1", "-o", str(output))
    code, _, err = run(*words)
    assert (code, "exists already" in err) == (1, True)
    written = {"photometric": "minisblack", "metadata": {"axes": "TYX"}}
    tifffile.imwrite(data / "labels.tif", np.ones((4, 64, 70), np.uint8), **written)
    code, _, err = run(*words, "--overwrite")
    assert (code, "holds labels of shape (4, 64, 70)" in err) == (1, True)
    tifffile.imwrite(data / "labels.tif", np.zeros((4, 64, 72), np.uint8), **written)
    with pytest.warns(UserWarning, match="left out"):
        code, _, err = run(*words, "--overwrite")
    assert (code, "holds no labels, only 0" in err) == (1, True)
    assert output.read_bytes() == b"precious"
    wrong = tmp_path / "mine.pt"
    code, _, err = run("--from", "nano", "--data", str(data), "-o", str(wrong))
    assert (code, "rename it" in err) == (1, True)
