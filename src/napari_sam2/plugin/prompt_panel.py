"""Tools to say where an object is, and whether what follows is part of it."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.control_set import ControlSet
from napari_sam2.plugin.controls import Control
from napari_sam2.plugin.keymap import Action
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.status import Status, Tool

_TOOLS = {
    Tool.POINT: ("Point", "Click the object. Shift+click, or minus, for what does not belong to it."),
    Tool.BOX: ("Box", "Drag a rectangle round the object."),
    Tool.POLYGON: ("Polygon", "Draw round the object; what you draw is its mask. With minus it is cut out."),
    Tool.PAINT: ("Paint", "Paint with the brush of the Labels layer; what you paint is kept as it is."),
}
_SIGNS = (
    (True, "+", "What you say next belongs to the object."),
    (False, "\u2212", "What you say next does not belong to the object."),
)


class PromptPanel(QWidget):
    """Point, box, polygon, paint; plus or minus; undo and redo.

    Parameters
    ----------
    bridge
        Told what was chosen.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._controls = ControlSet(bridge.status)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        above, below = QHBoxLayout(), QHBoxLayout()
        column.addLayout(above)
        column.addLayout(below)
        self._tools: dict[Tool, QPushButton] = {}
        tools = QButtonGroup(self)
        for tool, (text, tip) in _TOOLS.items():
            button = self._controls.button(Control.PROMPT, text, tip, partial(bridge.choose_tool, tool))
            button.setCheckable(True)
            tools.addButton(button)
            above.addWidget(button, 1)
            self._tools[tool] = button
        keys = bridge.shortcuts
        signs = QButtonGroup(self)
        self._signs: dict[bool, QPushButton] = {}
        for positive, text, tip in _SIGNS:
            button = self._controls.button(
                Control.PROMPT,
                text,
                f"{tip}\n{keys[Action.POLARITY].shown} switches, Shift+click says the opposite once.",
                partial(bridge.turn, positive),
            )
            button.setCheckable(True)
            signs.addButton(button)
            below.addWidget(button, 1)
            self._signs[positive] = button
        for control, text, tip, pressed in (
            (Control.UNDO, "Undo", f"Take back the newest step ({keys[Action.UNDO].shown}).", bridge.undo),
            (Control.REDO, "Redo", f"Do it again ({keys[Action.REDO].shown}).", bridge.redo),
            (Control.CLEAR, "Clear", "Take back what was said about this object here.", bridge.clear),
        ):
            below.addWidget(self._controls.button(control, text, tip, pressed), 1)
        listen(self, bridge.events.status_changed, self._show)
        self._show(bridge.status)

    def _show(self, status: Status) -> None:
        self._controls.show(status)
        self._tools[status.tool].setChecked(True)
        self._signs[status.positive].setChecked(True)
