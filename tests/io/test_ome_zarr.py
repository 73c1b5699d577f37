"""OME-Zarr labels, by themselves and within images, read back with zarr and checked with ome-zarr-models."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_sam2.errors import StorageError
from napari_sam2.io import ome_zarr
from napari_sam2.io.ome_zarr import write_ome_zarr
from napari_sam2.io.results import Results
from tests.io.result_scene import HEIGHT, LENGTH, NOTES, WIDTH, scene

VERSIONS = ("0.4", "0.5")


def said(path: Path, version: str) -> dict[str, Any]:
    whole = dict(zarr.open_group(path, mode="r", use_consolidated=False).attrs)
    return {**whole["ome"], "napari-sam2": whole.get("napari-sam2")} if version == "0.5" else whole


def check(path: Path, version: str, kind: str = "ImageLabel") -> Any:
    models = pytest.importorskip(
        f"ome_zarr_models.v{version.replace('.', '')}", reason="needs ome-zarr-models"
    )
    return getattr(models, kind).from_zarr(zarr.open_group(path, mode="r", use_consolidated=False))


def make_image(path: Path, version: str, axes: str, shape: tuple[int, ...], levels: int = 2) -> None:
    """An image as others write it, its levels halved along y and x."""
    group = zarr.create_group(path, zarr_format=3 if version == "0.5" else 2)
    kinds = {"t": "time", "c": "channel"}
    datasets = []
    for level in range(levels):
        sizes = [n // 2**level if axis in "yx" else n for axis, n in zip(axes, shape, strict=True)]
        more: Any = {"dimension_names": list(axes)} if version == "0.5" else {}
        group.create_array(str(level), shape=sizes, dtype="u1", **more)
        scale = [0.1 * 2**level if axis in "yx" else 1.0 for axis in axes]
        datasets.append(
            {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    multiscale = {
        "name": "image",
        "axes": [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes],
        "datasets": datasets,
    }
    if version == "0.5":
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    else:
        group.attrs["multiscales"] = [{"version": "0.4", **multiscale}]
    group.attrs["mine"] = "keep"


@pytest.mark.parametrize("version", VERSIONS)
def test_by_itself(tmp_path: Path, version: str) -> None:
    made = scene()
    path = tmp_path / "cells.ome.zarr"
    write_ome_zarr(made.results(), path, version=version)
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == (3 if version == "0.5" else 2)
    assert np.array_equal(group["0"][:], made.labels)
    assert group["0"].dtype == np.uint16
    notes = said(path, version)
    (multiscale,) = notes["multiscales"]
    assert multiscale["name"] == "cells"
    assert [(axis["name"], axis["type"], axis["unit"]) for axis in multiscale["axes"]] == [
        ("t", "time", "second"),
        ("y", "space", "micrometer"),
        ("x", "space", "micrometer"),
    ]
    assert multiscale["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [30.0, 0.5, 0.25]}
    ]
    label = notes["image-label"]
    colors = {one["label-value"]: tuple(one["rgba"]) for one in label["colors"]}
    assert len(set(colors.values())) == len(colors) == 5
    properties = {one["label-value"]: one for one in label["properties"]}
    assert properties[2] == {"label-value": 2, "name": "left", "parent": 1}
    assert {key: notes["napari-sam2"][key] for key in NOTES} == NOTES
    check(path, version)
    assert os.listdir(tmp_path) == ["cells.ome.zarr"]


def test_chunks_have_the_separator_that_the_format_asks_for(tmp_path: Path) -> None:
    write_ome_zarr(scene().results(), tmp_path / "a.zarr", version="0.4")
    assert json.loads((tmp_path / "a.zarr" / "0" / ".zarray").read_text())["dimension_separator"] == "/"
    write_ome_zarr(scene().results(), tmp_path / "b.zarr")
    array = zarr.open_array(tmp_path / "b.zarr" / "0", mode="r")
    assert array.metadata.dimension_names == ("t", "y", "x")


@pytest.mark.parametrize("version", VERSIONS)
def test_large_images_have_levels(tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr, "SMALLEST", 20)
    monkeypatch.setattr(ome_zarr, "CHUNK", 16)
    made = scene()
    write_ome_zarr(made.results(frame_axis="Z"), tmp_path / "a.zarr", version=version)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert [group[str(i)].shape[1:] for i in range(3)] == [(40, 52), (20, 26), (10, 13)]
    assert group["0"].chunks == (1, 16, 16)
    assert np.array_equal(group["0"][:], made.labels)
    assert np.array_equal(group["1"][:], made.labels[:, 1::2, 1::2])
    assert np.array_equal(group["2"][:], made.labels[:, 2::4, 2::4])
    levels = said(tmp_path / "a.zarr", version)["multiscales"][0]["datasets"]
    scales = [level["coordinateTransformations"][0]["scale"] for level in levels]
    assert scales == [[30.0, 0.5, 0.25], [30.0, 1.0, 0.5], [30.0, 2.0, 1.0]]
    check(tmp_path / "a.zarr", version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("axes", "shape", "place"),
    [
        ("tyx", (LENGTH, HEIGHT, WIDTH), np.s_[:]),
        ("tczyx", (LENGTH, 3, 1, HEIGHT, WIDTH), np.s_[:, 0, 0]),
        ("czyx", (2, LENGTH, HEIGHT, WIDTH), np.s_[0]),
    ],
)
def test_within_an_image(tmp_path: Path, version: str, axes: str, shape: tuple[int, ...], place: Any) -> None:
    image = tmp_path / "image.zarr"
    make_image(image, version, axes, shape)
    made = scene()
    write_ome_zarr(made.results(), image / "labels" / "cells")
    write_ome_zarr(made.results(), image / "labels" / "more")
    group = zarr.open_group(image, mode="r")
    for name in ("cells", "more"):
        assert np.array_equal(group[f"labels/{name}/0"][place], made.labels)
        assert np.array_equal(group[f"labels/{name}/1"][place], made.labels[:, 1::2, 1::2])
        assert group[f"labels/{name}/0"].ndim == len(shape)
    assert said(image / "labels", version)["labels"] == ["cells", "more"]
    cells, whole = said(image / "labels" / "cells", version), said(image, version)
    for key in ("axes", "datasets"):
        assert cells["multiscales"][0][key] == whole["multiscales"][0][key]
    assert cells["image-label"]["source"] == {"image": "../../"}
    assert group.attrs["mine"] == "keep"
    assert group["0"].shape == shape
    check(image / "labels" / "cells", version)
    check(image / "labels", version, "Labels")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_summary_of_the_metadata_is_kept_up(tmp_path: Path, version: str) -> None:
    image = tmp_path / "image.zarr"
    make_image(image, version, "tyx", (LENGTH, HEIGHT, WIDTH))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(image)
    write_ome_zarr(scene().results(), image / "labels" / "cells")
    group = zarr.open_consolidated(image)
    assert np.array_equal(group["labels/cells/0"][:], scene().labels)


def test_levels_that_are_coarser_in_depth(tmp_path: Path) -> None:
    image = tmp_path / "image.zarr"
    make_image(image, "0.5", "zyx", (8, 16, 16), levels=1)
    group = zarr.open_group(image, mode="r+")
    group.create_array("1", shape=(4, 8, 8), dtype="u1")
    ome = dict(group.attrs["ome"])
    coarse = {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [2.0, 0.2, 0.2]}]}
    ome["multiscales"][0]["datasets"].append(coarse)
    group.attrs["ome"] = ome
    labels = np.random.default_rng(1).integers(0, 5, (8, 16, 16))
    write_ome_zarr(Results.of_labels(labels, frame_axis="Z"), image / "labels" / "a")
    written = zarr.open_group(image / "labels" / "a", mode="r")
    assert np.array_equal(written["1"][:], labels[1::2, 1::2, 1::2])


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("tyx", (LENGTH + 1, HEIGHT, WIDTH)),
        ("tyx", (LENGTH, HEIGHT, WIDTH + 2)),
        ("tzyx", (LENGTH, 2, HEIGHT, WIDTH)),
        ("yx", (HEIGHT, WIDTH)),
    ],
)
def test_labels_that_do_not_fit_the_image(tmp_path: Path, axes: str, shape: tuple[int, ...]) -> None:
    image = tmp_path / "image.zarr"
    make_image(image, "0.5", axes, shape)
    before = sorted(image.rglob("*"))
    with pytest.raises(StorageError, match="only labels of the whole image"):
        write_ome_zarr(scene().results(), image / "labels" / "cells")
    assert sorted(image.rglob("*")) == before


def test_versions_that_do_not_fit(tmp_path: Path) -> None:
    image = tmp_path / "image.zarr"
    make_image(image, "0.5", "tyx", (LENGTH, HEIGHT, WIDTH))
    with pytest.raises(StorageError, match=r"is OME-Zarr 0\.5.*follows the image"):
        write_ome_zarr(scene().results(), image / "labels" / "cells", version="0.4")
    group = zarr.open_group(image, mode="r+")
    group.attrs["ome"] = {**group.attrs["ome"], "version": "0.9"}
    with pytest.raises(StorageError, match=r"is OME-Zarr 0\.9, but labels can go into 0\.4 and 0\.5"):
        write_ome_zarr(scene().results(), image / "labels" / "cells")
    group.attrs["ome"] = {"version": "0.5", "multiscales": []}
    with pytest.raises(StorageError, match="no OME-Zarr image"):
        write_ome_zarr(scene().results(), image / "labels" / "cells")


def test_a_failure_leaves_the_image_as_it_was(tmp_path: Path) -> None:
    image = tmp_path / "image.zarr"
    make_image(image, "0.5", "tyx", (LENGTH, HEIGHT, WIDTH))
    before = sorted(image.rglob("*"))

    def labels(t: int) -> np.ndarray:
        if t == 3:
            raise KeyboardInterrupt
        return scene().labels[t]

    stopped = Results((LENGTH, HEIGHT, WIDTH), {1: "a", 2: "b", 3: "c", 7: "d"}, labels)
    with pytest.raises(KeyboardInterrupt):
        write_ome_zarr(stopped, image / "labels" / "cells")
    assert sorted(image.rglob("*")) == before


def test_an_image_is_never_replaced_and_labels_only_when_told(tmp_path: Path) -> None:
    image = tmp_path / "image.zarr"
    make_image(image, "0.4", "tyx", (LENGTH, HEIGHT, WIDTH))
    with pytest.raises(StorageError, match="would be lost"):
        write_ome_zarr(scene().results(), image, overwrite=True)
    write_ome_zarr(scene().results(), image / "labels" / "cells")
    with pytest.raises(StorageError, match="exists already"):
        write_ome_zarr(scene().results(), image / "labels" / "cells")
    one = Results.of_labels((scene().labels == 7).astype(int))
    write_ome_zarr(one, image / "labels" / "cells", overwrite=True)
    assert np.array_equal(zarr.open_array(image / "labels" / "cells" / "0", mode="r")[:], scene().labels == 7)
    assert said(image / "labels", "0.4")["labels"] == ["cells"]


@pytest.mark.parametrize("version", VERSIONS)
def test_large_ids_and_no_object(tmp_path: Path, version: str) -> None:
    labels = np.array([[[0, 2**32 - 1], [65536, 0]]], np.int64)
    write_ome_zarr(Results.of_labels(labels), tmp_path / "large.zarr", version=version)
    written = zarr.open_array(tmp_path / "large.zarr" / "0", mode="r")
    assert written.dtype == np.uint32
    assert np.array_equal(written[:], labels)
    write_ome_zarr(Results.of_labels(labels * 0), tmp_path / "none.zarr", version=version)
    assert not zarr.open_array(tmp_path / "none.zarr" / "0", mode="r")[:].any()
    check(tmp_path / "none.zarr", version)
