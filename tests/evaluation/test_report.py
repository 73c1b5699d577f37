import csv
import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_sam2.errors import Sam2Error, StorageError
from napari_sam2.evaluation import extras
from napari_sam2.evaluation.report import markdown, picture, write
from napari_sam2.evaluation.values import BASELINE, MODEL, Case, Curve, Evaluation, Line, Measured, Row
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.io.folders import make_folder
from tests.evaluation.conftest import moving_disks, sequence_of

ROWS = (Row("J", 12, 0.51234, 0.4), Row("F", 12, float("nan")))


def _evaluation() -> Evaluation:
    _, labels = moving_disks()
    found = RunLengths.encode(labels[1] == 8)
    lines = {MODEL: Line((1, 2), (0.3, 0.5)), BASELINE: Line((1, 2), (0.2, 0.2))}
    return Evaluation(
        ROWS,
        (Measured("model", "made", 3, None, "box", "J", 0.25),),
        (Curve("clicks", "Quality", "clicks", "IoU", lines),),
        (Case("made", 1, 3, 0.9, found), Case("made", 1, 3, 0.1, found)),
    )


def test_table() -> None:
    assert markdown(ROWS).splitlines() == [
        "| figure | objects | model | baseline |",
        "|---|---|---|---|",
        "| J | 12 | 0.512 | 0.400 |",
        "| F | 12 | nan |  |",
    ]
    assert markdown(ROWS[1:]).splitlines()[0] == "| figure | objects | model |"


def test_everything_is_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    images, labels = moving_disks()
    make_folder(tmp_path / "out", "worst", overwrite=False)
    write(tmp_path / "out", _evaluation(), [sequence_of(images, labels)], title="nano on cells")
    names = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    assert names == ["clicks.png", "scores.csv", "table.md", "worst/01.png", "worst/02.png", "worst/index.md"]
    assert (tmp_path / "out" / "table.md").read_text().startswith("nano on cells\n\n| figure |")
    with (tmp_path / "out" / "scores.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "method": "model",
        "sequence": "made",
        "object_id": "3",
        "frame": "",
        "prompt": "box",
        "measure": "J",
        "value": "0.25",
    }
    assert "| 01.png | made | 1 | 3 | 0.100 |" in (tmp_path / "out" / "worst" / "index.md").read_text()
    with Image.open(tmp_path / "out" / "clicks.png") as plot:
        assert len(set(plot.convert("L").tobytes())) > 10


def test_picture_shows_truth_and_result_side_by_side() -> None:
    images, labels = moving_disks()
    case = _evaluation().cases[0]
    shown = picture(case, sequence_of(images, labels))
    height, width = shown.shape[:2]
    left, right = shown[:, : width // 2 - 1], shown[:, width // 2 + 1 :]
    coloured = [np.ptp(side.astype(int), axis=2) > 60 for side in (left, right)]
    # Object 3 lies to the left and above object 8.
    places = [np.argwhere(side).mean(axis=0) for side in coloured]
    assert places[0][0] < places[1][0] and places[0][1] < places[1][1]
    assert max(height, width) > 300


def test_picture_where_nothing_is() -> None:
    images, labels = moving_disks()
    empty = RunLengths.encode(np.zeros(labels.shape[1:], dtype=bool))
    shown = picture(Case("made", 1, 99, 0.0, empty), sequence_of(images, labels))
    assert shown.ndim == 3


def test_folder_in_use(tmp_path: Path) -> None:
    make_folder(tmp_path / "out", "worst", overwrite=False)
    (tmp_path / "out" / "worst" / "07.png").touch()
    (tmp_path / "out" / "worst" / "mine.png").touch()
    with pytest.raises(StorageError, match="is not empty"):
        make_folder(tmp_path / "out", "worst", overwrite=False)
    make_folder(tmp_path / "out", "worst", overwrite=True)
    assert [path.name for path in (tmp_path / "out" / "worst").iterdir()] == ["mine.png"]
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be used"):
        make_folder(tmp_path / "file" / "out", "worst", overwrite=False)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    images, labels = moving_disks()
    make_folder(tmp_path / "out", "worst", overwrite=False)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError, match=r"cannot be written .* No space left"):
        write(tmp_path / "out", _evaluation(), [sequence_of(images, labels)])


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    images, labels = moving_disks()
    make_folder(tmp_path / "out", "worst", overwrite=False)
    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(Sam2Error, match=r"Plots need matplotlib: .*napari-sam2\[evaluate\].*--no-plots"):
        write(tmp_path / "out", _evaluation(), [sequence_of(images, labels)])
    assert not extras.there_is("matplotlib")
    write(tmp_path / "out", _evaluation(), [sequence_of(images, labels)], plots=False)
    assert not (tmp_path / "out" / "clicks.png").exists()
    assert (tmp_path / "out" / "worst" / "02.png").exists()
