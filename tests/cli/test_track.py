from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.cli.track import click_objects, follow, steps
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.inference.frame_result import FrameResult
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.io.labels import LabelWriter, read_provenance
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import NO_OBJECT
from napari_sam2.prompts import Click, Direction


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
    ("options", "policy"),
    [
        ((), TrackingPolicy()),
        (("--slices",), TrackingPolicy.for_stacks()),
        (("--slices", "--smooth", "1.5"), TrackingPolicy.for_stacks(smooth=1.5)),
        (("--smooth", "2"), TrackingPolicy(smooth=2.0)),
    ],
)
def test_policy_for_slices_and_noise(
    stack: Path, tmp_path: Path, options: tuple[str, ...], policy: TrackingPolicy
) -> None:
    output = tmp_path / "labels.tif"
    code, _, _ = _run(stack, output, "--object", "2,20,20", *options)
    assert code == 0
    assert read_provenance(output)["policy"] == repr(policy)


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


class Scripted:
    """Object 1 (clicked on frame 1) claims columns 0-1, object 2 (frame 3) 1-2, and before its click 0-2."""

    def propagate(self, state: object, direction: Direction = Direction.FORWARD) -> Iterator[FrameResult]:
        for frame in range(1, 5) if direction is Direction.FORWARD else range(3, -1, -1):
            logits = torch.full((2, 1, 4), NO_OBJECT)
            if frame >= 1 or direction is Direction.BACKWARD:
                logits[0, 0, :2] = 1
            if frame >= 3 or direction is Direction.BACKWARD:
                logits[1, 0, 1 if frame >= 3 else 0 : 3] = 2
            yield FrameResult(frame, (1, 2), logits, torch.ones(2))


def _followed(tmp_path: Path, both_ways: bool) -> list[list[int]]:
    done: list[int] = []
    with LabelWriter(tmp_path / "a.npy", (5, 1, 4)) as writer:
        follow(Scripted(), None, writer, both_ways, lambda: done.append(1))
        rows = [writer[frame][0].tolist() for frame in range(5)]
    assert len(done) == steps([1, 3], 5, both_ways)
    return rows


def test_forward_an_object_begins_at_its_click(tmp_path: Path) -> None:
    assert _followed(tmp_path, False) == [[0] * 4, [1, 1, 0, 0], [1, 1, 0, 0], [1, 2, 2, 0], [1, 2, 2, 0]]


def test_backward_pass_only_takes_pixels_that_are_free(tmp_path: Path) -> None:
    rows = _followed(tmp_path, True)
    assert rows[3:] == [[1, 2, 2, 0], [1, 2, 2, 0]]
    assert rows[1:3] == [[1, 1, 2, 0], [1, 1, 2, 0]]
    assert rows[0] == [2, 2, 2, 0]


def _tracked(
    model: SAM2, images: np.ndarray, clicks: list[tuple[int, Click]], output: Path, both_ways: bool
) -> np.ndarray:
    tracker = VideoTracker(model)
    state = tracker.start(images)
    click_objects(tracker, state, clicks)
    with LabelWriter(output, images.shape) as writer:
        follow(tracker, state, writer, both_ways)
    return np.load(output)


def test_engine_starts_each_object_at_its_own_click(small_model: SAM2, tmp_path: Path) -> None:
    images = moving_nuclei(frames=6, height=64, width=72, objects=2, divisions=0, seed=1).images
    clicks = [(2, Click(20, 20)), (4, Click(40, 50))]
    alone = _tracked(small_model, images, clicks[:1], tmp_path / "alone.npy", both_ways=False)
    forward = _tracked(small_model, images, clicks, tmp_path / "forward.npy", both_ways=False)
    both = _tracked(small_model, images, clicks, tmp_path / "both.npy", both_ways=True)
    assert not forward[:2].any()
    assert (forward[2] == 1).any()
    assert (forward[4] == 2).any()
    assert np.array_equal(forward[:4], alone[:4])
    assert np.array_equal(both[4:], forward[4:])
    assert np.array_equal(both[forward > 0], forward[forward > 0])
    assert both[:2].any()
