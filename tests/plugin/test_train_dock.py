"""The Fine-tune dock; what is learned is another test's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import CheckpointError
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.plugin.lessons import Course, Lesson, Moment, Shot
from tests.plugin.stand_in import StandIn, application, rest, wait

SCENE = moving_nuclei(6, 64, 72, objects=3, divisions=0, radius=7.0, seed=2)
PICTURE = np.full((40, 50, 3), 90, np.uint8)


class Teacher:
    """Stands in for `learn`: makes ten steps, one at a time, once it may."""

    def __init__(self) -> None:
        self.may = threading.Semaphore(0)
        self.courses: list[Course] = []
        self.frames: list[str] = []
        self.error: Exception | None = None

    def __call__(self, course: Course, frames: list[Any], tell: Callable[[Moment], object]) -> Lesson:
        self.courses.append(course)
        self.frames = [frame.name for frame in frames]
        for step in range(1, 11):
            assert self.may.acquire(timeout=20)
            if self.error is not None:
                raise self.error
            tell(Moment("Learning", step, 10, 10.0 - step))
        return Lesson(course.path, 0.5, 0.75, (Shot("frame 2", PICTURE, PICTURE),))

    def go(self, steps: int) -> None:
        for _ in range(steps):
            self.may.release()


class Desk:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from napari.components import ViewerModel

        from napari_sam2.plugin import train_dock

        self.viewer, self.teacher = ViewerModel(), Teacher()
        self.bridge = StandIn(self.viewer)
        monkeypatch.setattr(train_dock, "bridge_of", lambda _: self.bridge)
        monkeypatch.setattr(train_dock, "learn", self.teacher)
        self.dock = train_dock.TrainDock(self.viewer)
        self.dock.show()

    def open(self, *painted: int) -> None:
        self.bridge.choose_image(self.viewer.add_image(SCENE.images, name="my nuclei"))
        for frame in painted:
            self.bridge.session.prompt(frame, 1, mask=SCENE.labels[frame] == 1)
        self.bridge.events.objects_changed.emit()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    application()
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path / "cache"))
    desk = Desk(monkeypatch)
    yield desk
    desk.dock.teaching.cancel()
    desk.teacher.go(10)
    assert desk.dock.teaching.wait(20)
    desk.dock.close()
    desk.dock.deleteLater()
    rest(0.05)


def test_what_cannot_be_done_says_why(desk: Desk) -> None:
    assert not desk.dock._start.isEnabled()
    assert "Open an image" in desk.dock._start.toolTip()
    desk.open(0)
    assert "Only one frame" in desk.dock._start.toolTip()
    assert "no new model" in desk.dock._use.toolTip()
    assert not desk.dock._cancel.isEnabled()
    desk.bridge.session.prompt(3, 1, mask=SCENE.labels[3] == 1)
    desk.bridge.events.objects_changed.emit()
    assert desk.dock._start.isEnabled()
    assert desk.dock._counts.text().startswith("2 corrected frames.")


def test_learning_is_shown_and_its_model_used(desk: Desk, tmp_path: Path) -> None:
    desk.open(0, 2, 4)
    desk.dock._minutes.setValue(3)
    desk.dock._start.click()
    wait(lambda: desk.dock.teaching.running)
    assert not desk.dock._start.isEnabled()
    assert desk.dock._cancel.isEnabled()
    desk.teacher.go(1)
    wait(lambda: "step 1 of 10. 9 s left." in desk.dock.words)
    desk.teacher.go(9)
    wait(lambda: "It helped" in desk.dock.words)
    assert "0.500 before, 0.750 after" in desk.dock.words
    assert desk.dock._shots.count == 2
    (course,) = desk.teacher.courses
    assert course.path == tmp_path / "cache" / "tuned" / "my_nuclei.safetensors"
    assert (course.model, course.parts, course.minutes) == ("nano", "decoder", 3.0)
    assert "0, 2, 4 of my nuclei" in course.origin
    assert desk.teacher.frames == ["frame 0", "frame 2", "frame 4"]
    assert desk.bridge.choices.model == "nano"
    desk.dock._use.click()
    assert desk.bridge.choices.model == str(course.path)
    assert not desk.dock._use.isEnabled()
    assert "in use" in desk.dock._use.toolTip()
    assert desk.dock._start.isEnabled()


def test_learning_is_stopped(desk: Desk) -> None:
    desk.open(0, 2)
    desk.dock._start.click()
    desk.teacher.go(1)
    wait(lambda: "step 1" in desk.dock.words)
    desk.dock._cancel.click()
    desk.teacher.go(1)
    wait(lambda: "Nothing was written" in desk.dock.words)
    assert desk.dock._start.isEnabled()
    assert not desk.dock._use.isEnabled()
    assert desk.dock.lesson is None


def test_failure_is_said(desk: Desk) -> None:
    desk.teacher.error = CheckpointError("The weights are damaged: fetch them again.")
    desk.open(0, 2)
    desk.dock._start.click()
    desk.teacher.go(1)
    wait(lambda: "fetch them again" in desk.dock.words)
    assert desk.dock._start.isEnabled()


def test_a_chosen_name_stays_and_gets_its_ending(desk: Desk, tmp_path: Path) -> None:
    desk.open(0, 2)
    desk.dock._file.setText(str(tmp_path / "mine"))
    desk.dock._file.textEdited.emit("")
    desk.bridge.events.objects_changed.emit()
    desk.dock._start.click()
    wait(lambda: desk.teacher.courses)
    assert desk.teacher.courses[0].path == tmp_path / "mine.safetensors"


def test_a_dock_that_is_closed_meanwhile_does_no_harm(desk: Desk) -> None:
    desk.open(0, 2)
    desk.dock._start.click()
    desk.teacher.go(1)
    wait(lambda: "step 1" in desk.dock.words)
    desk.dock.close()
    desk.teacher.go(9)
    wait(lambda: not desk.dock.teaching.running)
    rest(0.05)
    assert desk.dock.lesson is not None
