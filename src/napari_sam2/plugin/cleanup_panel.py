"""Cleaning masks: holes, pieces, edges; cutting an object in two; numbers without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_sam2.errors import PromptError
from napari_sam2.imaging.cleanup import CleanUp
from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.controls import Control, controls_for
from napari_sam2.plugin.cut_layer import CutLayer, Stroke, object_under
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.status import Status
from napari_sam2.prompts import FrameIndex
from napari_sam2.session.session import Session
from napari_sam2.session.tidy import without_gaps


@dataclass(frozen=True, slots=True)
class _Tool:
    """How a tool is offered: its size 0 stands for none where `unlimited` says so."""

    text: str
    tip: str
    size: str = ""
    unlimited: str = ""


_TOOLS = {
    CleanUp.FILL_HOLES: _Tool(
        "Fill holes", "Fill what a mask encloses.", "Holes up to so many pixels.", "any size"
    ),
    CleanUp.KEEP_LARGEST: _Tool("Keep largest piece", "Take away all pieces of a mask but the largest."),
    CleanUp.SMOOTH: _Tool("Smooth", "Round off outlines.", "Radius in pixels: what is narrower goes."),
    CleanUp.REMOVE_SMALL: _Tool(
        "Remove small", "Take away small pieces.", "Pieces of fewer pixels than this go."
    ),
    CleanUp.REMOVE_BORDER: _Tool(
        "Remove border objects", "Take away masks that touch the edge.", "So close to the edge, in pixels."
    ),
}


def why_not(status: Status, everything: bool) -> str:
    """Return why masks cannot be cleaned or cut now; empty where they can.

    Parameters
    ----------
    status
        What the window stands at.
    everything
        Whether all objects are meant, of which protected ones are left out.
    """
    why = controls_for(status)[Control.EXPORT]
    if not why and status.committed and not everything:
        return "This object is committed: open it again in the table."
    return why


class CleanupPanel(QWidget):
    """A tool with its size, for which objects and frames; cut; renumber.

    Parameters
    ----------
    bridge
        Asked for everything.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._cut = CutLayer(bridge.viewer, self._split, self._cut_done)
        self.tool, self.objects, self.frames = QComboBox(), QComboBox(), QComboBox()
        for tool, offered in _TOOLS.items():
            self.tool.addItem(offered.text, tool)
        self.size = QDoubleSpinBox()
        self.size.setDecimals(1)
        self.size.setRange(0, 1e6)
        self.objects.addItems(["this object", "all objects"])
        self.objects.setToolTip("Hidden and committed objects are left alone.")
        self.clean_button = self._button("Clean", self.clean)
        self.cut_button = self._button("Cut", self.cut)
        self.cut_button.setCheckable(True)
        self.renumber_button = self._button("Renumber", self.renumber)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for row in (
            (self.tool, self.size, self.clean_button),
            (self.objects, self.frames),
            (self.cut_button, self.renumber_button),
        ):
            line = QHBoxLayout()
            for widget in row:
                line.addWidget(widget, 1)
            column.addLayout(line)
        self.tool.currentIndexChanged.connect(self._choose)
        self.objects.currentIndexChanged.connect(lambda: self._show(bridge.status))
        self._choose()
        listen(self, bridge.events.status_changed, self._show)
        listen(self, bridge.events.image_changed, self._cut.end)
        self._show(bridge.status)

    def _button(self, text: str, pressed: Any) -> QPushButton:
        made = QPushButton(text)
        # A key must not press what the mouse pressed last.
        made.setAutoDefault(False)
        made.clicked.connect(lambda: pressed())
        return made

    # What is shown

    def _choose(self) -> None:
        """Offer the size of the chosen tool."""
        tool = self.tool.currentData()
        offered = _TOOLS[tool]
        self.tool.setToolTip(offered.tip)
        self.size.setEnabled(bool(offered.size))
        self.size.setToolTip(offered.size or "This tool has no size.")
        self.size.setSpecialValueText(offered.unlimited)
        self.size.setValue(0 if offered.unlimited else tool.usual)

    def _show(self, status: Status) -> None:
        everything = self.objects.currentIndex() == 1
        chosen = max(self.frames.currentIndex(), 0)
        texts = [f"this {status.word}", f"all {status.word}s"]
        if [self.frames.itemText(n) for n in range(self.frames.count())] != texts:
            self.frames.clear()
            self.frames.addItems(texts)
            self.frames.setCurrentIndex(chosen)
        self.frames.setEnabled(status.frames > 1)
        redraw = "Where the object was prompted the cleaned mask stays; elsewhere following finds it anew."
        for button, why, tip in (
            (self.clean_button, why_not(status, everything), f"Clean the masks. {redraw}"),
            (
                self.cut_button,
                why_not(status, False),
                "Draw a line across an object to make two of it, which are followed from here.",
            ),
            (
                self.renumber_button,
                why_not(status, True),
                "Number the objects from 1 on without gaps; committed ones keep their number.",
            ),
        ):
            button.setEnabled(not why)
            button.setToolTip(f"{tip}\nNot now: {why}" if why else tip)

    # What the user does

    def clean(self) -> None:
        """Clean the masks that are chosen."""
        status, tool = self._bridge.status, self.tool.currentData()
        objects = None if self.objects.currentIndex() else [status.object_id]
        frames = None if self.frames.currentIndex() == 1 else [status.frame]
        unlimited = bool(_TOOLS[tool].unlimited) and self.size.value() == 0
        size = None if unlimited else self.size.value()

        def clean(session: Session) -> None:
            if not session.clean(tool, objects, frames, size):
                raise PromptError(f"There is nothing to {tool.value} here: no mask changed.")

        self._bridge.do(clean, f"{_TOOLS[tool].text}: done.")

    def cut(self) -> None:
        """Let the next stroke cut an object; pressed again, let it be."""
        image, axes = self._bridge.image, self._bridge.axes
        if self._cut.waiting:
            self._cut.end()
        elif image is not None and axes is not None:
            self._bridge.say("Drag a line across the object, from outside to outside.")
            self._cut.begin(image, axes)
        self.cut_button.setChecked(self._cut.waiting)

    def _split(self, frame: FrameIndex, stroke: Stroke) -> None:
        current = self._bridge.status.object_id

        def split(session: Session) -> None:
            session.split(frame, object_under(session.labels(frame), stroke, current), stroke)

        self._bridge.do(split, "Cut in two; the smaller part is a new object.")

    def _cut_done(self) -> None:
        self.cut_button.setChecked(False)
        self._bridge.choose_tool(self._bridge.status.tool)

    def renumber(self) -> None:
        """Number the objects from 1 on."""
        session, current = self._bridge.session, self._bridge.status.object_id
        if session is not None:
            numbers = without_gaps(session.objects)
            self._bridge.do(lambda session: session.relabel(numbers), "Numbered the objects from 1 on.")
            self._bridge.choose_object(numbers.get(current, current))
