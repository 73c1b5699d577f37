"""Every layout is recognised and read back as it was written; what is wrong is said in a sentence."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.datasets import LabelledSequence, open_dataset, read_dataset
from tests.conftest import SHARED


def picture(seed: int = 0, shape: tuple[int, ...] = (20, 24)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, shape).astype(np.uint8)


def marks(*corners: tuple[int, int], shape: tuple[int, int] = (20, 24)) -> np.ndarray:
    """A square of five pixels for every corner, numbered from 1."""
    labels = np.zeros(shape, np.uint8)
    for number, (y, x) in enumerate(corners, 1):
        labels[y : y + 5, x : x + 5] = number
    return labels


def save(path: Path, array: np.ndarray, axes: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        metadata = {"axes": axes} if axes else None
        tifffile.imwrite(path, array, photometric="minisblack", metadata=metadata)
    else:
        Image.fromarray(array).save(path)


def only(sequences: list[LabelledSequence]) -> LabelledSequence:
    (sequence,) = sequences
    return sequence


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("a_image.png", "a_labels.png"),
        ("a_image.tif", "a_labels.png"),
        ("a.png", "a_mask.png"),
        ("img2d.tif", "mask2d.tif"),
        ("image.tif", "labels.tif"),
        ("image.tif", "labels_derived.tif"),
        ("images/a.png", "labels/a.png"),
        ("images/a.png", "masks/a.tif"),
    ],
)
def test_pairs(tmp_path: Path, image: str, labels: str) -> None:
    save(tmp_path / image, picture())
    save(tmp_path / labels, marks((2, 2), (9, 9)))
    sequence = only(open_dataset(tmp_path))
    images, read = sequence.read()
    assert (sequence.kind, sequence.annotated, sequence.complete) == ("image", None, True)
    assert np.array_equal(images, picture()[None])
    assert np.array_equal(read, marks((2, 2), (9, 9))[None])


def test_many_pairs_and_a_label_without_image(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / f"{name}_image.png", picture(ord(name)))
        save(tmp_path / f"{name}_labels.png", marks((2, 2)))
    save(tmp_path / "unlabelled_image.png", picture())
    save(tmp_path / "c_labels.png", marks((2, 2)))
    with pytest.warns(UserWarning, match=r"1 label file\(s\) have no image.*c_labels\.png"):
        sequences = open_dataset(tmp_path)
    assert [sequence.name for sequence in sequences] == ["a_image", "b_image"]


@pytest.mark.parametrize(("axes", "kind"), [("TYX", "movie"), ("ZYX", "volume")])
def test_stacks(tmp_path: Path, axes: str, kind: str) -> None:
    frames = np.stack([picture(t) for t in range(3)])
    labels = np.stack([marks((2, 2 + t), (9, 9)) for t in range(3)])
    save(tmp_path / "image.tif", frames, axes)
    save(tmp_path / "labels.tif", labels, axes)
    sequence = only(open_dataset(tmp_path))
    assert sequence.kind == kind
    images, read = sequence.read()
    assert np.array_equal(images, frames)
    assert np.array_equal(read, labels)


def test_labels_that_are_not_linked_give_images(tmp_path: Path) -> None:
    save(tmp_path / "image.tif", np.stack([picture(t) for t in range(3)]), "TYX")
    swapped = np.stack([marks((2, 2), (9, 9)), marks((9, 9), (2, 2)), marks((2, 2), (9, 9))])
    save(tmp_path / "labels.tif", swapped, "TYX")
    with pytest.warns(UserWarning, match="do not keep their number"):
        sequences = open_dataset(tmp_path)
    assert [sequence.kind for sequence in sequences] == ["image"] * 3
    images, labels = sequences[1].read()
    assert np.array_equal(images, picture(1)[None])
    assert np.array_equal(labels, swapped[1:2])

    (tmp_path / "labels.tif").rename(tmp_path / "labels_per_frame.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(open_dataset(tmp_path)) == 3


def test_index(tmp_path: Path) -> None:
    save(tmp_path / "x" / "1.png", picture(1, (20, 24, 3)))
    save(tmp_path / "x" / "1m.png", marks((2, 2)))
    save(tmp_path / "y.tif", np.stack([picture(t) for t in range(2)]))
    save(tmp_path / "ym.tif", np.stack([marks((2, 2))] * 2))
    for t in range(2):
        save(tmp_path / "v" / "frames" / f"{t:05}.jpg", picture(t, (20, 24, 3)))
        save(tmp_path / "v" / "masks" / f"{t:05}.png", marks((1, 1)) * 255)
    items = [
        {"image": "x/1.png", "label": "x/1m.png", "kind": "2d", "label_quality": "manual"},
        {"image": "y.tif", "label": "ym.tif", "kind": "2d+t", "label_quality": "silver, partial"},
        {"image": "y.tif", "label": "ym.tif", "kind": "3d"},
        {"image": "v/frames", "label": "v/masks", "kind": "video"},
    ]
    (tmp_path / "index.json").write_text(json.dumps({"items": items}))
    sequences = open_dataset(tmp_path)
    assert [(s.name, s.kind, s.complete) for s in sequences] == [
        ("x/1", "image", True),
        ("y", "movie", False),
        ("y", "volume", True),
        ("v/frames", "video", False),
    ]
    assert [s.read()[0].shape for s in sequences] == [
        (1, 20, 24, 3),
        (2, 20, 24),
        (2, 20, 24),
        (2, 20, 24, 3),
    ]
    assert sequences[3].read()[1].max() == 1
    assert len(open_dataset(tmp_path / "index.json")) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no readable list"),
        ('{"items": []}', "lists no items"),
        ('{"items": [{"image": "a", "label": "b", "kind": "4d"}]}', "kind 4d"),
        ('{"items": [{"image": "a.png", "label": "b.png", "kind": "2d"}]}', "does not exist"),
    ],
)
def test_bad_index(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(StorageError, match=message):
        open_dataset(tmp_path)


def test_labels_of_another_shape(tmp_path: Path) -> None:
    save(tmp_path / "a_image.png", picture())
    save(tmp_path / "a_labels.png", marks((2, 2), shape=(20, 25)))
    with pytest.raises(ImageError, match=r"a_labels.png holds labels of shape \(1, 20, 25\)"):
        open_dataset(tmp_path)


def test_empty_labels(tmp_path: Path) -> None:
    save(tmp_path / "a_image.png", picture())
    save(tmp_path / "a_labels.png", marks())
    with pytest.warns(UserWarning, match="a_image is left out"), pytest.raises(ImageError, match="only 0"):
        list(read_dataset(open_dataset(tmp_path)))
    save(tmp_path / "b_image.png", picture())
    save(tmp_path / "b_labels.png", marks((2, 2)))
    with pytest.warns(UserWarning, match="a_image is left out: a_labels.png holds no labels"):
        (kept,) = read_dataset(open_dataset(tmp_path))
    assert kept.sequence.name == "b_image"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-25])


@pytest.mark.parametrize("where", ["a_image.png", "a_labels.png"])
def test_a_damaged_file_among_others_is_left_out(tmp_path: Path, where: str) -> None:
    for name in "ab":
        save(tmp_path / f"{name}_image.png", picture())
        save(tmp_path / f"{name}_labels.png", marks((2, 2)))
    cut(tmp_path / where)
    with pytest.warns(UserWarning, match=f"a_image is left out: {where} cannot be read"):
        (kept,) = read_dataset(open_dataset(tmp_path))
    assert kept.sequence.name == "b_image"


def test_a_file_that_is_empty_is_left_out_when_the_folder_is_opened(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / f"{name}_image.png", picture())
        save(tmp_path / f"{name}_labels.png", marks((2, 2)))
    (tmp_path / "a_image.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"a_image\.png is left out: a_image\.png is empty"):
        assert len(open_dataset(tmp_path)) == 1
    (tmp_path / "b_labels.png").write_bytes(b"")
    with pytest.raises(StorageError, match="a_image"):
        open_dataset(tmp_path)


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    save(tmp_path / "a_image.png", picture())
    save(tmp_path / "a_labels.png", marks((2, 2)))
    cut(tmp_path / "a_image.png")
    sequences = open_dataset(tmp_path)
    with pytest.warns(UserWarning, match="left out"), pytest.raises(StorageError, match="cut short"):
        list(read_dataset(sequences))


def test_nothing_recognised(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"No annotated images were recognised.*X_labels\.tif"):
        open_dataset(tmp_path)
    with pytest.raises(StorageError, match="does not exist"):
        open_dataset(tmp_path / "nowhere")
    save(tmp_path / "alone.png", picture())
    with pytest.raises(StorageError, match="is a file"):
        open_dataset(tmp_path / "alone.png")


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared images are not there")
@pytest.mark.parametrize(
    ("folder", "kinds"),
    [
        ("data/cells_2dt_c2c12_phase", {"image"}),
        ("data/nuclei_2dt_mitocheck", {"movie"}),
        ("data/nuclei_3d_gonuclear_1135", {"volume"}),
        ("data/video_davis2016", {"video"}),
        ("train", {"image", "movie", "volume", "video"}),
    ],
)
def test_real_folders(folder: str, kinds: set[str]) -> None:
    sequences = open_dataset(SHARED / folder)
    assert {sequence.kind for sequence in sequences} == kinds
    images, labels = sequences[0].read()
    assert images.shape[:3] == labels.shape
    assert labels.any()
