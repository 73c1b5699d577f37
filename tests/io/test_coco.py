"""COCO annotations, read back with pycocotools."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.io.coco import write_coco
from napari_sam2.io.results import Results
from tests.io.result_scene import HEIGHT, NOTES, WIDTH, scene

# pycocotools is compiled against an older way of numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.fixture
def written(tmp_path: Path) -> Any:
    coco = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    write_coco(scene().results(), tmp_path / "a.json")
    with contextlib.redirect_stdout(io.StringIO()):
        return coco.COCO(str(tmp_path / "a.json"))


def test_masks_come_back_whole(written: Any) -> None:
    wanted = {(t, n): mask for t, masks in enumerate(scene().masks) for n, mask in masks.items()}
    got = {
        (written.imgs[one["image_id"]]["frame_index"], one["track_id"]): written.annToMask(one) > 0
        for one in written.anns.values()
    }
    assert got.keys() == wanted.keys()
    assert all(np.array_equal(got[key], wanted[key]) for key in wanted)


def test_areas_and_boxes_are_those_of_the_library(written: Any) -> None:
    from pycocotools import mask as library

    for one in written.anns.values():
        assert one["area"] == int(library.area(written.annToRLE(one)))
        assert one["bbox"] == library.toBbox(written.annToRLE(one)).tolist()


def test_scores_names_and_provenance(written: Any) -> None:
    made = scene()
    for one in written.anns.values():
        assert one["score"] == made.confidence[one["image_id"] - 1][one["track_id"]]
    said = written.dataset["info"]["provenance"]
    assert {key: said[key] for key in NOTES} == NOTES
    assert (said["objects"]["1"], said["parents"]) == ("mother", {"2": 1, "3": 1})
    assert {(one["height"], one["width"]) for one in written.imgs.values()} == {(HEIGHT, WIDTH)}


@pytest.mark.parametrize(
    ("classes", "wanted"),
    [
        ({}, ["object"]),
        ({1: "mother", 2: "daughter", 3: "daughter"}, ["object", "daughter", "mother"]),
        ({1: "b", 2: "a", 3: "b", 7: "c", 9: "d"}, ["a", "b", "c", "d"]),
        ({1: "b", 2: "object", 5: "nobody's"}, ["object", "b"]),
    ],
)
def test_classes_are_the_categories(classes: dict[int, str], wanted: list[str], tmp_path: Path) -> None:
    write_coco(scene().results(classes=classes), tmp_path / "a.json")
    said = json.loads((tmp_path / "a.json").read_text())
    assert [one["name"] for one in said["categories"]] == wanted
    assert [one["id"] for one in said["categories"]] == list(range(1, len(wanted) + 1))
    got = {one["track_id"]: wanted[one["category_id"] - 1] for one in said["annotations"]}
    assert got == {number: classes.get(number, "object") for number in (1, 2, 3, 7)}


def test_nothing_found_is_a_valid_file(tmp_path: Path) -> None:
    write_coco(Results.of_labels(np.zeros((2, 4, 4), int)), tmp_path / "a.json")
    said = json.loads((tmp_path / "a.json").read_text())
    assert (said["annotations"], len(said["images"])) == ([], 2)
    assert [one["name"] for one in said["categories"]] == ["object"]
