"""One door: the format by name or by kind, nothing overwritten unasked, nothing half-written."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import StorageError
from napari_sam2.io.export import check_export, export_results
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.io.labels import read_labels, read_provenance
from tests.io.result_scene import LENGTH, NOTES, scene


def name_for(kind: ExportKind) -> str:
    return f"out{kind.suffixes[0] if kind.suffixes else ''}"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.tif", ExportKind.TIFF),
        ("a.TIFF", ExportKind.TIFF),
        ("a.npy", ExportKind.NPY),
        ("a.ome.zarr", ExportKind.OME_ZARR),
        ("a.zarr", ExportKind.OME_ZARR),
        ("01_RES", ExportKind.CELL_TRACKING),
        ("a.json", ExportKind.COCO),
        ("a.geff", ExportKind.GEFF),
        ("a.csv", ExportKind.MEASUREMENTS),
        ("tracks.csv", ExportKind.TRACKS),
        ("movie.tracks.csv", ExportKind.TRACKS),
        ("movie_tracks.csv", ExportKind.TRACKS),
    ],
)
def test_the_name_says_the_kind(name: str, kind: ExportKind) -> None:
    assert ExportKind.of(Path(name)) is kind
    kind.check(Path(name))


@pytest.mark.parametrize("name", ["a", "a.png", "labels/a"])
def test_a_name_that_says_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"does not say.*\.geff.*ctc"):
        ExportKind.of(tmp_path / name)


def test_names_of_kinds() -> None:
    assert {ExportKind.named(kind.value) for kind in ExportKind} == set(ExportKind)
    assert ExportKind.named(None) is None
    assert ExportKind.named(ExportKind.COCO) is ExportKind.COCO
    with pytest.raises(StorageError, match=r"no kind 'avi'.*ctc"):
        ExportKind.named("avi")
    assert len({kind.describes for kind in ExportKind}) == len(ExportKind)


def test_a_name_that_does_not_fit_the_kind(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"written as geff, which ends in \.geff"):
        export_results(scene().results(), tmp_path / "a.csv", ExportKind.GEFF)


@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
def test_label_images(tmp_path: Path, name: str) -> None:
    assert export_results(scene().results(), tmp_path / name) == tmp_path / name
    assert np.array_equal(read_labels(tmp_path / name), scene().labels)
    if name == "a.tif":
        said = read_provenance(tmp_path / name)
        assert {key: said[key] for key in NOTES} == NOTES
        assert np.array_equal(tifffile.imread(tmp_path / name), scene().labels)


@pytest.mark.parametrize("kind", ExportKind)
def test_nothing_is_overwritten_unasked(tmp_path: Path, kind: ExportKind) -> None:
    if kind is ExportKind.GEFF:
        pytest.importorskip("geff", reason="needs geff")
    path = tmp_path / name_for(kind)
    export_results(scene().results(), path, kind)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for act in (check_export, lambda *given: export_results(scene().results(), *given)):
        with pytest.raises(StorageError, match="exists already"):
            act(path, kind)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert check_export(path, kind, True) is kind
    export_results(scene().results(), path, kind, overwrite=True)
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == before.keys()


@pytest.mark.parametrize("kind", ExportKind)
def test_stopped_half_way_leaves_nothing(tmp_path: Path, kind: ExportKind) -> None:
    if kind is ExportKind.GEFF:
        pytest.importorskip("geff", reason="needs geff")
    seen = []

    def on_frame(frame: int) -> None:
        seen.append(frame)
        if frame == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_results(scene().results(), tmp_path / name_for(kind), kind, on_frame=on_frame)
    assert seen == [0, 1, 2, 3, 4]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ExportKind)
def test_every_frame_is_asked_for_once_and_in_order(tmp_path: Path, kind: ExportKind) -> None:
    if kind is ExportKind.GEFF:
        pytest.importorskip("geff", reason="needs geff")
    seen: list[int] = []
    export_results(scene().results(), tmp_path / name_for(kind), kind, on_frame=seen.append)
    assert seen == list(range(LENGTH))


@pytest.mark.parametrize("kind", ExportKind)
def test_a_folder_that_is_missing(tmp_path: Path, kind: ExportKind) -> None:
    with pytest.raises(StorageError, match="does not exist: make it"):
        check_export(tmp_path / "no" / name_for(kind), kind)
