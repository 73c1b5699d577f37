"""The table of metrics: means, a header, and nothing twice after a kill."""

from pathlib import Path

import pytest

from napari_sam2.errors import StorageError
from napari_sam2.training.metrics import COLUMNS, MetricsTable, StepScore, read_metrics


def fill(path: Path, steps: range, pending: list[StepScore] | None = None) -> list[StepScore]:
    with MetricsTable(path, 64, 1, steps.start, pending, every=3) as table:
        for step in steps:
            table.add(step + 1, 0.5, StepScore(float(step), None if step % 2 else 0.25 * step, None))
        return list(table.pending)


def test_means_of_what_was_tried(tmp_path: Path) -> None:
    left = fill(tmp_path / "m.csv", range(5))
    assert [score.loss for score in left] == [3, 4]
    (row,) = read_metrics(tmp_path / "m.csv")
    assert tuple(row) == COLUMNS
    assert (row["step"], row["loss"], row["first_iou"], row["tracked_iou"]) == (
        "3",
        "1.000000",
        "0.250000",
        "",
    )


def test_a_killed_run_leaves_no_trace(tmp_path: Path) -> None:
    fill(tmp_path / "whole.csv", range(12))
    pending = fill(tmp_path / "m.csv", range(4))
    fill(tmp_path / "m.csv", range(4, 11), list(pending))  # goes on beyond its last checkpoint, and is killed
    with (tmp_path / "m.csv").open("a") as file:
        file.write("64,1,12,5.0")
    fill(tmp_path / "m.csv", range(4, 12), pending)
    assert (tmp_path / "m.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("a,b\n1,2\n")
    with pytest.raises(StorageError, match="no table of metrics"):
        MetricsTable(tmp_path / "m.csv", 64, 1, step=3)
    assert (tmp_path / "m.csv").read_text() == "a,b\n1,2\n"
