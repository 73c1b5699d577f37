"""The picture of the loss curve."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_sam2.training.curve import draw_curve
from napari_sam2.training.metrics import MetricsTable, StepScore


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "0.csv", tmp_path / "1.csv"]
    for path, tracked in zip(paths, (None, 0.4), strict=True):
        with MetricsTable(path, 64, 1, every=1) as table:
            for step in range(5):
                table.add(step + 1, 0.1, StepScore(5.0 - step, 0.1 * step, tracked))
    return paths


def test_all_stages_are_drawn(tables: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plot extra is not installed")
    assert draw_curve(tables, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    redder = pixels[..., 0] - pixels[..., 2]
    # One line for the first prompt, in blue, and one for the frames that followed, in orange.
    assert (redder > 80).sum() > 20
    assert (redder < -80).sum() > 20


def test_nothing_to_draw_with_or_on(
    tables: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not draw_curve([tmp_path / "none.csv"], tmp_path / "curve.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not draw_curve(tables, tmp_path / "curve.png")
    assert not (tmp_path / "curve.png").exists()
