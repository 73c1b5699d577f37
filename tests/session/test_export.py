"""What a session exports: all that can be seen, with its lineage, confidence and provenance."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_sam2.errors import StorageError
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.io.labels import read_provenance
from napari_sam2.io.run_length import decode_mask
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click
from napari_sam2.session.network import hash_of
from napari_sam2.session.session import Session
from tests.session.conftest import LENGTH, every_label

Middle = Callable[[int, int], Click]


@pytest.fixture
def annotated(session: Session, middle: Middle) -> Session:
    """A mother that divides on frame 4, and a painted object that overlaps her."""
    session.prompt(0, 1, clicks=[middle(0, 1)])
    list(session.propagate())
    session.divide(4, 1, [2, 3])
    session.prompt(4, 2, clicks=[middle(4, 1)])
    session.prompt(4, 3, clicks=[middle(4, 2)])
    list(session.propagate())
    band = np.zeros(session.shape, bool)
    band[20:40] = True
    session.prompt(1, 8, mask=band)
    session.rename(8, "band")
    return session


def test_label_images_stay_as_they_were(annotated: Session, tmp_path: Path) -> None:
    for name in ("a.tif", "a.npy", "a.zarr"):
        assert annotated.export(tmp_path / name) == tmp_path / name
    wanted = every_label(annotated)
    assert wanted.any()
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), wanted)
    assert np.array_equal(np.load(tmp_path / "a.npy"), wanted)
    assert np.array_equal(zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")[:], wanted)
    with pytest.raises(StorageError, match="exists already"):
        annotated.export(tmp_path / "a.tif")
    annotated.export(tmp_path / "a.tif", overwrite=True)


def test_provenance_says_model_weights_policy_prompts_and_versions(
    annotated: Session, network: SAM2, tmp_path: Path
) -> None:
    import napari_sam2

    annotated.export(tmp_path / "a.tif")
    said = read_provenance(tmp_path / "a.tif")
    assert said["software"] == f"napari-sam2 {napari_sam2.__version__}"
    assert said["weights"] == hash_of(network)
    assert said["policy"] == repr(annotated.policy)
    assert said["image_sha256"] == annotated.image.sha256
    prompts = {(one["object"], one["frame"]): one for one in said["prompts"]}
    assert set(prompts) == {(n, t) for n in annotated.objects for t in annotated.prompts(n)}
    (click,) = annotated.prompts(1)[0].clicks
    assert prompts[1, 0]["clicks"] == [[click.y, click.x, True]]
    assert prompts[8, 1]["painted_pixels"] == 20 * annotated.shape[1]


def test_masks_that_overlap_stay_whole(annotated: Session, tmp_path: Path) -> None:
    annotated.export(tmp_path / "a.json")
    said = json.loads((tmp_path / "a.json").read_text())
    got = {(one["track_id"], one["image_id"] - 1): one for one in said["annotations"]}
    wanted = {
        (number, frame): mask.runs.decode()
        for number in annotated.objects
        for frame, mask in annotated.masks(number).items()
        if mask.runs.area
    }
    assert got.keys() == wanted.keys()
    assert all(np.array_equal(decode_mask(got[key]["segmentation"]), wanted[key]) for key in wanted)
    for (number, frame), one in got.items():
        assert one["score"] == pytest.approx(annotated.confidence(number)[frame].value)


def test_lineage_reaches_the_cell_tracking_table(annotated: Session, tmp_path: Path) -> None:
    annotated.export(tmp_path / "result", "ctc")
    rows = [line.split() for line in (tmp_path / "result" / "res_track.txt").read_text().splitlines()]
    table = {int(label): (int(begin), int(end), int(parent)) for label, begin, end, parent in rows}
    labels = every_label(annotated)
    for daughter in (2, 3):
        assert (labels[:4] == daughter).sum() == 0
        # Where the mother was out of sight for a while, her last track is another one than 1.
        mother = table[daughter][2]
        while table[mother][2]:
            mother = table[mother][2]
        assert mother == 1
        assert table[table[daughter][2]][1] < table[daughter][0]


def test_hidden_objects_are_left_out(annotated: Session, tmp_path: Path) -> None:
    annotated.hide(1)
    annotated.export(tmp_path / "tracks.csv")
    with (tmp_path / "tracks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["track_id"] for row in rows} <= {"2", "3", "8"}
    assert {row["parent"] for row in rows} == {""}
    assert {row["name"] for row in rows if row["track_id"] == "8"} == {"band"}


def test_measurements_are_of_the_image(annotated: Session, scene: Phantom, tmp_path: Path) -> None:
    annotated.export(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["object_id"] == "8"]
    assert float(row["mean_intensity"]) == pytest.approx(scene.images[1][20:40].mean())
    assert (row["frame"], row["confidence"]) == ("1", "1.0")


def test_frames_are_shown_as_the_network_sees_them(annotated: Session, tmp_path: Path) -> None:
    annotated.export(tmp_path / "cells", ExportKind.DAVIS)
    assert len(list((tmp_path / "cells" / "JPEGImages").rglob("*.jpg"))) == LENGTH
    wanted = annotated.intensity(annotated.frames[3])
    got = annotated.results().picture
    assert got is not None
    assert np.abs(got(3) / 255 - wanted).max() <= 0.5 / 255 + 1e-6


def test_spacing_and_axis(scene: Phantom, network: SAM2) -> None:
    mask = scene.labels[0] == 1
    for axes, spacing, wanted in [
        ("TYX", (60, 0.2, 0.2), (60, 0.2, 0.2)),
        ("ZYX", (0.2, 0.1), (1, 0.2, 0.1)),
    ]:
        with Session(scene.images, network, axes=axes, spacing=spacing) as session:
            session.prompt(0, 1, mask=mask)
            results = session.results()
            assert (results.frame_axis, results.spacing) == (axes[0], wanted)


def test_results_do_not_follow_what_is_changed_later(annotated: Session) -> None:
    results = annotated.results()
    before = results.labels_on(1)
    annotated.delete(8)
    assert np.array_equal(results.labels_on(1), before)
    assert 8 in dict(results.masks_on(1))
    assert not (annotated.labels(1) == 8).any()


def test_kinds_that_are_not_there(annotated: Session, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no kind 'avi'"):
        annotated.export(tmp_path / "a", "avi")
    with pytest.raises(StorageError, match="does not say in which format"):
        annotated.export(tmp_path / "a")
