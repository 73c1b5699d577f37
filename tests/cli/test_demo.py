from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.cli.demo import mean_iou

SMALL = ["--frames", "3", "--size", "64", "--objects", "2"]


@pytest.mark.usefixtures("random_nano")
def test_demo_writes_everything_and_can_be_repeated(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    result = CliRunner().invoke(app, ["demo", "--out", str(out), *SMALL])
    assert result.exit_code == 0, result.stderr
    assert "nucleus  2: IoU 0." in result.stdout
    assert result.stdout.count("mean IoU") == 2
    for name in ("images.tif", "truth.tif", "labels.tif"):
        assert tifffile.imread(out / name).shape == (3, 64, 64)
    assert sorted(path.name for path in (out / "frames").iterdir()) == ["0000.png", "0001.png", "0002.png"]
    with Image.open(out / "overlay.png") as sheet:
        assert sheet.size == (3 * 64 + 4, 64)

    (out / "frames" / "0099.png").touch()
    (out / "frames" / "mine.png").touch()
    result = CliRunner().invoke(app, ["demo", "--out", str(out), *SMALL])
    assert result.exit_code == 1
    assert "is not empty" in result.stderr
    assert CliRunner().invoke(app, ["demo", "--out", str(out), "--overwrite", *SMALL]).exit_code == 0
    assert not (out / "frames" / "0099.png").exists()
    assert (out / "frames" / "mine.png").exists()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "file" / "demo"), *SMALL])
    assert result.exit_code == 1
    assert "cannot be used" in result.stderr


def test_too_many_nuclei_are_counted_as_asked_for(tmp_path: Path) -> None:
    words = ["demo", "--out", str(tmp_path / "demo"), "--size", "64", "--objects", "40"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "40 object(s)" in result.stderr
    assert not (tmp_path / "demo").exists()


def test_iou_is_a_mean_over_frames_that_hold_the_object() -> None:
    truth = np.zeros((3, 2, 4), int)
    truth[:2, :, :2] = 1
    truth[:, 0, 3] = 2
    found = np.zeros_like(truth)
    found[0, :, :2] = 1
    found[1, 0, :2] = 1
    found[2, :, :2] = 1
    assert mean_iou(truth, found, 2) == {1: 0.75, 2: 0.0}
