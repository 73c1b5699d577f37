"""Tools to say where an object is, and whether what follows is part of it."""

from __future__ import annotations

from qtpy.QtWidgets import QButtonGroup, QGridLayout, QLabel, QPushButton, QWidget

from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.control_set import ControlSet
from napari_sam2.plugin.controls import Control
from napari_sam2.plugin.keymap import Action
from napari_sam2.plugin.status import Status, Tool

_TOOLS = {
    Tool.POINT: ("Point", "Click the object. Shift+click, or minus, for what does not belong to it."),
    Tool.BOX: ("Box", "Drag a rectangle round the object."),
    Tool.POLYGON: ("Polygon", "Draw round the object; what you draw is its mask. With minus it is cut out."),
    Tool.PAINT: ("Paint", "Paint with the brush of the Labels layer; what you paint is kept as it is."),
}


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
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        self._tools: dict[Tool, QPushButton] = {}
        tools = QButtonGroup(self)
        for column, (tool, (text, tip)) in enumerate(_TOOLS.items()):
            button = self._controls.button(
                Control.PROMPT, text, tip, lambda tool=tool: bridge.choose_tool(tool)
            )
            button.setCheckable(True)
            tools.addButton(button)
            grid.addWidget(button, 0, column)
            self._tools[tool] = button
        keys = bridge.shortcuts
        signs = QButtonGroup(self)
        self._signs: dict[bool, QPushButton] = {}
        for column, (positive, text, tip) in enumerate(
            (
                (True, "+ object", "What you say next belongs to the object"),
                (False, "\u2212 not", "What you say next does not belong to it"),
            )
        ):
            button = self._controls.button(
                Control.PROMPT,
                text,
                f"{tip} ({keys[Action.POLARITY].shown} switches).",
                lambda positive=positive: bridge.turn(positive),
            )
            button.setCheckable(True)
            signs.addButton(button)
            grid.addWidget(button, 1, column)
            self._signs[positive] = button
        undo = self._controls.button(
            Control.UNDO, "Undo", f"Take back the newest step ({keys[Action.UNDO].shown}).", bridge.undo
        )
        redo = self._controls.button(
            Control.REDO, "Redo", f"Do it again ({keys[Action.REDO].shown}).", bridge.redo
        )
        grid.addWidget(undo, 1, 2)
        grid.addWidget(redo, 1, 3)
        self._hint = QLabel()
        self._hint.setWordWrap(True)
        self._hint.setToolTip("All keys can be changed in Preferences > SAM 2.")
        grid.addWidget(self._hint, 2, 0, 1, 3)
        clear = self._controls.button(
            Control.CLEAR, "Clear", "Take back what was said about this object here.", bridge.clear
        )
        grid.addWidget(clear, 2, 3)
        for column in range(4):
            grid.setColumnStretch(column, 1)
        self.setMinimumWidth(0)
        bridge.events.status_changed.connect(self._show)
        self._show(bridge.status)

    def _show(self, status: Status) -> None:
        self._controls.show(status)
        self._tools[status.tool].setChecked(True)
        self._signs[status.positive].setChecked(True)
        new = self._bridge.shortcuts[Action.NEW_OBJECT].shown
        self._hint.setText(f"Object {status.object_id}. Shift+click is minus; {new} begins the next.")
