"""Results for the Cell Tracking Challenge: valid by an independent check, and complete."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import StorageError
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.io import cell_tracking_results
from napari_sam2.io.cell_tracking_results import TrackList, write_cell_tracking
from napari_sam2.io.labels import read_provenance
from napari_sam2.io.results import Results
from tests.io.result_scene import LENGTH, NOTES, scene


def read(folder: Path) -> tuple[np.ndarray, list[list[int]]]:
    masks = np.stack([tifffile.imread(path) for path in sorted(folder.glob("mask*.tif"))])
    lines = (folder / "res_track.txt").read_text().splitlines()
    return masks, [[int(part) for part in line.split()] for line in lines]


def test_divisions_and_gaps_by_hand(tmp_path: Path) -> None:
    write_cell_tracking(scene().results(), tmp_path / "01_RES")
    masks, tracks = read(tmp_path / "01_RES")
    # Object 7 is away on frames 2, 3 and 5: three tracks, each the parent of the next.
    assert tracks == [
        [1, 0, 2, 0],
        [2, 3, 6, 1],
        [3, 3, 6, 1],
        [7, 0, 1, 0],
        [10, 4, 4, 7],
        [11, 6, 6, 10],
    ]
    object_of = np.arange(12)
    object_of[[10, 11]] = 7
    assert np.array_equal(object_of[masks], scene().labels)
    assert masks.dtype == np.uint16
    assert sorted(os.listdir(tmp_path / "01_RES")) == [
        *(f"mask{t:03d}.tif" for t in range(LENGTH)),
        "res_track.txt",
    ]


def test_what_the_table_says_is_in_the_masks(tmp_path: Path) -> None:
    write_cell_tracking(scene().results(), tmp_path / "01_RES")
    masks, tracks = read(tmp_path / "01_RES")
    for label, begin, end, _ in tracks:
        assert np.flatnonzero((masks == label).any((1, 2))).tolist() == list(range(begin, end + 1))
    assert {label for label, *_ in tracks} == set(np.unique(masks)) - {0}


@pytest.mark.parametrize("made", ["scene", "nuclei"])
def test_an_independent_check_finds_it_valid(tmp_path: Path, made: str) -> None:
    validate = pytest.importorskip("ctc_metrics.scripts.validate", reason="needs py-ctcmetrics")
    results = scene().results()
    if made == "nuclei":
        phantom = moving_nuclei(12, 96, 96, objects=4, divisions=2, radius=7.0, seed=3)
        results = Results.of_labels(phantom.labels, parents=phantom.parents)
    write_cell_tracking(results, tmp_path / "01_RES")
    assert validate.validate_sequence(str(tmp_path / "01_RES"), threads=1) == {"Valid": 1}


def test_a_perfect_result_has_perfect_marks(tmp_path: Path) -> None:
    evaluate = pytest.importorskip("ctc_metrics.scripts.evaluate", reason="needs py-ctcmetrics")
    phantom = moving_nuclei(6, 96, 96, objects=3, divisions=1, radius=7.0, seed=3)
    write_cell_tracking(Results.of_labels(phantom.labels, parents=phantom.parents), tmp_path / "01_RES")
    truth = tmp_path / "01_GT"
    (truth / "TRA").mkdir(parents=True)
    (truth / "SEG").mkdir()
    for t, labels in enumerate(phantom.labels):
        for part, name in (("TRA", "man_track"), ("SEG", "man_seg")):
            tifffile.imwrite(truth / part / f"{name}{t:03d}.tif", labels, compression="zlib")
    lives = {n: np.flatnonzero((phantom.labels == n).any((1, 2))) for n in np.unique(phantom.labels) if n}
    lines = [f"{n} {at[0]} {at[-1]} {phantom.parents.get(int(n), 0)}" for n, at in lives.items()]
    (truth / "TRA" / "man_track.txt").write_text("\n".join(lines) + "\n")
    marks = evaluate.evaluate_sequence(
        str(tmp_path / "01_RES"), str(truth), metrics=["SEG", "TRA", "DET"], threads=1
    )
    assert {name: marks[name] for name in ("SEG", "TRA", "DET")} == {"SEG": 1.0, "TRA": 1.0, "DET": 1.0}


def test_provenance_is_in_the_first_mask(tmp_path: Path) -> None:
    write_cell_tracking(scene().results(), tmp_path / "01_RES")
    said = read_provenance(tmp_path / "01_RES" / "mask000.tif")
    assert {key: said[key] for key in NOTES} == NOTES
    assert said["objects"]["7"] == "comes and goes"
    assert read_provenance(tmp_path / "01_RES" / "mask001.tif") == {}


def test_a_stack_through_depth_is_one_time(tmp_path: Path) -> None:
    write_cell_tracking(scene().results(frame_axis="Z"), tmp_path / "01_RES")
    masks, tracks = read(tmp_path / "01_RES")
    assert np.array_equal(masks[0], scene().labels)
    assert tracks == [[1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0], [7, 0, 0, 0]]


def test_a_mother_that_outlives_her_daughter(tmp_path: Path) -> None:
    labels = np.array([[[1, 0]], [[1, 2]]])
    with pytest.raises(StorageError, match=r"mother until frame 1.*has to end before"):
        write_cell_tracking(Results.of_labels(labels, parents={2: 1}), tmp_path / "01_RES")
    assert os.listdir(tmp_path) == []


def test_mothers_and_daughters_that_are_never_seen_have_no_line(tmp_path: Path) -> None:
    labels = np.array([[[1, 0]], [[0, 2]]])
    objects = {1: "a", 2: "b", 3: "c", 4: "d"}
    write_cell_tracking(Results.of_labels(labels, objects=objects, parents={2: 3, 4: 1}), tmp_path / "01_RES")
    assert read(tmp_path / "01_RES")[1] == [[1, 0, 0, 0], [2, 1, 1, 0]]


def test_ids_beyond_16_bits_are_numbered_anew(tmp_path: Path) -> None:
    labels = np.array([[[70000, 0]], [[0, 90000]], [[70000, 0]]])
    write_cell_tracking(Results.of_labels(labels), tmp_path / "01_RES")
    assert read(tmp_path / "01_RES")[1] == [[1, 0, 0, 0], [2, 1, 1, 0], [3, 2, 2, 1]]


def test_room_between_ids_is_used_before_giving_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_tracking_results, "LARGEST", 4)
    tracks = TrackList([2, 4], {})
    for t in range(3):
        labels = np.array([[2 * (t % 2 == 0), 4]])
        tracks.add(t, labels)
    assert tracks.lines() == "1 2 2 2\n2 0 0 0\n4 0 2 0\n"
    tracks.add(4, np.array([[2, 0]]))
    with pytest.raises(StorageError, match="more than 4 tracks"):
        tracks.add(6, np.array([[2, 0]]))
    with pytest.raises(StorageError, match="more than 4 tracks"):
        TrackList([1, 2, 3, 4, 5], {})


def test_only_such_a_folder_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "01_RES"
    write_cell_tracking(scene().results(), folder)
    write_cell_tracking(Results.of_labels(scene().labels[:2]), folder, overwrite=True)
    assert len(read(folder)[0]) == 2
    (folder / "notes.doc").write_text("mine")
    with pytest.raises(StorageError, match="other things"):
        write_cell_tracking(scene().results(), folder, overwrite=True)
    assert (folder / "notes.doc").read_text() == "mine"
