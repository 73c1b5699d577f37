"""Zarr and OME-Zarr: levels, axes, distances, places inside a store, and chunks that are not there."""

import json
import shutil
import warnings

import numpy as np
import pytest
import zarr

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.frames import frames_of, open_frames
from napari_sam2.io.images import open_image
from tests.io.made_files import ome_zarr, zarr_array

FULL = np.arange(1, 1 + 2 * 3 * 2 * 40 * 60, dtype=np.uint16).reshape(2, 3, 2, 40, 60)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("level", [0, 1])
def test_levels_of_ome_zarr(tmp_path, zarr_format, level):
    path = ome_zarr(tmp_path / "a.zarr", FULL, "TZCYX", zarr_format, levels=2, names=("DAPI", "GFP"))
    expected = FULL[..., :: 1 + level, :: 1 + level]
    for image in (open_image(path, level=level), open_image(path / str(level))):
        with image:
            assert (image.axes, image.level, image.channels) == ("TZCYX", level, ("DAPI", "GFP"))
            assert image.levels == (FULL.shape, FULL[..., ::2, ::2].shape)
            found = {letter: (s.step, s.unit) for letter, s in image.spacing.items()}
            size = 0.5 * (1 + level)
            assert found == {"T": (5, "s"), "Z": (2, "µm"), "Y": (size, "µm"), "X": (size, "µm")}
            assert np.array_equal(image.array, expected)
            assert np.array_equal(frames_of(image, at={"Z": 1}, channel="GFP")[1], expected[1, 1, 1])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_store_in_a_zip(tmp_path, zarr_format):
    ome_zarr(tmp_path / "a.zarr", FULL, "TZCYX", zarr_format, levels=2)
    path = tmp_path / "b.zarr.zip"
    shutil.make_archive(str(path.with_suffix("")), "zip", tmp_path / "a.zarr")
    for place, step in ((path, 1), (path / "1", 2)):
        with open_image(place) as image:
            assert np.array_equal(image.array, FULL[..., ::step, ::step])
        with pytest.raises(StorageError, match="closed"):
            image.array[0]
    path.write_bytes(b"PK garbage")
    with pytest.raises(StorageError, match=r"b\.zarr\.zip cannot be read.*no zip"):
        open_image(path)


def test_names_of_axes(tmp_path):
    with open_image(zarr_array(tmp_path / "a.zarr", FULL[:, :, 0], names="ZTYX")) as image:
        assert image.axes == "ZTYX"
    path = zarr_array(tmp_path / "b.zarr", FULL[:, :, 0], 2)
    zarr.open_array(path).attrs["_ARRAY_DIMENSIONS"] = ["time", "channel", "y", "x"]
    with open_image(path) as image:
        assert image.axes == "TCYX"
    path = zarr_array(tmp_path / "c.zarr", FULL[:, :, 0], names="abyx")
    with pytest.raises(ImageError, match=r'says what its axes are: name them, as in axes="TZYX"'):
        open_image(path)
    with open_frames(path, axes="ZTYX", at={"Z": 1}) as frames:
        assert np.array_equal(list(frames), FULL[1, :, 0])


def test_the_oldest_ome_zarr_names_no_axes(tmp_path):
    path = ome_zarr(tmp_path / "a.zarr", FULL, "TZCYX", 2)
    group = zarr.open_group(path)
    scales = group.attrs["multiscales"]
    del scales[0]["axes"], scales[0]["datasets"][0]["coordinateTransformations"]
    group.attrs["multiscales"] = scales
    with open_image(path) as image:
        assert image.axes == "TCZYX"
        assert dict(image.spacing) == {}


def test_groups_lead_to_the_only_image_in_them(tmp_path):
    root = tmp_path / "a.zarr"
    zarr.open_group(root, mode="w")
    ome_zarr(root / "0", FULL, "TZCYX")
    zarr.open_group(root / "0" / "labels", mode="w")
    ome_zarr(root / "0" / "labels" / "cells", FULL[:, :, 0], "TZYX")
    zarr.open_group(root / "OME", mode="w")
    with open_image(root) as image:
        assert np.array_equal(image.array, FULL)
    with open_image(root / "0" / "labels" / "cells") as image:
        assert (image.axes, image.name) == ("TZYX", "a.zarr")
        assert np.array_equal(image.array, FULL[:, :, 0])
    ome_zarr(root / "1", FULL, "TZCYX")
    with pytest.raises(ImageError, match=r"a\.zarr holds 2 images .*such as a\.zarr/0; there are 0, 1\."):
        open_image(root)


def test_stores_in_a_folder_that_only_sounds_like_one(tmp_path):
    (tmp_path / "all.zarr").mkdir()
    zarr_array(tmp_path / "all.zarr" / "a", FULL[0, :, 0])
    with open_frames(tmp_path / "all.zarr" / "a") as frames:
        assert np.array_equal(list(frames), FULL[0, :, 0])


def test_empty_and_missing_stores(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(StorageError, match=r"a\.zarr is no zarr store: zarr\.json, \.zarray or \.zgroup is"):
        open_image(tmp_path / "a.zarr")
    zarr.open_group(tmp_path / "b.zarr", mode="w")
    with pytest.raises(StorageError, match=r"b\.zarr is an empty zarr group: nothing was written"):
        open_image(tmp_path / "b.zarr")
    with pytest.raises(StorageError, match=r"b\.zarr holds nothing at '0'"):
        open_image(tmp_path / "b.zarr" / "0")
    with pytest.raises(StorageError, match="does not exist"):
        open_image(tmp_path / "c.zarr")


def damaged(path, change):
    metadata = json.loads((path / "zarr.json").read_text())
    change(metadata)
    (path / "zarr.json").write_text(json.dumps(metadata))
    return path


def test_metadata_that_make_no_sense(tmp_path):
    def without_datasets(metadata):
        del metadata["attributes"]["ome"]["multiscales"][0]["datasets"]

    def one_axis_less(metadata):
        metadata["attributes"]["ome"]["multiscales"][0]["axes"].pop(0)
        for level in metadata["attributes"]["ome"]["multiscales"][0]["datasets"]:
            level["coordinateTransformations"][0]["scale"].pop(0)

    path = damaged(ome_zarr(tmp_path / "a.zarr", FULL, "TZCYX"), without_datasets)
    with pytest.raises(StorageError, match=r"multiscales cannot be understood .*datasets"):
        open_image(path)
    path = damaged(ome_zarr(tmp_path / "b.zarr", FULL, "TZCYX"), one_axis_less)
    with pytest.raises(StorageError, match="names the axes ZCYX, but the array 0 has the shape"):
        open_image(path)
    path = ome_zarr(tmp_path / "c.zarr", FULL, "TZCYX", levels=2)
    shutil.rmtree(path / "1")
    with pytest.raises(StorageError, match="holds nothing at '1'"):
        open_image(path)
    (path / "0" / "zarr.json").write_text("{")
    with pytest.raises(StorageError, match=r"c\.zarr cannot be read at '0'"):
        open_image(path)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_missing_chunk_counts_as_empty_with_a_warning(tmp_path, zarr_format):
    path = zarr_array(tmp_path / "a.zarr", FULL[:, :, 0].reshape(6, 40, 60), zarr_format, fill_value=7)
    gone = path / ("c/4/1/0" if zarr_format == 3 else "4.1.0")
    gone.unlink()
    with open_frames(path) as frames:
        assert np.array_equal(frames[3], FULL[1, 0, 0])
        with pytest.warns(
            UserWarning, match=r"1 chunk.*\[4, 0:40, 0:60\].*4.1.0.*count as 7\. .*copy or export"
        ):
            frame = frames[4]
        assert np.array_equal(frame[:32], FULL[1, 1, 0, :32])
        assert np.array_equal(frame[:, 32:], FULL[1, 1, 0, :, 32:])
        assert (frame[32:, :32] == 7).all()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            frames[4]  # it was said


def test_empty_chunks_that_are_stored_are_no_reason_to_warn(tmp_path):
    with open_frames(zarr_array(tmp_path / "a.zarr", np.zeros((3, 40, 60), np.uint8))) as frames:
        assert not frames[1].any()


def test_a_missing_chunk_without_a_fill_value_is_an_error(tmp_path):
    path = zarr_array(tmp_path / "a.zarr", FULL[0, :, 0], 2)
    metadata = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps(metadata | {"fill_value": None}))
    (path / "1.0.1").unlink()
    with open_frames(path) as frames:
        assert np.array_equal(frames[0], FULL[0, 0, 0])
        with pytest.raises(
            StorageError, match=r"a\.zarr cannot be read at \[1, 0:40, 0:60\] .*1\.0\.1 is missing"
        ):
            frames[1]


def test_a_chunk_that_cannot_be_decoded(tmp_path):
    path = zarr_array(tmp_path / "a.zarr", FULL[0, :, 0])
    (path / "c/1/0/0").write_bytes(b"garbage")
    with open_frames(path) as frames:
        assert np.array_equal(frames[2], FULL[0, 2, 0])
        with pytest.raises(StorageError, match=r"a\.zarr cannot be read at \[1, 0:40, 0:60\]"):
            frames[1]


def test_a_missing_shard_is_named(tmp_path):
    path = tmp_path / "a.zarr"
    made = zarr.create_array(path, shape=(4, 40, 60), dtype="u2", chunks=(1, 20, 20), shards=(2, 40, 60))
    made[:2] = FULL[0, :2, 0]
    with open_frames(path) as frames:
        assert np.array_equal(frames[1], FULL[0, 1, 0])
        with pytest.warns(UserWarning, match=r"1 chunk.*c/1/0/0"):
            assert not frames[2].any()
