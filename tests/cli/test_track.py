from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.cli.track import follow, steps
from napari_sam2.io.labels import LabelWriter, read_provenance
from napari_sam2.prompts import Direction


def _run(stack: Path, output: Path, *more: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["track", str(stack), "-o", str(output), *more])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("random_nano")
@pytest.mark.parametrize("both_ways", [False, True])
def test_labels_of_every_frame(stack: Path, tmp_path: Path, both_ways: bool) -> None:
    output = tmp_path / "labels.tif"
    options = ["--object", "2,20,20", "--object", "4,40,50", *["--both-ways"] * both_ways]
    code, out, _ = _run(stack, output, *options)
    assert code == 0
    assert out == f"{output}: 2 objects, 6 frames\n"
    labels = tifffile.imread(output)
    assert labels.shape == (6, 64, 72)
    assert set(np.unique(labels)) <= {0, 1, 2}
    assert both_ways or not labels[:2].any()
    notes = read_provenance(output)
    assert notes["both_ways"] is both_ways
    assert notes["prompts"][1].startswith("frame 4: Click(y=40.0, x=50.0")


@pytest.mark.usefixtures("random_nano")
@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 2, "--object"),
        (("--object", "1,2"), 2, "expected frame,y,x"),
        (("--object", "1.5,2,3"), 2, "not a whole number"),
        (("--object", "6,20,20"), 1, "6"),
        (("--object", "0,900,20"), 1, "900"),
    ],
)
def test_bad_prompts(
    stack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    found, _, err = _run(stack, tmp_path / "labels.tif", *options)
    assert found == code
    assert words in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["stack.tif"]


@pytest.mark.usefixtures("random_nano")
def test_interrupt_leaves_nothing(stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: LabelWriter, frame: int, labels: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LabelWriter, "__setitem__", interrupted)
    code, out, err = _run(stack, tmp_path / "labels.tif", "--object", "0,20,20")
    assert code == 130
    assert "stopped" in err
    assert not out
    assert [path.name for path in tmp_path.iterdir()] == ["stack.tif"]


@dataclass
class Result:
    frame: int
    object_ids: tuple[int, ...]
    logits: torch.Tensor
    scores: torch.Tensor

    def labels(self) -> Any:
        ids = torch.tensor([0, *self.object_ids])
        background = torch.zeros(1, *self.logits.shape[1:])
        return ids[torch.cat((background, self.logits)).argmax(0)].numpy()


class Scripted:
    """Object 1 (clicked on frame 1) claims columns 0-1, object 2 (frame 3) 1-2, going back 0-2."""

    def propagate(self, state: object, start: int, direction: Direction) -> Iterator[Result]:
        for frame in range(start, 5 if direction is Direction.FORWARD else -1, direction.step):
            logits = torch.full((2, 1, 4), -1.0)
            logits[0, 0, :2] = 1
            logits[1, 0, 0 if direction is Direction.BACKWARD else 1 : 3] = 2
            yield Result(frame, (1, 2), logits, torch.ones(2))


def _followed(tmp_path: Path, both_ways: bool) -> list[list[int]]:
    anchors, done = {1: 1, 2: 3}, []
    with LabelWriter(tmp_path / "a.npy", (5, 1, 4)) as writer:
        follow(Scripted(), None, anchors, writer, both_ways, lambda: done.append(1))
        rows = [writer[frame][0].tolist() for frame in range(5)]
    assert len(done) == steps(anchors, 5, both_ways)
    return rows


def test_forward_an_object_begins_at_its_click(tmp_path: Path) -> None:
    assert _followed(tmp_path, False) == [[0] * 4, [1, 1, 0, 0], [1, 1, 0, 0], [1, 2, 2, 0], [1, 2, 2, 0]]


def test_backward_pass_only_speaks_for_frames_before_a_click(tmp_path: Path) -> None:
    rows = _followed(tmp_path, True)
    assert rows[3:] == [[1, 2, 2, 0], [1, 2, 2, 0]]
    assert rows[1:3] == [[1, 1, 2, 0], [1, 1, 2, 0]]
    assert rows[0] == [2, 2, 2, 0]
