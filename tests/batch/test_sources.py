"""Plans from folders, tables and files, and everything that is wrong with them, at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.batch.check import check_plan
from napari_sam2.batch.codec import prompt_to_json
from napari_sam2.batch.plan import Birth, Cut, LabelPrompt, ObjectPrompt, Plan, PlanError, Reading, Way
from napari_sam2.batch.sources import FOLDER, plan_of, read_plan
from napari_sam2.batch.template import Template
from napari_sam2.errors import StorageError
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.prompts import Box, Click, MaskPrompt, PromptSet
from tests.batch.conftest import STACK_SHAPE, no_session, problems, write_stack


def write_table(
    root: Path, *rows: str, head: str = "image,object,frame,y,x,positive,y0,x0,y1,x1,labels,output"
) -> None:
    (root / "prompts.csv").write_text("\n".join([head, *rows]) + "\n")


def names(plan: Plan, root: Path) -> list[tuple[str, str]]:
    return [
        (one.image.relative_to(root).as_posix(), one.output.relative_to(root / FOLDER).as_posix())
        for one in plan.sequences
    ]


def test_a_folder_and_a_session(root: Path) -> None:
    said = (ObjectPrompt(4, 1, PromptSet((Click(3, 4),))),)
    template = Template(said, {4: "four"}, (Birth(5, 4, 2),), "nano", TrackingPolicy.for_stacks(), Way.BOTH)
    plan = plan_of({"session": "s.json"}, root, lambda path: template)
    assert names(plan, root) == [("a.tif", "a.tif"), ("b.tif", "b.tif")]
    assert {one.prompts for one in plan.sequences} == {said}
    assert plan.sequences[0].names == {4: "four"}
    assert (plan.settings.way, plan.settings.policy) == (Way.BOTH, TrackingPolicy.for_stacks())
    assert set(check_plan(plan).values()) == {STACK_SHAPE}
    other = plan_of(
        {"session": "s.json", "way": "forward", "policy": {"fill_hole_area": 3}}, root, lambda path: template
    )
    assert other.settings.way is Way.FORWARD
    assert other.settings.policy == TrackingPolicy.for_stacks(fill_hole_area=3)


def test_a_rule(root: Path) -> None:
    (root / "first" / "deep").mkdir(parents=True)
    wishes = {
        "images": "**/*.tif",
        "labels": "first/{folder}/{stem}.tif",
        "frame": 2,
        "output": "{folder}/{stem}_x.zarr",
    }
    plan = plan_of(wishes, root, no_session)
    assert names(plan, root) == [
        ("a.tif", "a_x.zarr"),
        ("b.tif", "b_x.zarr"),
        ("deep/a.tif", "deep/a_x.zarr"),
    ]
    assert plan.sequences[2].labels == LabelPrompt(root / "first/deep/a.tif", 2)
    (root / FOLDER).mkdir()
    write_stack(root / FOLDER / "a.tif", np.zeros(STACK_SHAPE, np.uint8))
    assert len(plan_of(wishes, root, no_session).sequences) == 3  # results are no images


def test_a_table(root: Path) -> None:
    write_table(
        root,
        "b.tif,2,1,10,11,,,,,,,",
        "b.tif,2,1,12.5,13,no,,,,,,",
        "b.tif,2,1,,,,5,6,20,21,,b_out.tif",
        "a.tif,,,,,,,,,,deep/a.tif,",
    )
    plan = read_plan(root / "prompts.csv", {}, no_session)
    assert names(plan, root) == [("b.tif", "b_out.tif"), ("a.tif", "a.tif")]
    said = PromptSet((Click(10, 11), Click(12.5, 13, False)), Box(5, 6, 20, 21))
    assert plan.sequences[0].prompts == (ObjectPrompt(2, 1, said),)
    assert plan.sequences[1].labels == LabelPrompt(root / "deep/a.tif", 0)
    check_plan(plan)


def test_a_table_for_the_images_of_a_rule(root: Path) -> None:
    write_table(root, "a.tif,1,0,1,1", "c.tif,1,0,1,1", head="image,object,frame,y,x")
    with pytest.raises(PlanError) as caught:
        plan_of({"images": "*.tif", "prompts": "prompts.csv"}, root, no_session)
    first, second = caught.value.problems
    assert "no row for" in first and "b.tif" in first
    assert "speaks of c.tif" in second


def test_all_that_is_wrong_with_a_table(root: Path) -> None:
    write_table(
        root,
        "a.tif,x,0,1,1,,,,,,,",
        "a.tif,1,0,1,,,,,,,,",
        "a.tif,1,0,1,1,perhaps,,,,,,",
        ",1,0,1,1,,,,,,,",
        "a.tif,1,0,,,,9,9,3,3,,",
        "a.tif,1,0,,,,,,,,,",
        "a.tif,1,0,1,1,,,,,,,,,too,many",
        "a.tif,1,0,nan,1,,,,,,,",
    )
    found = problems(root, prompts="prompts.csv")
    assert [int(one.split("line ")[1].split(":")[0]) for one in found] == list(range(2, 10))
    words = ("object is", "x is ''", "yes or no", "no image", "empty", "neither", "more cells", "finite")
    for problem, word in zip(found, words, strict=True):
        assert word in problem


@pytest.mark.parametrize(("head", "word"), [("image,objekt", "'objekt'"), ("file,y,x", "no column 'image'")])
def test_unknown_columns(root: Path, head: str, word: str) -> None:
    write_table(root, "a.tif,1,1", head=head)
    assert word in problems(root, prompts="prompts.csv")[0]


def test_a_plan_file(root: Path) -> None:
    mask = np.zeros(STACK_SHAPE[1:], bool)
    mask[3:9, 4:12] = True
    objects = [
        {"id": 1, "clicks": [[3, 4], [9, 9, False]]},
        {"id": 2, "frame": 3, "box": [1, 1, 9, 9]},
        prompt_to_json(ObjectPrompt(7, 1, PromptSet(mask=MaskPrompt(mask)))),
    ]
    told = {
        "way": "both",
        "axes": "tyx",
        "kind": "coco",
        "chunk": 4,
        "shared": 2,
        "policy": {"objects_at_once": 3},
        "out": "results",
        "sequences": [
            {"image": "a.tif", "objects": objects},
            {"image": "b.tif", "labels": "a.tif", "output": "b.json"},
        ],
    }
    (root / "plan.json").write_text(json.dumps(told))
    plan = read_plan(root / "plan.json", {"chunk": None, "shared": 1}, no_session)
    assert plan.folder == root / "results"
    assert plan.settings.cut == Cut(4, 1)
    assert plan.settings.kind is ExportKind.COCO
    assert plan.settings.reading == Reading(axes="TYX")
    assert plan.settings.policy.objects_at_once == 3
    assert [one.output.name for one in plan.sequences] == ["a.json", "b.json"]
    first, second, third = plan.sequences[0].prompts
    assert first.prompt.clicks == (Click(3, 4), Click(9, 9, False))
    assert second == ObjectPrompt(2, 3, PromptSet(box=Box(1, 1, 9, 9)))
    assert third.prompt.mask is not None and np.array_equal(third.prompt.mask.mask, mask)


@pytest.mark.parametrize(
    ("wishes", "word"),
    [
        ({}, "nothing says what to follow"),
        ({"images": "*.czi", "labels": "{stem}.tif"}, "no image in"),
        ({"labels": "{number}.tif"}, "other places"),
        ({"labels": "{stem}.tif", "output": "{0}"}, "other places"),
        ({"labels": "{stem}.tif", "frame": -1}, "frame is a whole number"),
        ({"labels": "{stem}.tif", "prompts": "prompts.csv"}, "prompts and labels are both given"),
        ({"sequences": [3]}, "sequence 0: it is a table"),
        ({"sequences": [{"image": "a.tif", "objects": 3}]}, "objects is a list"),
        ({"images": "/*.tif", "labels": "{stem}.tif"}, "is no pattern"),
    ],
)
def test_rules_that_say_nothing(root: Path, wishes: dict[str, Any], word: str) -> None:
    write_table(root, "a.tif,1,0,1,1", head="image,object,frame,y,x")
    assert any(word in problem for problem in problems(root, **wishes))


def test_files_that_are_no_plans(root: Path) -> None:
    (root / "list.json").write_text("[1]")
    (root / "broken.json").write_text("{")
    with pytest.raises(PlanError, match="holds list"):
        read_plan(root / "list.json", {}, no_session)
    with pytest.raises(StorageError, match="cannot be read as a plan"):
        read_plan(root / "broken.json", {}, no_session)
    with pytest.raises(StorageError, match="does not exist"):
        read_plan(root / "none", {}, no_session)
    (root / "bad.csv").write_bytes(b"image\n\xff\xfe\n")
    with pytest.raises(StorageError, match="CSV in UTF-8"):
        read_plan(root / "bad.csv", {}, no_session)
