"""A bridge for panels without a viewer: a real session, all done at once, and what was asked for noted."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_sam2.plugin.controls import Control, controls_for
from napari_sam2.plugin.status import Model, Status
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.session import Session


def need_qt() -> None:
    """Skip where no widget can be made."""
    quiet = os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal")
    if sys.platform.startswith("linux") and not (quiet or os.environ.get("DISPLAY")):
        pytest.skip("there is no display: set QT_QPA_PLATFORM=offscreen, or run under xvfb-run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # napari and what it imports warn about each other
        pytest.importorskip("qtpy.QtWidgets", exc_type=Exception)
        pytest.importorskip("napari.layers", exc_type=Exception)
    from qtpy.QtWidgets import QApplication

    globals()["_application"] = QApplication.instance() or QApplication([])


def disc(y: float, x: float, radius: float = 6.0) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return a round mask of 48 x 56 pixels."""
    rows, columns = np.ogrid[:48, :56]
    return np.asarray((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)


def make_session(network: Any) -> Session:
    """Return objects on 8 frames, painted: 1 and 3 stay one, 2 falls into two on frame 4."""
    images = np.random.default_rng(0).integers(0, 999, (8, 48, 56)).astype(np.uint16)
    session = Session(images, network, guard=LeakGuard(0, 0))
    for frame in range(8):
        apart = 5.0 if frame >= 4 else 0.0
        session.prompt(frame, 1, mask=disc(10, 10 + frame))
        session.prompt(frame, 2, mask=disc(34, 24 - apart, 4.5) | disc(34, 24 + apart, 4.5))
    session.prompt(0, 3, mask=disc(10, 44))
    return session


@contextmanager
def taken_back(session: Session) -> Iterator[Session]:
    """Lend a session, and undo what was done to it."""
    steps = len(session.steps)
    yield session
    while len(session.steps) > steps:
        session.undo()


class RecordingBridge:
    """What panels see of a bridge."""

    def __init__(self, session: Session | None) -> None:
        from psygnal.qt import start_emitting_from_queue

        from napari_sam2.plugin.board import BridgeEvents
        from napari_sam2.plugin.keymap import SHORTCUTS

        start_emitting_from_queue(5)
        self.events = BridgeEvents()
        self.shortcuts = SHORTCUTS
        self.session = session
        self.said: list[str] = []
        self.asked: list[Any] = []
        self.status = Status()
        labels = SimpleNamespace(color=lambda number: np.array([1, number % 5 / 5, 0.2, 1]))
        self.sitting = SimpleNamespace(label_layer=labels)
        self.renew()

    def renew(self, **changes: Any) -> None:
        """Bring the status up to date, and tell of it."""
        session = self.session
        if session is None:
            self.status = Status()
        else:
            number = changes.get("object_id", self.status.object_id)
            row = session.objects.get(number)
            facts = {
                "image": "cells",
                "along": "T",
                "frames": len(session),
                "objects": len(session.objects),
                "prompted": True,
                "masks": True,
                "committed": row is not None and row.committed,
                "model": Model.READY,
            }
            self.status = replace(self.status, **facts, **changes)
        self.events.status_changed.emit(self.status)

    def say(self, message: str) -> None:
        self.said.append(message)

    def do(self, call: Callable[[Session], Any], done: str) -> None:
        assert self.session is not None
        call(self.session)
        self.say(done)
        self.renew()
        self.events.objects_changed.emit()

    def choose_object(self, object_id: int) -> None:
        self.renew(object_id=object_id)
        self.events.objects_changed.emit()

    def new_object(self) -> None:
        assert self.session is not None
        self.choose_object(max(self.session.objects) + 1)

    def show_frame(self, frame: int) -> None:
        self.renew(frame=frame)

    def next_worst(self) -> None:
        self.asked.append("next worst")

    def divide(self) -> None:
        assert not controls_for(self.status)[Control.DIVIDE]
        self.asked.append(("divide", self.status.object_id, self.status.frame))


def wait(done: Callable[[], object], seconds: float = 20.0) -> None:
    """Let Qt work until something holds; that it never does is an error."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds} s"
        QApplication.processEvents()
        time.sleep(0.002)


def end(widget: Any) -> None:
    """Destroy a widget now, in the main thread, as napari does with a dock that is closed."""
    from qtpy.QtCore import QCoreApplication, QEvent

    widget.close()
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
