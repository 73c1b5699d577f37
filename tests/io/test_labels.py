"""Labels are written whole or not at all."""

import errno
import os

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io import labels as module
from napari_sam2.io.labels import LabelWriter, read_labels, read_provenance

SHAPE = (4, 12, 16)
LABELS = np.random.default_rng(0).integers(0, 300, SHAPE).astype(np.uint16)


def write(path, labels=LABELS, **how):
    with LabelWriter(path, labels.shape, **how) as writer:
        for i in reversed(range(len(labels))):
            writer[i] = labels[i]


@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.npy"])
def test_round_trip_backwards(tmp_path, name):
    write(tmp_path / name)
    got = read_labels(tmp_path / name)
    assert got.dtype == np.uint16
    assert np.array_equal(got, LABELS)
    assert os.listdir(tmp_path) == [name]


def test_the_tiff_is_compressed_and_says_its_axes(tmp_path):
    write(tmp_path / "a.tif", np.ones((4, 100, 100), np.uint16))
    assert (tmp_path / "a.tif").stat().st_size < 8000
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.series[0].axes == "TYX"
        assert tiff.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert not tiff.is_bigtiff


def test_bigtiff_where_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BIGTIFF_BYTES", 100)
    write(tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_bigtiff
    assert np.array_equal(read_labels(tmp_path / "a.tif"), LABELS)


@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
def test_one_frame_is_an_image(tmp_path, name):
    write(tmp_path / name, LABELS[:1])
    raw = tifffile.imread(tmp_path / name) if name == "a.tif" else np.load(tmp_path / name)
    assert raw.shape == (12, 16)
    assert np.array_equal(read_labels(tmp_path / name), LABELS[:1])


def test_frames_never_set_are_background_and_setting_again_replaces(tmp_path):
    with LabelWriter(tmp_path / "a.tif", SHAPE) as writer:
        writer[2] = LABELS[0]
        writer[2] = LABELS[2]
        assert np.array_equal(writer[2], LABELS[2])
        assert not writer[0].any()
    assert np.array_equal(read_labels(tmp_path / "a.tif"), LABELS * (np.arange(4) == 2)[:, None, None])


@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
@pytest.mark.parametrize(("label", "dtype"), [(65535, np.uint16), (65536, np.uint32), (2**32 - 1, np.uint32)])
def test_the_dtype_grows(tmp_path, name, label, dtype):
    with LabelWriter(tmp_path / name, SHAPE) as writer:
        writer[0] = LABELS[0]
        writer[1] = np.full(SHAPE[1:], label, np.int64)
    got = read_labels(tmp_path / name)
    assert got.dtype == dtype
    assert got[1].min() == label
    assert np.array_equal(got[0], LABELS[0])


def test_provenance(tmp_path):
    said = {"model": "nano", "thresholds": [0.5, 1], "who": "Zoë"}
    write(tmp_path / "a.tif", provenance=said)
    assert read_provenance(tmp_path / "a.tif") == said
    write(tmp_path / "b.tif")
    assert read_provenance(tmp_path / "b.tif") == {}
    np.save(tmp_path / "c.npy", LABELS)
    assert read_provenance(tmp_path / "c.npy") == {}
    with pytest.raises(StorageError, match="as JSON"):
        LabelWriter(tmp_path / "d.tif", SHAPE, provenance={"model": object()})
    with pytest.raises(StorageError, match="cannot hold provenance"):
        LabelWriter(tmp_path / "d.npy", SHAPE, provenance=said)


def test_the_file_in_the_way_stays_unless_told(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"mine")
    with pytest.raises(StorageError, match=r"exists already.*overwrite=True.*--overwrite"):
        LabelWriter(path, SHAPE)
    assert path.read_bytes() == b"mine"
    write(path, overwrite=True)
    assert np.array_equal(read_labels(path), LABELS)


def test_a_file_that_comes_in_the_way_meanwhile_stays(tmp_path):
    writer = LabelWriter(tmp_path / "a.tif", SHAPE)
    (tmp_path / "a.tif").write_bytes(b"mine")
    with pytest.raises(StorageError, match="exists already"):
        writer.close()
    assert (tmp_path / "a.tif").read_bytes() == b"mine"


def test_a_failure_inside_leaves_nothing(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"mine")
    with pytest.raises(RuntimeError), LabelWriter(path, SHAPE, overwrite=True) as writer:
        writer[0] = LABELS[0]
        raise RuntimeError
    assert path.read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["a.tif"]


@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, r"disk is full: a\..* was not written.*Free some space"),
        (errno.EROFS, "cannot be written to .read-only"),
        (errno.EIO, "was not written .*check the disk"),
    ],
)
def test_writing_fails_half_way(tmp_path, monkeypatch, name, code, words):
    path = tmp_path / name
    path.write_bytes(b"mine")
    writer = LabelWriter(path, SHAPE, overwrite=True)
    for i in range(4):
        writer[i] = LABELS[i]
    seen = []

    def stack():
        yield LABELS[0]
        seen.extend(os.listdir(tmp_path))
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_stack", stack)
        with pytest.raises(StorageError, match=words):
            writer.close()
    assert len(seen) == 2
    assert os.listdir(tmp_path) == [name]
    assert path.read_bytes() == b"mine"
    writer.close()
    assert np.array_equal(read_labels(path), LABELS)


def test_the_disk_is_full_when_flushing(tmp_path, monkeypatch):
    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", fsync)
    with pytest.raises(StorageError, match="disk is full"):
        write(tmp_path / "a.tif")
    assert os.listdir(tmp_path) == []


def test_interruption_leaves_nothing(tmp_path, monkeypatch):
    def replace(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.tif")
    assert os.listdir(tmp_path) == []


def test_places_where_nothing_can_be_written(tmp_path, monkeypatch):
    with pytest.raises(StorageError, match=r"'\.png'"):
        LabelWriter(tmp_path / "a.png", SHAPE)
    with pytest.raises(StorageError, match="does not exist: make it"):
        LabelWriter(tmp_path / "no" / "a.tif", SHAPE)
    (tmp_path / "b.tif").mkdir()
    with pytest.raises(StorageError, match="is a folder"):
        LabelWriter(tmp_path / "b.tif", SHAPE, overwrite=True)
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    with pytest.raises(StorageError, match="read-only"):
        LabelWriter(tmp_path / "a.tif", SHAPE)


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ((4, 5), np.uint16, r"\(T, H, W\)"),
        ((0, 5, 5), np.uint16, "at least 1"),
        (SHAPE, np.float32, "got float32"),
        (SHAPE, np.int16, "got int16"),
    ],
)
def test_stacks_that_hold_no_labels(tmp_path, shape, dtype, words):
    with pytest.raises(ImageError, match=words):
        LabelWriter(tmp_path / "a.tif", shape, dtype=dtype)


@pytest.mark.parametrize(
    ("frame", "labels", "error", "words"),
    [
        (0, LABELS, ImageError, r"shape \(12, 16\) are expected"),
        (0, LABELS[0] * 0.5, ImageError, "float64.*whole numbers"),
        (0, LABELS[0].astype(int) - 1, ImageError, "from -1 to"),
        (0, LABELS[0].astype(int) + 2**32, ImageError, "only 0 to 4294967295"),
        (4, LABELS[0], StorageError, r"4 frame\(s\), so there is no frame 4"),
        (-1, LABELS[0], StorageError, "no frame -1"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, frame, labels, error, words):
    writer = LabelWriter(tmp_path / "a.tif", SHAPE)
    with pytest.raises(error, match=words):
        writer[frame] = labels
    writer.discard()
    with pytest.raises(StorageError, match="closed: make a new one"):
        writer[0] = LABELS[0]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (LABELS.astype(np.float32), "float32.*rather than its labels"),
        (np.zeros((2, 5, 5, 3), np.uint8), r"\(2, 5, 5, 3\)"),
        (LABELS.astype(np.int32) - 1, "holds the label -1"),
    ],
)
def test_files_that_hold_no_labels(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ImageError, match=words):
        read_labels(tmp_path / "a.npy")


def test_missing_labels(tmp_path):
    with pytest.raises(StorageError, match="does not exist"):
        read_labels(tmp_path / "a.tif")
    with pytest.raises(StorageError, match="does not exist"):
        read_provenance(tmp_path / "a.tif")
