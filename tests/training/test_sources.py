"""Annotated folders as recordings, and which frames are held back."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam2.errors import StorageError
from napari_sam2.training.recordings import Kind
from napari_sam2.training.sources import load_data, split_data


def movie(folder: Path, labelled: tuple[int, ...] = tuple(range(6)), name: str = "labels.tif") -> None:
    """Six frames with one object that moves; some may have no labels."""
    rng = np.random.default_rng(0)
    labels = np.zeros((6, 40, 48), np.uint16)
    for t in labelled:
        labels[t, 10 : 20 + t, 8:20] = 70
    images = (
        rng.integers(0, 50, labels.shape).astype(np.uint8) + 10 * np.arange(6, dtype=np.uint8)[:, None, None]
    )
    tifffile.imwrite(folder / "image.tif", images, photometric="minisblack", metadata={"axes": "TYX"})
    tifffile.imwrite(folder / name, labels, photometric="minisblack", metadata={"axes": "TYX"})


def test_a_tracked_movie_gives_stills_and_a_clip(tmp_path: Path) -> None:
    movie(tmp_path)
    data = split_data(tmp_path, [0, 3, 4])
    assert [r.kind for r in data.stills] == [Kind.STILL] * 3
    (clip,) = data.clips
    assert clip.kind is Kind.TRACKED
    assert clip.labels.shape == (3, 40, 48)
    assert [int(labels.sum()) for labels in clip.labels] == [70 * 12 * (10 + t) for t in (0, 3, 4)]
    assert [(f.name, int((f.labels > 0).sum())) for f in data.held] == [
        (f"image {t}", 12 * (10 + t)) for t in (1, 2, 5)
    ]


def test_labels_frame_by_frame_give_stills_alone(tmp_path: Path) -> None:
    movie(tmp_path, name="labels_per_frame.tif")
    data = split_data(tmp_path, [0, 5])
    assert len(data.stills) == 2
    assert data.clips == ()
    assert [frame.image.shape for frame in data.held] == [(40, 48)] * 4


def test_frames_without_labels_do_not_count(tmp_path: Path) -> None:
    movie(tmp_path, labelled=(1, 4, 5))
    data = split_data(tmp_path, [0, 2])
    assert [frame.name for frame in data.held] == ["image 4"]
    assert data.chosen == 2


@pytest.mark.parametrize(("share", "chosen"), [(0.5, 3), (0.01, 1), (0.99, 5)])
def test_a_share_is_spread(tmp_path: Path, share: float, chosen: int) -> None:
    movie(tmp_path)
    data = split_data(tmp_path, share=share)
    assert (len(data.stills), len(data.held)) == (chosen, 6 - chosen)


def test_at_most_so_many_are_held(tmp_path: Path) -> None:
    movie(tmp_path)
    assert [f.name for f in split_data(tmp_path, [0], most_held=2).held] == ["image 1", "image 5"]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([0, 6], "0 to 5, so there is no frame 6"),
        ([-1], "no frame -1"),
        (range(6), "leave one out"),
        ([], "none"),
    ],
)
def test_frames_that_are_not_there(tmp_path: Path, frames: list[int], message: str) -> None:
    movie(tmp_path)
    with pytest.raises(StorageError, match=message):
        split_data(tmp_path, frames)


def test_one_labelled_frame_is_too_few(tmp_path: Path) -> None:
    movie(tmp_path, labelled=(2,))
    with pytest.raises(StorageError, match=r"1 labelled frame\(s\), but at least 2"):
        split_data(tmp_path)


def test_a_whole_folder(tmp_path: Path) -> None:
    big = np.zeros((40, 48), np.int32)
    big[5:20, 5:20], big[22:35, 5:20] = 100_000, 7
    for name in "ab":
        Image.fromarray(np.arange(40 * 48, dtype=np.uint8).reshape(40, 48)).save(tmp_path / f"{name}.png")
        tifffile.imwrite(tmp_path / f"{name}_labels.tif", big)
    found = load_data(tmp_path)
    assert [r.kind for r in found] == [Kind.STILL] * 2
    assert set(np.unique(found[0].labels)) == {0, 1, 2}  # 100000 does not fit into 16 bits
