"""One bridge a viewer: for its docks, and for scripts that have a viewer already."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import napari
from napari.utils.notifications import show_warning
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication, QWidget

from napari_sam2.errors import Sam2Error
from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.choices import Choices
from napari_sam2.plugin.keymap import Action, bind, shortcuts
from napari_sam2.plugin.preferences import preferences
from napari_sam2.plugin.status import Model
from napari_sam2.prompts import Direction
from napari_sam2.session.session import Session

_bridges: dict[int, Bridge] = {}


def bridge_of(viewer: napari.Viewer) -> Bridge:
    """Return the bridge of a viewer; it is made with the first call, and ends with the window.

    The first image, or the selected one, is chosen at once.
    """
    model = getattr(viewer, "__wrapped__", viewer)  # plugins get a viewer behind a proxy
    known = _bridges.get(id(model))
    if known is not None:
        return known
    window = getattr(getattr(model, "window", None), "_qt_window", None)
    set_ = preferences()
    choices = Choices(set_.model, set_.device, autosave=set_.autosave, effort=set_.effort)
    try:
        table = shortcuts(set_.keys)
    except Sam2Error as error:
        show_warning(str(error))
        table = shortcuts({})
    bridge = _bridges[id(model)] = Bridge(model, window, table, choices)
    if window is not None:
        _Ending(window, lambda: _end(id(model)))
    bind(model, bridge.shortcuts, verbs(bridge))
    active, images = model.layers.selection.active, bridge.images()
    if images:
        bridge.choose_image(active if active in images else images[-1])
    return bridge


def attach(viewer: napari.Viewer, seconds: float = 60.0) -> Session:
    """Open the dock in a viewer, if it is not there, and return the session behind it.

    Parameters
    ----------
    viewer
        With an image.
    seconds
        How long to wait for the image to be read.

    Returns
    -------
    Session
        Everything that the window does can be done to it as well, and shows in the window.

    Raises
    ------
    Sam2Error
        There is no image, or it cannot be read.
    """
    bridge = bridge_of(viewer)
    viewer.window.add_plugin_dock_widget("napari-sam2", "SAM 2")
    images = bridge.images()
    if bridge.image is None and images:
        bridge.choose_image(images[-1])
    patience = time.monotonic() + seconds
    while bridge.session is None and bridge.status.model is Model.LOADING and time.monotonic() < patience:
        QApplication.processEvents()
        time.sleep(0.005)
    if bridge.session is None:
        raise Sam2Error(bridge.status.message or "There is no image in the viewer: open one first.")
    return bridge.session


def verbs(bridge: Bridge) -> dict[Action, Callable[[], object]]:
    """Return what each key does."""
    return {
        Action.NEW_OBJECT: bridge.new_object,
        Action.POLARITY: lambda: bridge.turn(not bridge.status.positive),
        Action.FORWARD: lambda: bridge.propagate(Direction.FORWARD),
        Action.BACKWARD: lambda: bridge.propagate(Direction.BACKWARD),
        Action.BOTH: bridge.propagate_both,
        Action.STOP: bridge.cancel,
        Action.RESUME: bridge.resume,
        Action.UNDO: bridge.undo,
        Action.REDO: bridge.redo,
        Action.NEXT_WORST: bridge.next_worst,
        Action.DIVIDE: bridge.divide,
    }


class _Ending(QObject):
    """Calls a function when a window is closed, unless somebody says no to that."""

    def __init__(self, window: QWidget, ended: Callable[[], None]) -> None:
        super().__init__(window)
        self._window = window
        self._ended = ended
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._look)
        window.installEventFilter(self)
        window.destroyed.connect(lambda: ended())

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() == QEvent.Type.Close:
            self._later.start(0)
        return False

    def _look(self) -> None:
        if not self._window.isVisible():
            self._ended()


def _end(key: int) -> None:
    bridge = _bridges.pop(key, None)
    if bridge is not None:
        bridge.close()
