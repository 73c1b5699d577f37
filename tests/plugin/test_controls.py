"""What works when, as a table."""

from dataclasses import replace

import pytest

from napari_sam2.plugin.controls import Control, controls_for
from napari_sam2.plugin.status import Status

OPEN = Status(image="cells", along="T", frames=10)
CLICKED = replace(OPEN, objects=1, prompted=True, here=True, masks=True, can_undo=True)
RUNNING = replace(CLICKED, running=True)
WORK = {Control.PROMPT, Control.NEW_OBJECT, Control.SAVE, Control.OPEN, Control.SCRIPT}
WAYS = {Control.FORWARD, Control.BACKWARD, Control.BOTH}
TABLE = {Control.DELETE, Control.HIDE, Control.COMMIT, Control.RENAME, Control.CLASSIFY}


@pytest.mark.parametrize(
    ("status", "working"),
    [
        (Status(), set()),
        (OPEN, WORK),
        (CLICKED, WORK | WAYS | TABLE | {Control.CLEAR, Control.UNDO, Control.NEXT_WORST, Control.EXPORT}),
        (
            RUNNING,
            WORK | TABLE | {Control.CLEAR, Control.UNDO, Control.NEXT_WORST, Control.EXPORT, Control.STOP},
        ),
    ],
)
def test_what_works(status: Status, working: set[Control]) -> None:
    table = controls_for(status)
    assert set(table) == set(Control)
    assert {control for control, why in table.items() if not why} == working


@pytest.mark.parametrize(
    ("status", "control", "words"),
    [
        (Status(), Control.FORWARD, "Open an image"),
        (OPEN, Control.FORWARD, "Click an object"),
        (replace(CLICKED, frames=1), Control.FORWARD, "single image"),
        (RUNNING, Control.FORWARD, "stop it first"),
        (replace(CLICKED, here=False, along="Z"), Control.CLEAR, "slice"),
        (replace(CLICKED, committed=True), Control.CLEAR, "committed"),
        (CLICKED, Control.MERGE, "two objects"),
        (CLICKED, Control.RESUME, "stopped"),
        (CLICKED, Control.RESTORE, "no earlier"),
    ],
)
def test_why_not(status: Status, control: Control, words: str) -> None:
    assert words in controls_for(status)[control]
