"""Somebody at the window: moves the mouse, presses keys and buttons, waits, and takes pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton, QWidget

MODIFIERS = {
    "Shift": Qt.KeyboardModifier.ShiftModifier,
    "Control": Qt.KeyboardModifier.ControlModifier,
    "Alt": Qt.KeyboardModifier.AltModifier,
}


class Visitor:
    """Acts on a viewer as a user does, through events of mouse and keyboard.

    Parameters
    ----------
    viewer
        A napari viewer whose window is shown.
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.canvas = viewer.window._qt_viewer.canvas

    def wait(self, done: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait until something holds; that it never does is an error."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} s: {self.viewer.status}")
            QApplication.processEvents()
            time.sleep(0.002)

    def rest(self, seconds: float) -> None:
        """Let the window work for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.002)

    def where(self, world: Any) -> QPoint:
        """Return the place on the canvas of a place in the world, of which the last two axes are shown."""
        shown = [world[axis] for axis in self.viewer.dims.displayed]
        mapped = self.canvas.view.scene.transform.map([*shown[::-1], 0, 1])
        x, y = mapped[:2] / mapped[3]
        return QPoint(round(float(x)), round(float(y)))

    def click(self, layer: Any, position: Any, modifiers: str = "") -> None:
        """Click at a position in the data coordinates of a layer."""
        place = self.where(layer.data_to_world(np.asarray(position, float)))
        flags = _flags(modifiers)
        QTest.mouseMove(self.canvas.native, place)
        QTest.mouseClick(self.canvas.native, Qt.MouseButton.LeftButton, flags, place)
        QApplication.processEvents()

    def drag(self, layer: Any, positions: Any, modifiers: str = "") -> None:
        """Press the button at the first position, move over the others, and let go at the last."""
        places = [self.where(layer.data_to_world(np.asarray(one, float))) for one in positions]
        flags = _flags(modifiers)
        native = self.canvas.native
        QTest.mouseMove(native, places[0])
        QTest.mousePress(native, Qt.MouseButton.LeftButton, flags, places[0])
        for place in places[1:]:
            QTest.mouseMove(native, place)
            QTest.qWait(30)
        QTest.mouseRelease(native, Qt.MouseButton.LeftButton, flags, places[-1])
        QApplication.processEvents()

    def press(self, keys: str) -> None:
        """Press a key on the canvas, as in ``Control-Shift-Z``."""
        *modifiers, key = keys.split("-")
        code = getattr(Qt.Key, f"Key_{key}")
        self.canvas.native.setFocus()
        QTest.keyClick(self.canvas.native, code, _flags("-".join(modifiers)))
        QApplication.processEvents()

    def push(self, inside: QWidget, text: str) -> None:
        """Click a button by what it says."""
        found = [button for button in inside.findChildren(QPushButton) if button.text() == text]
        assert len(found) == 1, f"{len(found)} buttons say {text!r}"
        assert found[0].isEnabled(), found[0].toolTip()
        QTest.mouseClick(found[0], Qt.MouseButton.LeftButton)
        QApplication.processEvents()

    def picture(self, path: Path) -> None:
        """Take a picture of the whole window."""
        self.rest(0.3)
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)


def _flags(modifiers: str) -> Any:
    flags = Qt.KeyboardModifier.NoModifier
    for name in filter(None, modifiers.split("-")):
        flags |= MODIFIERS[name]
    return flags
