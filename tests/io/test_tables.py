"""Tables of tracks and measurements, against scikit-image and the rules of napari's Tracks layer."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from napari_sam2.errors import StorageError
from napari_sam2.io.results import Results
from napari_sam2.io.tables import write_measurements, write_tracks
from tests.io.result_scene import NOTES, scene


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tracks(tmp_path: Path) -> None:
    made = scene()
    write_tracks(made.results(), tmp_path / "tracks.csv")
    rows = read(tmp_path / "tracks.csv")
    assert list(rows[0])[:4] == ["track_id", "t", "y", "x"]
    # What the Tracks layer asks for: numbers, sorted by track and then by time.
    data = np.genfromtxt(tmp_path / "tracks.csv", delimiter=",", skip_header=1, usecols=range(4))
    assert np.array_equal(np.lexsort((data[:, 1], data[:, 0])), np.arange(len(data)))
    assert len(np.unique(data[:, :2], axis=0)) == len(data)
    for number, t, y, x in data:
        assert np.allclose((y, x), np.argwhere(made.masks[int(t)][int(number)]).mean(0))
    assert len(data) == sum(map(len, made.masks))
    graph = {int(row["track_id"]): [int(row["parent"])] for row in rows if row["parent"]}
    assert graph == {2: [1], 3: [1]}
    assert [row["t"] for row in rows if row["track_id"] == "7"] == ["0", "1", "4", "6"]
    assert {row["name"] for row in rows if row["track_id"] == "7"} == {"comes and goes"}
    assert {float(row["confidence"]) for row in rows if row["t"] == "4"} == {0.5}


def test_a_track_through_depth_is_one_place(tmp_path: Path) -> None:
    made = scene()
    write_tracks(made.results(frame_axis="Z"), tmp_path / "tracks.csv")
    rows = read(tmp_path / "tracks.csv")
    assert list(rows[0])[:5] == ["track_id", "t", "z", "y", "x"]
    assert [(row["track_id"], row["t"], row["parent"]) for row in rows] == [
        (number, "0", "") for number in ("1", "2", "3", "7")
    ]
    whole = np.array([[t, *at] for t, found in enumerate(made.masks) for at in np.argwhere(found.get(7))])
    assert np.allclose([float(rows[3][axis]) for axis in "zyx"], whole.mean(0))
    assert (int(rows[3]["volume"]), float(rows[3]["confidence"])) == (len(whole), 0.3)


@pytest.mark.parametrize("channels", [0, 2])
def test_measurements_are_those_of_scikit_image(tmp_path: Path, channels: int) -> None:
    measure = pytest.importorskip("skimage.measure", reason="needs scikit-image")
    made = scene()
    images = made.images if not channels else np.stack([made.images, 4000 - made.images], axis=-1)
    write_measurements(made.results(image=lambda t: images[t]), tmp_path / "a.csv")
    rows = read(tmp_path / "a.csv")
    assert len(rows) == sum(map(len, made.masks))
    ends = [""] if not channels else ["_0", "_1"]
    for row in rows:
        number, t = int(row["object_id"]), int(row["frame"])
        (wanted,) = measure.regionprops(made.masks[t][number].astype(np.uint8), images[t])
        assert float(row["area"]) == wanted.area
        assert float(row["area_scaled"]) == wanted.area * 0.125
        assert np.allclose((float(row["y"]), float(row["x"])), wanted.centroid)
        assert tuple(int(row[key]) for key in ("y0", "x0", "y1", "x1")) == wanted.bbox
        assert np.allclose([float(row[f"mean_intensity{c}"]) for c in ends], wanted.intensity_mean)
        assert np.allclose([float(row[f"max_intensity{c}"]) for c in ends], wanted.intensity_max)
        assert float(row["confidence"]) == made.confidence[t][number]


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    write_measurements(Results.of_labels(scene().labels), tmp_path / "a.csv")
    rows = read(tmp_path / "a.csv")
    assert list(rows[0]) == [
        *("object_id", "name", "class", "frame", "area", "y", "x", "y0", "x0", "y1", "x1"),
        "confidence",
    ]
    assert {row["confidence"] for row in rows} == {""}
    assert {row["class"] for row in rows} == {""}


@pytest.mark.parametrize(("write", "key"), [(write_tracks, "track_id"), (write_measurements, "object_id")])
def test_classes(tmp_path: Path, write, key: str) -> None:
    write(scene().results(classes={1: "mitotic", 7: "dead, or asleep"}), tmp_path / "a.csv")
    found = {row[key]: row["class"] for row in read(tmp_path / "a.csv")}
    assert found == {"1": "mitotic", "2": "", "3": "", "7": "dead, or asleep"}


@pytest.mark.parametrize("write", [write_tracks, write_measurements])
def test_provenance_lies_beside(tmp_path: Path, write) -> None:
    write(scene().results(), tmp_path / "a.csv")
    beside = json.loads((tmp_path / "a.csv.provenance.json").read_text())
    assert beside["spacing"] == [30.0, 0.5, 0.25]
    assert {key: beside["provenance"][key] for key in NOTES} == NOTES
    (tmp_path / "a.csv").unlink()
    with pytest.raises(StorageError, match=r"provenance\.json exists already"):
        write(scene().results(), tmp_path / "a.csv")
    assert os.listdir(tmp_path) == ["a.csv.provenance.json"]
    write(scene().results(), tmp_path / "a.csv", True)
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "a.csv.provenance.json"]
