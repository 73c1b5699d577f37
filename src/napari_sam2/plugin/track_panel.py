"""Following objects through the sequence: which way, how far, and how it is going."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSpinBox, QVBoxLayout, QWidget

from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.control_set import ControlSet
from napari_sam2.plugin.controls import Control
from napari_sam2.plugin.keymap import Action
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.status import Status
from napari_sam2.prompts import Direction


class TrackPanel(QWidget):
    """Back, both, forward; from where to where; progress; stop and resume.

    Parameters
    ----------
    bridge
        Asked to propagate.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._controls = ControlSet(bridge.status)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        ways = QHBoxLayout()
        column.addLayout(ways)
        for control, text, action, pressed in (
            (Control.BACKWARD, "\u25c0 Back", Action.BACKWARD, self.backward),
            (Control.BOTH, "\u25c0 Both \u25b6", Action.BOTH, self.both),
            (Control.FORWARD, "Forward \u25b6", Action.FORWARD, self.forward),
        ):
            ways.addWidget(self._button(control, text, action, pressed), 1)
        limits = QHBoxLayout()
        column.addLayout(limits)
        self._from, self._to = QSpinBox(), QSpinBox()
        for prefix, box, tip in (
            ("from ", self._from, "Following goes no further back than this."),
            ("to ", self._to, "Following goes no further than this."),
        ):
            box.setPrefix(prefix)
            box.setToolTip(tip)
            box.setKeyboardTracking(False)
            limits.addWidget(box, 1)
        running = QHBoxLayout()
        column.addLayout(running)
        running.addWidget(self._button(Control.STOP, "Stop", Action.STOP, bridge.cancel))
        running.addWidget(self._button(Control.RESUME, "Resume", Action.RESUME, bridge.resume))
        self._bar = QProgressBar()
        self._bar.setToolTip("How far following is, and how long it will still take.")
        self._bar.setTextVisible(True)
        running.addWidget(self._bar, 1)
        self._frames = -1
        listen(self, bridge.events.status_changed, self._show)
        self._show(bridge.status)

    def _button(
        self, control: Control, text: str, action: Action, pressed: Callable[[], object]
    ) -> QPushButton:
        shortcut = self._bridge.shortcuts[action]
        tip = f"{shortcut.text[0].upper()}{shortcut.text[1:]} ({shortcut.shown})."
        return self._controls.button(control, text, tip, pressed)

    def forward(self) -> None:
        """Follow to the end of the range."""
        self._bridge.propagate(Direction.FORWARD, None, self._last)

    def backward(self) -> None:
        """Follow to the beginning of the range."""
        self._bridge.propagate(Direction.BACKWARD, None, self._first)

    def both(self) -> None:
        """Follow to both ends of the range."""
        self._bridge.propagate_both(self._first, self._last)

    @property
    def _first(self) -> int | None:
        return self._from.value() or None

    @property
    def _last(self) -> int | None:
        return None if self._to.value() == self._to.maximum() else self._to.value()

    def _show(self, status: Status) -> None:
        self._controls.show(status)
        if status.frames != self._frames:
            self._frames = status.frames
            for box in (self._from, self._to):
                box.setRange(0, max(status.frames - 1, 0))
                box.setEnabled(status.frames > 1)
            self._from.setValue(0)
            self._to.setValue(self._to.maximum())
        self._bar.setRange(0, max(status.total, 1))
        self._bar.setValue(status.done if status.total else 0)
        self._bar.setFormat(progress_text(status))


def progress_text(status: Status) -> str:
    """Return what the bar says: how far, and how long it will still take."""
    if not status.running:
        return f"{status.done} of {status.total}" if status.total else ""
    if not status.total:
        return "Looking at the first ..."
    left = "" if status.seconds_left is None else f", {duration(status.seconds_left)} left"
    return f"{status.word} {status.done} of {status.total}{left}"


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
