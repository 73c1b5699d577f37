"""Videos with masks: DAVIS and SA-V, whole, in part and damaged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.datasets import open_dataset
from tests.io.test_datasets import cut, marks, only, picture, save
from tests.io.test_run_length import encode


def davis(folder: Path, name: str, masks: tuple[int, ...] = (0, 1, 2), extra: str = "") -> None:
    for t in range(3):
        save(folder / "JPEGImages" / extra / name / f"{t:05}.jpg", picture(t, (20, 24, 3)))
    for t in masks:
        save(folder / "Annotations" / extra / name / f"{t:05}.png", marks((2, 2 + t), (9, 9)))


@pytest.mark.parametrize("extra", ["", "480p"])
def test_davis(tmp_path: Path, extra: str) -> None:
    davis(tmp_path, "bear", extra=extra)
    davis(tmp_path, "camel", masks=(0, 2), extra=extra)
    bear, camel = open_dataset(tmp_path)
    assert (bear.name, bear.kind, bear.annotated, bear.complete) == ("bear", "video", None, False)
    assert camel.annotated == (0, 2)
    images, labels = bear.read()
    assert images.shape == (3, 20, 24, 3)
    assert np.array_equal(labels, np.stack([marks((2, 2 + t), (9, 9)) for t in range(3)]))
    assert not camel.read()[1][1].any()


def test_a_palette_gives_numbers_not_colours(tmp_path: Path) -> None:
    from PIL import Image

    davis(tmp_path, "bear")
    for path in (tmp_path / "Annotations" / "bear").iterdir():
        with Image.open(path) as gray:
            indexed = gray.copy()
        indexed.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [0] * 759)
        indexed.save(path)
    with Image.open(path) as picture_file:
        assert picture_file.mode == "P"
    assert set(np.unique(only(open_dataset(tmp_path)).read()[1])) == {0, 1, 2}


@pytest.mark.parametrize("inside", [True, False])
def test_frames_and_masks(tmp_path: Path, inside: bool) -> None:
    folder = tmp_path / "bear"
    for t in range(2):
        save(folder / "frames" / f"{t}.png", picture(t))
        save(folder / "masks" / f"{t}.png", marks((1, 1)))
    sequence = only(open_dataset(folder if inside else tmp_path))
    assert sequence.name == "bear"
    assert sequence.read()[0].shape == (2, 20, 24)


def test_a_damaged_frame_in_the_middle(tmp_path: Path) -> None:
    davis(tmp_path, "bear")
    (tmp_path / "JPEGImages" / "bear" / "00001.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.warns(UserWarning, match=r"A frame of bear is left out: 00001\.jpg cannot be read"):
        images, labels = only(open_dataset(tmp_path)).read()
    assert len(images) == 2
    assert np.array_equal(labels[1], marks((2, 4), (9, 9)))


def test_a_damaged_frame_where_frames_count(tmp_path: Path) -> None:
    davis(tmp_path, "bear", masks=(0, 2))
    (tmp_path / "JPEGImages" / "bear" / "00001.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(StorageError, match=r"00001\.jpg"):
        only(open_dataset(tmp_path)).read()


def test_masks_of_another_size_or_name(tmp_path: Path) -> None:
    davis(tmp_path, "bear")
    save(tmp_path / "Annotations" / "bear" / "00001.png", marks((1, 1), shape=(24, 20)))
    with pytest.raises(ImageError, match="Frame 1 of bear is 20 x 24 pixels, but its labels are 24 x 20"):
        only(open_dataset(tmp_path)).read()
    for path in (tmp_path / "Annotations" / "bear").iterdir():
        path.rename(path.with_stem("mask" + path.stem))
    with pytest.raises(StorageError, match="has the name of a frame"):
        open_dataset(tmp_path)


def sav(folder: Path, **more: object) -> np.ndarray:
    """Nine frames; the masks of frames 0, 4 and 8, one object of the last is not in view."""
    masks = np.zeros((3, 2, 20, 24), bool)
    masks[:, 0, 2:8, 3:9] = True
    masks[:2, 1, 6:12, 6:14] = True
    codes = [[encode(mask) if mask.any() else None for mask in frame] for frame in masks]
    notes = {"video_id": "sav_1", "masklet": codes, **more}
    (folder / "sav_1_manual.json").write_text(json.dumps(notes))
    return masks


def test_sav_training_reads_annotated_frames(tmp_path: Path) -> None:
    masks = sav(tmp_path)
    for t in range(0, 9, 2):
        save(tmp_path / "sav_1" / f"{t:05}.png", picture(t, (20, 24, 3)))
    sequence = only(open_dataset(tmp_path))
    images, labels = sequence.read()
    assert (sequence.kind, sequence.annotated) == ("video", None)
    assert np.array_equal(images, np.stack([picture(t, (20, 24, 3)) for t in (0, 4, 8)]))
    assert np.array_equal(labels == 1, masks[:, 0])  # the first object keeps what both cover
    assert np.array_equal(labels == 2, masks[:, 1] & ~masks[:, 0])


def test_sav_says_its_rate(tmp_path: Path) -> None:
    sav(tmp_path, fps=12)
    for t in range(9):
        save(tmp_path / "sav_1" / f"{t:05}.png", picture(t))
    images, _ = only(open_dataset(tmp_path)).read()
    assert np.array_equal(images, np.stack([picture(t) for t in (0, 2, 4)]))


def test_sav_without_its_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sav(tmp_path)
    with pytest.raises(StorageError, match=r"Neither sav_1\.mp4 nor a folder sav_1"):
        open_dataset(tmp_path)
    (tmp_path / "sav_1.mp4").write_bytes(b"none")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(StorageError, match=r"napari-sam2\[video\]"):
        only(open_dataset(tmp_path)).read()


def test_sav_movie(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="the video extra is not installed")
    masks = sav(tmp_path)
    with av.open(str(tmp_path / "sav_1.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height = 24, 20
        for t in range(9):
            frame = av.VideoFrame.from_ndarray(np.full((20, 24, 3), 20 * t, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    images, labels = only(open_dataset(tmp_path)).read()
    assert np.abs(images.mean((1, 2, 3)) - [0, 80, 160]).max() < 8
    assert np.array_equal(labels == 1, masks[:, 0])


def test_sav_validation(tmp_path: Path) -> None:
    for t in range(9):
        save(tmp_path / "JPEGImages_24fps" / "sav_2" / f"{t:05}.jpg", picture(t, (20, 24, 3)))
    for t in (0, 4, 8):
        for number, place in enumerate(((2, 2), (9, 9))):
            folder = tmp_path / "Annotations_6fps" / "sav_2" / f"{number:03}"
            save(folder / f"{t:05}.png", marks(place) * 255)
    sequence = only(open_dataset(tmp_path))
    images, labels = sequence.read()
    assert sequence.annotated == (0, 4, 8)
    assert len(images) == 9
    assert np.array_equal(labels[4], marks((2, 2), (9, 9)))
    assert not labels[5].any()


def test_damaged_annotation(tmp_path: Path) -> None:
    (tmp_path / "sav_3_manual.json").write_text("{}")
    with pytest.raises(StorageError, match="not a readable SA-V"):
        open_dataset(tmp_path)
    (tmp_path / "sav_3_manual.json").write_text('{"masklet": [[null], null]}')
    with pytest.raises(StorageError, match="no mask on any frame"):
        open_dataset(tmp_path)


def test_cut_mask(tmp_path: Path) -> None:
    davis(tmp_path, "bear")
    cut(tmp_path / "Annotations" / "bear" / "00002.png")
    with pytest.warns(UserWarning, match=r"00002\.png cannot be read"):
        assert len(only(open_dataset(tmp_path)).read()[0]) == 2
