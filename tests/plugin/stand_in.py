"""What of a bridge the panels talk to, without layers, workers and windows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from psygnal import Signal, SignalGroup

from napari_sam2.errors import Sam2Error
from napari_sam2.plugin.choices import Choices
from napari_sam2.plugin.layer_axes import LayerAxes
from napari_sam2.plugin.status import Model, Status
from napari_sam2.session.session import Session
from tests.plugin.conftest import no_window


class Events(SignalGroup):
    status_changed = Signal(Status)
    objects_changed = Signal()
    image_changed = Signal()


class StandIn:
    """Opens sessions at once, in the same thread."""

    def __init__(self, viewer: Any = None) -> None:
        self.viewer = viewer
        self.events = Events()
        self.choices = Choices()
        self.status = Status()
        self.image: Any = None
        self.axes: LayerAxes | None = None
        self.session: Session | None = None
        self.opened: list[Path] = []
        if viewer is not None:
            viewer.dims.events.current_step.connect(self._look)

    @property
    def position(self) -> Any:
        return self.image.world_to_data(self.viewer.dims.point[-self.image.ndim :])

    def choose_image(self, layer: Any, axes: LayerAxes | None = None) -> None:
        self._leave()
        try:
            found = axes or LayerAxes.guess(layer.data.shape, layer.axis_labels, (), layer.rgb)
            at = {letter: i for letter, i in found.at.items() if found.shape[found.letters.index(letter)] > 1}
            session = Session(
                layer.data, axes=found.letters, at=at, intensity=self.choices.intensity, guard=None
            )
        except Sam2Error as error:
            self.set(model=Model.FAILED, message=str(error))
            return
        self.image, self.axes, self.session = layer, found, session
        self.set(image=layer.name, along=found.along, frames=found.frames, model=Model.READY)
        self.events.image_changed.emit()
        self._look()

    def choose(self, **changes: Any) -> None:
        self.choices = replace(self.choices, **changes)
        if self.image is not None and self.session is not None:
            steps = self.session.steps
            self.choose_image(self.image, self.axes)
            for step in steps:
                self.session.repeat(step)
            self.events.objects_changed.emit()

    def open_session(self, file: Path) -> None:
        self.opened.append(file)

    def set(self, **changes: Any) -> None:
        self.status = replace(self.status, **changes)
        self.events.status_changed.emit(self.status)

    def _leave(self) -> None:
        if self.session is not None:
            self.session.close()
        self.image = self.axes = self.session = None
        self.status = Status()
        self.events.image_changed.emit()

    def _look(self, event: Any = None) -> None:
        if self.axes is not None:
            self.set(frame=self.axes.frame(self.position))


def application() -> Any:
    """Return Qt's application, or skip the test where there can be none."""
    why = no_window()
    if why:
        pytest.skip(why)
    from qtpy.QtWidgets import QApplication

    return QApplication.instance() or QApplication([])


def wait(done: Callable[[], object], seconds: float = 20.0) -> None:
    """Let widgets work until something holds; that it never does is an error."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        application().processEvents()
        time.sleep(0.002)


def rest(seconds: float) -> None:
    """Let widgets work for a while."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)
