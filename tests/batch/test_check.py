"""Everything that is wrong with a plan, found at once and before any work."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.batch.check import check_plan
from napari_sam2.batch.codec import prompt_from_json
from napari_sam2.batch.plan import Cut, PlanError
from napari_sam2.batch.sources import FOLDER, plan_of
from napari_sam2.errors import PromptError, Sam2Error
from tests.batch.conftest import STACK_SHAPE, no_session, problems, write_stack


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ([], "is a table"),
        ({"id": 0, "clicks": [[1, 1]]}, "from 1 on"),
        ({"id": True, "clicks": [[1, 1]]}, "from 1 on"),
        ({"id": 1}, "here is none"),
        ({"id": 1, "frame": -1, "clicks": [[1, 1]]}, "from 0 on"),
        ({"id": 1, "clicks": [[1]]}, r"\[y, x\]"),
        ({"id": 1, "clicks": 5}, "lists of"),
        ({"id": 1, "clicks": [["a", 1]]}, "no prompt"),
        ({"id": 1, "box": [1, 2, 3]}, "no prompt"),
        ({"id": 1, "box": [9, 9, 3, 3]}, "empty"),
        ({"id": 1, "mask": {"size": [2, 2], "counts": [3]}}, "no prompt"),
        ({"id": 1, "click": [[1, 1]]}, "'click'"),
    ],
)
def test_prompts_that_are_none(code: Any, word: str) -> None:
    with pytest.raises(PromptError, match=word):
        prompt_from_json(code)


def test_settings_that_are_none(root: Path) -> None:
    wishes = {
        "mdoel": "nano",
        "way": "up",
        "kind": "avi",
        "level": -1,
        "policy": {"speed": 3},
        "at": 3,
        "chunk": 5,
        "shared": 5,
        "labels": "{stem}.tif",
    }
    found = problems(root, **wishes)
    assert len(found) == 7
    for word, problem in zip(
        ("mdoel", "way", "policy", "level", "at is", "avi", "share"), found, strict=True
    ):
        assert word in problem


def test_everything_wrong_with_the_files_is_listed(root: Path) -> None:
    write_stack(root / "small.tif", np.zeros((1, 8, 8), np.uint8))
    (root / FOLDER).mkdir()
    (root / FOLDER / "b.tif").write_text("in the way")
    click = [{"id": 1, "clicks": [[3, 4]]}]
    sequences = [
        {"image": "lost.tif", "objects": click},
        {
            "image": "a.tif",
            "objects": [{"id": 1, "clicks": [[3, 400]]}, {"id": 2, "frame": 5, "box": [1, 1, 9, 9]}],
        },
        {"image": "b.tif", "objects": click},
        {"image": "deep/a.tif", "objects": click},
        {"image": "a.tif", "labels": "small.tif", "output": "labels.tif"},
        {"image": "a.tif", "labels": "lost.tif", "output": "labels2.tif"},
        {"image": "a.tif", "labels": "b.tif", "objects": click, "output": "labels3.tif"},
        {"image": "a.tif", "output": "labels4.avi"},
        {"image": "b.tif", "objects": click * 2, "output": "../a.tif"},
        {"image": "b.tif", "labels": "a.tif", "frame": 9, "output": "labels5.tif"},
    ]
    found = "\n".join(problems(root, sequences=sequences, model="nono"))
    for words in (
        "the model 'nono' is neither",
        f"2 sequences would be written to {root / FOLDER / 'a.tif'}",
        f"{root / 'a.tif'} is both read and written",
        "lost.tif: there is no such file",
        "object 1 on frame 0:",
        "object 2 is prompted on frame 5, but the last is 4",
        "b.tif exists already",
        "the labels",
        f"its label image {root / 'lost.tif'} does not exist",
        "both prompts and a label image",
        "labels4.avi does not say in which format",
        "nothing says what to follow",
        "object 1 has 2 prompts on frame 0",
        "its labels belong to frame 9, but the last one is 4",
    ):
        assert words in found, words
    assert len(found.splitlines()) == 15, found


def test_chunks_that_nothing_is_said_of(root: Path) -> None:
    objects = [{"id": 1, "frame": 0, "clicks": [[3, 4]]}]
    (found,) = problems(root, sequences=[{"image": "a.tif", "objects": objects}], chunk=3, shared=1)
    assert "frames 2 to 4" in found
    write_stack(root / "one.tif", np.ones((1, *STACK_SHAPE[1:]), np.uint8))
    (found,) = problems(root, sequences=[{"image": "a.tif", "labels": "one.tif"}], chunk=3, shared=1)
    assert "no labels belong to the chunk of frames 2 to 4" in found
    sequences = [{"image": "a.tif", "labels": "b.tif"}]
    check_plan(plan_of({"sequences": sequences, "chunk": 3, "shared": 1}, root, no_session))


def test_files_that_cannot_be_opened_are_left_to_the_report(root: Path) -> None:
    (root / "b.tif").write_bytes(b"II*\0 nothing")
    objects = [{"id": 1, "clicks": [[3, 4]]}]
    plan = plan_of(
        {"sequences": [{"image": n, "objects": objects} for n in ("a.tif", "b.tif")]}, root, no_session
    )
    assert check_plan(plan) == {root / "a.tif": STACK_SHAPE}


@pytest.mark.parametrize(
    ("frames", "shared", "overlap"), [(3, 3, 0.5), (3, 0, 0.5), (3, 1, 0.0), (3, 1, 1.1)]
)
def test_cuts_that_are_none(frames: int, shared: int, overlap: float) -> None:
    with pytest.raises(Sam2Error, match=r"share|IoU"):
        Cut(frames, shared, overlap)


def test_a_plan_error_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(PlanError(["one", "two"])))
    assert error.problems == ("one", "two")
    assert str(error) == "The plan has 2 problems:\n- one\n- two"
