"""What the user did is counted, by object, and kept with the session."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_sam2.errors import PromptError, StorageError
from napari_sam2.imaging.phantoms import Phantom
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Box, Click
from napari_sam2.session.effort import Effort, EffortLog
from napari_sam2.session.session import Session

Middle = Callable[[int, int], Click]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(session: Session) -> Clock:
    clock = Clock()
    session._effort = EffortLog({}, clock)
    return clock


def square(session: Session) -> np.ndarray:
    mask = np.zeros(session.shape, bool)
    mask[10:20, 30:44] = True
    return mask


def test_everything_is_counted_for_its_object(session: Session, clock: Clock, middle: Middle) -> None:
    def after(seconds: float, act: Callable[[], object]) -> None:
        clock.now += seconds
        act()

    after(500, lambda: session.prompt(0, 1, clicks=[middle(0, 1), Click(1, 1, False)]))
    after(4, lambda: session.prompt(3, 1, clicks=[middle(3, 1)], box=Box(1, 1, 30, 30)))
    after(2.5, lambda: session.prompt(0, 2, mask=square(session)))
    after(90, lambda: session.clear(3, 1))
    after(1, lambda: list(session.propagate()))
    after(7, session.undo)
    after(3, lambda: session.rename(2, "square"))
    after(5, lambda: session.divide(4, 1, [8, 9]))
    assert session.effort == (
        Effort(0, seconds=1 + 7),
        Effort(1, clicks=3, boxes=1, seconds=0 + 4 + 60 + 5, frames=(0, 3)),
        Effort(2, masks=1, seconds=2.5 + 3, frames=(0,)),
    )


def test_what_fails_or_is_repeated_is_no_effort(session: Session, clock: Clock, middle: Middle) -> None:
    session.prompt(0, 1, clicks=[middle(0, 1)])
    before = session.effort
    clock.now += 10
    with pytest.raises(PromptError):
        session.prompt(0, 1, clicks=[Click(900, 1)])
    assert session.effort == before
    clock.now += 10
    session.prompt(0, 1, clicks=[Click(9, 1)])
    assert session.effort[0].seconds == 20, "the way to the next act includes it"
    again = session.fresh()
    for step in session.steps:
        again.repeat(step)
    assert again.effort == ()


def test_it_can_be_switched_off(scene: Phantom, network: SAM2, middle: Middle, tmp_path: Path) -> None:
    session = Session(scene.images, network, effort=False)
    session.prompt(0, 1, clicks=[middle(0, 1)])
    assert session.effort == ()
    path = session.save(tmp_path / "a.json")
    assert json.loads(path.read_text())["effort"] is None
    loaded = Session.load(path, scene.images, network)
    for one in (loaded, session.fresh()):
        one.prompt(0, 2, clicks=[middle(0, 2)])
        assert one.effort == ()


def test_it_is_saved_and_goes_on(session: Session, scene: Phantom, network: SAM2, tmp_path: Path) -> None:
    session.prompt(0, 1, clicks=[Click(20, 20)])
    path = session.save(tmp_path / "a.json")
    loaded = Session.load(path, scene.images, network)
    assert loaded.effort == session.effort == (Effort(1, clicks=1, frames=(0,)),)
    loaded.prompt(2, 1, clicks=[Click(30, 20)])
    assert loaded.effort == (Effort(1, clicks=2, frames=(0, 2)),), "the time between two sittings is no work"
    code = json.loads(path.read_text())
    del code["effort"]
    path.write_text(json.dumps(code))
    older = Session.load(path, scene.images, network)
    older.prompt(2, 1, clicks=[Click(30, 20)])
    assert older.effort == (Effort(1, clicks=1, frames=(2,)),)


def test_autosave_has_it_at_once(
    session: Session, clock: Clock, scene: Phantom, network: SAM2, middle: Middle, tmp_path: Path
) -> None:
    path = tmp_path / "auto.json"
    session.autosave(path)

    def kept() -> tuple[Effort, ...]:
        return Session.load(path, scene.images, network).effort

    for number in (1, 2, 1):
        clock.now += 3
        session.prompt(number, number, clicks=[middle(number, number)])
        assert kept() == session.effort
    list(session.propagate())
    assert kept() == session.effort
    session.undo()
    assert kept() == session.effort
    assert [row.object_id for row in session.effort] == [0, 1, 2]


def test_a_table_for_a_spreadsheet(session: Session, clock: Clock, tmp_path: Path) -> None:
    session.add('nucleus, "large"')
    clock.now += 1.26
    session.prompt(0, 1, clicks=[Click(20, 20)])
    session.prompt(2, 1, clicks=[Click(20, 20)])
    session.prompt(2, 2, mask=square(session))
    session.delete(2)
    path = tmp_path / "effort.csv"
    session.export_effort(path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["object", "name", "clicks", "boxes", "masks", "seconds", "frames"],
        ["1", 'nucleus, "large"', "2", "0", "0", "1.3", "2"],
        ["2", "", "0", "0", "1", "0.0", "1"],
    ]
    with pytest.raises(StorageError, match="exists already"):
        session.export_effort(path)
    session.export_effort(path, overwrite=True)
    with pytest.raises(StorageError, match="was not written"):
        session.export_effort(tmp_path / "nowhere" / "a.csv")
