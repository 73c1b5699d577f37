"""The layouts of DAVIS and SA-V, read back with Pillow and with what reads such data sets."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_sam2.errors import StorageError
from napari_sam2.io.label_videos import open_davis, open_sav
from napari_sam2.io.results import Results
from napari_sam2.io.video_folders import write_davis, write_sav
from tests.io.result_scene import LENGTH, NOTES, Scene, scene


def pictures(made: Scene) -> np.ndarray:
    gray = (made.images // 16).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)


def test_davis(tmp_path: Path) -> None:
    made = scene()
    shown = pictures(made)
    write_davis(made.results(picture=lambda t: shown[t]), tmp_path / "cells")
    marks = tmp_path / "cells" / "Annotations" / "480p" / "cells"
    assert sorted(os.listdir(marks)) == [f"{t:05d}.png" for t in range(LENGTH)]
    for t in range(LENGTH):
        with Image.open(marks / f"{t:05d}.png") as picture:
            assert picture.mode == "P"
            assert np.array_equal(np.array(picture), made.labels[t])
            assert len(set(map(tuple, np.array(picture.getpalette()).reshape(-1, 3)[:10]))) == 10
    assert (tmp_path / "cells" / "ImageSets" / "2017" / "val.txt").read_text() == "cells\n"
    (sequence,) = open_davis(tmp_path / "cells") or []
    frames, labels = sequence.read()
    assert np.array_equal(labels, made.labels)
    assert frames.shape == shown.shape
    assert np.abs(frames.astype(int) - shown).mean() < 10  # JPEG of noise


def test_sav_keeps_what_overlaps(tmp_path: Path) -> None:
    made = scene()
    shown = pictures(made)
    write_sav(made.results(picture=lambda t: shown[t]), tmp_path / "cells")
    places = json.loads((tmp_path / "cells" / "provenance.json").read_text())["places"]
    assert places == {"1": "000", "2": "001", "3": "002", "7": "003", "9": "004"}
    for number, place in places.items():
        for t in range(LENGTH):
            path = tmp_path / "cells" / "Annotations_6fps" / "cells" / place / f"{t:05d}.png"
            with Image.open(path) as picture:
                wanted = made.masks[t].get(int(number), np.zeros(made.labels.shape[1:], bool))
                assert np.array_equal(np.array(picture) > 0, wanted)
    (sequence,) = open_sav(tmp_path / "cells") or []
    frames, labels = sequence.read()
    assert len(frames) == LENGTH
    assert np.array_equal(labels > 0, made.labels > 0)


@pytest.mark.parametrize("write", [write_davis, write_sav])
def test_provenance_and_no_pictures(tmp_path: Path, write) -> None:
    write(scene().results(), tmp_path / "cells")
    said = json.loads((tmp_path / "cells" / "provenance.json").read_text())
    assert {key: said[key] for key in NOTES} == NOTES
    assert not list((tmp_path / "cells").glob("JPEG*"))


@pytest.mark.parametrize("write", [write_davis, write_sav])
def test_only_such_a_folder_is_replaced(tmp_path: Path, write) -> None:
    write(scene().results(), tmp_path / "cells")
    write(Results.of_labels(scene().labels[:2]), tmp_path / "cells", True)
    assert len(list((tmp_path / "cells").rglob("00001.png"))) > 0
    assert not list((tmp_path / "cells").rglob("00002.png"))
    (tmp_path / "cells" / "notes.doc").write_text("mine")
    with pytest.raises(StorageError, match="other things"):
        write(scene().results(), tmp_path / "cells", True)


def test_davis_has_8_bits(tmp_path: Path) -> None:
    labels = np.array([[[0, 300, 7], [1000, 0, 300]]])
    write_davis(Results.of_labels(labels), tmp_path / "few")
    with Image.open(tmp_path / "few" / "Annotations" / "480p" / "few" / "00000.png") as picture:
        assert np.array(picture).tolist() == [[0, 2, 1], [3, 0, 2]]
    assert json.loads((tmp_path / "few" / "provenance.json").read_text())["places"] == {
        "7": 1,
        "300": 2,
        "1000": 3,
    }
    with pytest.raises(StorageError, match=r"255 objects.*sa-v"):
        write_davis(Results.of_labels(np.arange(256).reshape(1, 16, 16)), tmp_path / "many")
    assert os.listdir(tmp_path) == ["few"]
