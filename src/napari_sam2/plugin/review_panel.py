"""Where to look: confidence along the sequence, and a way to the mask most in doubt."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.confidence_curve import Curve, described
from napari_sam2.plugin.control_set import ControlSet
from napari_sam2.plugin.controls import Control
from napari_sam2.plugin.curves import Curves
from napari_sam2.plugin.keymap import Action
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.review_strip import ReviewStrip
from napari_sam2.plugin.status import Status


class ReviewPanel(QWidget):
    """The review strip, what is known of the mask on screen, and the button for the next worst.

    Parameters
    ----------
    bridge
        Asked to show frames.
    tall
        Height of the strip in pixels.
    """

    def __init__(self, bridge: Bridge, tall: int = 96) -> None:
        super().__init__()
        self._bridge = bridge
        self._curves = Curves.of(bridge)
        self._controls = ControlSet(bridge.status)
        self.strip = ReviewStrip(bridge, tall)
        self.line = QLabel()
        # A long line is cut off rather than making the dock wider.
        self.line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        key = bridge.shortcuts[Action.NEXT_WORST].shown
        self.worst = self._controls.button(
            Control.NEXT_WORST, "Next worst", f"Go to the mask most in doubt ({key}).", bridge.next_worst
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.strip, 1)
        row = QHBoxLayout()
        row.addWidget(self.line, 1)
        row.addWidget(self.worst)
        column.addLayout(row)
        listen(self, bridge.events.status_changed, self._show)
        listen(self, self._curves.changed, self._show)
        self._show()

    def _show(self, *_: Any) -> None:
        status = self._bridge.status
        self._controls.show(status)
        text = mask_text(status, self._curves.all.get(status.object_id))
        self.line.setText(text)
        self.line.setToolTip(
            f"{text}.\nDots are prompts, crosses are jumps, forks are divisions. Drag to move, double-click "
            "a line to choose its object."
            if text
            else ""
        )


def mask_text(status: Status, curve: Curve | None) -> str:
    """Return what is known of the current object on the frame on screen; an empty text for nothing."""
    if curve is None or status.frames < 2:
        return ""
    confidence = curve.values.get(status.frame)
    return "no mask here" if confidence is None else described(confidence, status.word)
