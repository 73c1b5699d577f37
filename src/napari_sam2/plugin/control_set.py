"""Buttons that are on or off as the status says, each with a tooltip that names its key or says why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QPushButton, QWidget

from napari_sam2.plugin.controls import Control, controls_for
from napari_sam2.plugin.status import Status


class ControlSet:
    """The controls of a panel.

    Parameters
    ----------
    status
        What the window stands at.
    """

    def __init__(self, status: Status) -> None:
        self._entries: list[tuple[Control, Any, str]] = []
        self._status = status

    def button(self, control: Control, text: str, tooltip: str, pressed: Callable[[], object]) -> QPushButton:
        """Return a new button that is a control.

        Parameters
        ----------
        control
            Decides when it works.
        text, tooltip
            What it says; the tooltip names the key.
        pressed
            Called when it is pressed.
        """
        made = QPushButton(text)
        # A key must not press what the mouse pressed last.
        made.setAutoDefault(False)
        made.clicked.connect(lambda: pressed())
        self.add(control, made, tooltip)
        return made

    def add(self, control: Control, widget: QWidget, tooltip: str) -> None:
        """Let a control decide over any widget."""
        self._entries.append((control, widget, tooltip))
        self.show(self._status)

    def show(self, status: Status) -> None:
        """Set every widget as the status says."""
        self._status = status
        why_not = controls_for(status)
        for control, widget, tooltip in self._entries:
            why = why_not[control]
            if widget.isEnabled() is bool(why):
                widget.setEnabled(not why)
            text = f"{tooltip}\nNot now: {why}" if why else tooltip
            if widget.toolTip() != text:
                widget.setToolTip(text)
