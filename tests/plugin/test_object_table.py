"""The lines of the table, and what can be done to those that are selected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam2.inference.masklet import RunLengths
from napari_sam2.plugin.confidence_curve import Curve
from napari_sam2.plugin.controls import Control
from napari_sam2.plugin.object_table import TABLE, Row, kept_of, left_over, named, reasons, table_rows
from napari_sam2.plugin.status import Status
from napari_sam2.session.lineage import Division
from napari_sam2.session.objects import FrameMask, SessionObject

STATUS = Status(image="cells", along="T", frames=10, frame=5, objects=4, prompted=True, masks=True)
LINEAGE = {4: Division(2, 3), 5: Division(2, 3)}
ROWS = (Row(1, "one"), Row(2, "two"), Row(4, "four", 2), Row(5, "five", 2), Row(3, "three"))
SHUT = (Row(1, "one", committed=True), Row(2, "two"), Row(3, "three"))
WAITING = (Row(1, "one"), Row(9, "Object 9", begun=False))
NO_LINEAGE: dict[int, Division] = {}


def test_daughters_stand_under_their_mother_and_a_new_object_at_the_end() -> None:
    objects = {number: SessionObject(f"n{number}") for number in (1, 2, 3, 4, 5)}
    objects[2] = SessionObject("n2", committed=True, label_class="mitotic")
    mask = FrameMask(RunLengths.encode(np.ones((2, 2), bool)), 0.5, 1.0)
    curves = {2: Curve.of({0: mask, 1: mask}, {0})}
    rows = table_rows(objects, LINEAGE, curves, 10, 7)
    assert [row.object_id for row in rows] == [1, 2, 4, 5, 3, 7]
    assert [row.mother for row in rows] == [None, None, 2, 2, None, None]
    assert [row.begun for row in rows] == [True] * 5 + [False]
    assert (rows[1].covered, rows[1].frames, rows[1].least) == (2, 10, 0.5)
    assert rows[0].least is None
    assert [(row.label_class, row.committed) for row in rows[:3]] == [
        ("", False),
        ("mitotic", True),
        ("", False),
    ]
    assert len(table_rows(objects, LINEAGE, curves, 10, 3)) == 5


@pytest.mark.parametrize(
    ("status", "rows", "selected", "lineage", "working"),
    [
        (STATUS, ROWS, (1,), NO_LINEAGE, set(TABLE) - {Control.MERGE}),
        (STATUS, ROWS, (1, 3), LINEAGE, set(TABLE) - {Control.DIVIDE}),
        (STATUS, ROWS, (1, 2), LINEAGE, set(TABLE) - {Control.DIVIDE, Control.MERGE}),
        (STATUS, ROWS, (2,), LINEAGE, set(TABLE) - {Control.DIVIDE, Control.MERGE}),
        (STATUS, ROWS, (4,), LINEAGE, set(TABLE) - {Control.MERGE}),
        (
            replace(STATUS, frame=3),
            ROWS,
            (4,),
            LINEAGE,
            set(TABLE) - {Control.MERGE, Control.DIVIDE},
        ),
        (replace(STATUS, frame=0), ROWS, (1,), NO_LINEAGE, set(TABLE) - {Control.MERGE, Control.DIVIDE}),
        (STATUS, ROWS, (), NO_LINEAGE, {Control.NEW_OBJECT}),
        (STATUS, WAITING, (9,), NO_LINEAGE, {Control.NEW_OBJECT}),
        (
            STATUS,
            SHUT,
            (1, 2),
            NO_LINEAGE,
            {Control.NEW_OBJECT, Control.HIDE, Control.COMMIT, Control.RENAME, Control.CLASSIFY},
        ),
        (Status(), (), (), NO_LINEAGE, set()),
    ],
)
def test_what_works(
    status: Status,
    rows: tuple[Row, ...],
    selected: tuple[int, ...],
    lineage: dict[int, Division],
    working: set[Control],
) -> None:
    why = reasons(status, rows, selected, lineage)
    assert {control for control, text in why.items() if not text} == working
    assert all(text.endswith(".") for text in why.values() if text)


@pytest.mark.parametrize(
    ("selected", "lineage", "control", "part"),
    [
        ((1,), NO_LINEAGE, Control.MERGE, "two or more rows"),
        ((1, 4), LINEAGE, Control.MERGE, "four divides or comes from"),
        ((2,), LINEAGE, Control.DIVIDE, "two divides already"),
        ((1, 3), NO_LINEAGE, Control.DIVIDE, "one row"),
    ],
)
def test_why_not(
    selected: tuple[int, ...], lineage: dict[int, Division], control: Control, part: str
) -> None:
    assert part in reasons(STATUS, ROWS, selected, lineage)[control]


@pytest.mark.parametrize(
    ("gone", "current", "left"),
    [((3,), 1, 1), ((1,), 1, 2), ((5,), 5, 4), ((3, 5), 3, 4), ((1, 2, 3, 4, 5), 1, None)],
)
def test_what_is_chosen_after_deleting(gone: tuple[int, ...], current: int, left: int | None) -> None:
    assert left_over(ROWS, gone, current) == left


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "one"), (2, "one and two"), (3, "one, two and four"), (4, "4 objects")],
)
def test_names_in_a_sentence(count: int, text: str) -> None:
    assert named(ROWS[:count]) == text


def test_the_current_object_stays_after_merging() -> None:
    assert kept_of({3, 5}, 5) == 5
    assert kept_of({3, 5}, 1) == 3
