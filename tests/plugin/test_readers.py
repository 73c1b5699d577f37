"""Session files as layers."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.model.sam2 import SAM2
from napari_sam2.plugin.readers import get_reader, read_sessions
from napari_sam2.plugin.reopening import session_of
from napari_sam2.session.session import Session

SCENE = moving_nuclei(4, 48, 56, objects=3, divisions=0, radius=6.0, seed=2)


@pytest.fixture(scope="module")
def network(small_model: SAM2) -> SAM2:
    return copy.deepcopy(small_model)


def saved(session: Session, path: Path) -> np.ndarray:
    """Paint a true mask on two frames, save, and return the labels."""
    for frame in (0, 2):
        session.prompt(frame, 5, mask=SCENE.labels[frame] == 1)
    session.save(path)
    labels = np.stack([session.labels(frame) for frame in range(len(session))])
    assert set(np.unique(labels)) == {0, 5}
    session.close()
    return labels


@pytest.mark.parametrize("name", ["a.json", "a.tif", "sam2.json.txt"])
def test_only_session_files_are_read(name: str) -> None:
    assert get_reader(name) is None


def test_several_at_once_are_read_only_where_all_are_sessions() -> None:
    assert get_reader(["a.sam2.json", "b.tif"]) is None
    assert get_reader(["a.sam2.json", "B.SAM2.JSON"]) is read_sessions


def test_image_and_labels_lie_on_each_other(tmp_path: Path, network: SAM2) -> None:
    picture, file = tmp_path / "cells.tif", tmp_path / "cells.sam2.json"
    tifffile.imwrite(picture, SCENE.images, imagej=True, metadata={"axes": "TYX"})
    labels = saved(Session.open(picture, model=network, axes="TYX"), file)
    reader = get_reader(str(file))
    assert reader is not None
    (image, attributes, kind), (found, truth, labels_kind) = reader(str(file))
    assert (kind, labels_kind) == ("image", "labels")
    assert np.array_equal(np.asarray(image), SCENE.images)
    assert np.array_equal(found, labels)
    assert attributes["name"] == "cells"
    assert attributes["axis_labels"] == truth["axis_labels"] == ["t", "y", "x"]
    assert session_of(attributes["metadata"]) == session_of(truth["metadata"]) == file


def test_labels_of_one_slice_lie_at_their_slice(tmp_path: Path, network: SAM2) -> None:
    picture, file = tmp_path / "deep.npy", tmp_path / "deep.sam2.json"
    stack = np.stack([SCENE.images // 2, SCENE.images, SCENE.images // 3], axis=1)
    np.save(picture, stack)
    labels = saved(Session(stack, network, axes="TZYX", at={"Z": 1}, path=picture), file)
    (image, _, _), (found, truth, _) = read_sessions(str(file))
    assert np.asarray(image).shape == (4, 3, 48, 56)
    assert found.shape == (4, 1, 48, 56)
    assert np.array_equal(found[:, 0], labels)
    assert truth["translate"].tolist() == [0, 1, 0, 0]


def test_without_the_image_the_labels_come_alone(tmp_path: Path, network: SAM2) -> None:
    file = tmp_path / "memory.sam2.json"
    labels = saved(Session(SCENE.images, network), file)
    with pytest.warns(UserWarning, match="never a file"):
        (found, truth, kind) = read_sessions(str(file))[0]
    assert kind == "labels"
    assert np.array_equal(found, labels)
    assert truth["name"] == "memory: saved objects"


def test_an_image_that_moved_is_missed(tmp_path: Path, network: SAM2) -> None:
    picture, file = tmp_path / "cells.npy", tmp_path / "cells.sam2.json"
    np.save(picture, SCENE.images)
    saved(Session(SCENE.images, network, path=picture), file)
    picture.unlink()
    with pytest.warns(UserWarning, match="is not at"):
        assert len(read_sessions(str(file))) == 1


def test_an_image_with_other_axes_is_not_shown(tmp_path: Path, network: SAM2) -> None:
    picture, file = tmp_path / "cells.npy", tmp_path / "cells.sam2.json"
    saved(Session(SCENE.images, network, axes="TYX", path=picture), file)
    np.save(picture, np.zeros((4, 2, 48, 56), np.uint16))
    with pytest.raises(ImageError):
        read_sessions(str(file))


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    file = tmp_path / "broken.sam2.json"
    file.write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        read_sessions(str(file))
