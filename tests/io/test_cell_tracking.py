"""The Cell Tracking Challenge's folders: markers alone, outlines numbered by markers, silver before gold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.datasets import open_dataset
from tests.io.test_datasets import marks, only, picture, save


def frames(folder: Path, count: int = 3) -> None:
    for t in range(count):
        save(folder / "01" / f"t{t:03}.tif", picture(t))


def points(t: int, *centres: tuple[int, int]) -> np.ndarray:
    """A marker of one pixel each, numbered 11, 12, ..."""
    labels = np.zeros((20, 24), np.uint16)
    for number, (y, x) in enumerate(centres, 11):
        labels[y, x] = number
    return labels


def test_markers_alone(tmp_path: Path) -> None:
    frames(tmp_path)
    for t in range(3):
        save(tmp_path / "01_GT" / "TRA" / f"man_track{t:03}.tif", marks((2, 2 + t), (9, 9)))
    sequence = only(open_dataset(tmp_path))
    assert (sequence.name, sequence.kind, sequence.annotated, sequence.complete) == (
        "01", "movie", None, True,
    )  # fmt: skip
    images, labels = sequence.read()
    assert np.array_equal(images, np.stack([picture(t) for t in range(3)]))
    assert np.array_equal(labels[2], marks((2, 4), (9, 9)))


def test_outlines_take_the_numbers_of_markers(tmp_path: Path) -> None:
    frames(tmp_path)
    for t in range(3):
        save(tmp_path / "01_GT" / "TRA" / f"man_track{t:03}.tif", points(t, (4, 4 + t), (11, 11)))
    # Counted the other way round, and one without a marker.
    save(tmp_path / "01_GT" / "SEG" / "man_seg000.tif", marks((9, 9), (2, 2)))
    save(tmp_path / "01_GT" / "SEG" / "man_seg002.tif", marks((9, 9), (2, 4), (14, 18)))
    sequence = only(open_dataset(tmp_path))
    assert (sequence.annotated, sequence.complete) == ((0, 2), False)
    _, labels = sequence.read()
    assert np.array_equal(labels[0] == 11, marks((2, 2)) > 0)
    assert np.array_equal(labels[0] == 12, marks((9, 9)) > 0)
    assert np.array_equal(labels[2] == 11, marks((2, 4)) > 0)
    assert not labels[1].any()
    extra = set(np.unique(labels[2])) - {0, 11, 12}
    assert len(extra) == 1
    assert 2**15 < extra.pop() < 2**16


def test_silver_outlines_are_dense(tmp_path: Path) -> None:
    frames(tmp_path)
    save(tmp_path / "01_GT" / "SEG" / "man_seg001.tif", marks((9, 9)))
    for t in range(3):
        save(tmp_path / "01_ST" / "SEG" / f"man_seg{t:03}.tif", marks((2, 2)))
    sequence = only(open_dataset(tmp_path))
    assert (sequence.annotated, sequence.complete) == (None, True)
    assert np.array_equal(sequence.read()[1], np.stack([marks((2, 2))] * 3))


def test_what_does_not_fit(tmp_path: Path) -> None:
    frames(tmp_path, 1)
    save(tmp_path / "01_GT" / "SEG" / "man_seg000.tif", marks((2, 2)))
    save(tmp_path / "01_GT" / "TRA" / "man_track000.tif", marks((2, 2), shape=(8, 8)))
    with pytest.raises(ImageError, match="both need one size"):
        only(open_dataset(tmp_path)).read()
    save(tmp_path / "01" / "t000.tif", np.stack([picture(t) for t in range(5)]))
    with pytest.raises(ImageError, match="pick one plane"):
        only(open_dataset(tmp_path)).read()
    (tmp_path / "01" / "t000.tif").unlink()
    with pytest.raises(StorageError, match="holds no frames"):
        open_dataset(tmp_path)
