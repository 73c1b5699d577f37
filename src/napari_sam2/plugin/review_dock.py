"""The second dock: review at length, families, and divisions that the masks suggest."""

from __future__ import annotations

from typing import Any

import napari
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QBoxLayout,
    QFrame,
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.plugin.attach import bridge_of
from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.lineage_tree import LineageTree
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.review_panel import ReviewPanel
from napari_sam2.plugin.status import Status
from napari_sam2.plugin.suggested import Suggested
from napari_sam2.session.session import Session
from napari_sam2.session.suggestion import SuggestedDivision

# From so many pixels on, two columns are readable.
WIDE = 640


class ReviewDock(QWidget):
    """Review and lineage.

    Parameters
    ----------
    napari_viewer
        The viewer that it is docked to.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        bridge = bridge_of(napari_viewer)
        self.review_panel = ReviewPanel(bridge, tall=160)
        self.lineage_tree = LineageTree(bridge)
        self.suggestion_list = SuggestionList(bridge)
        scroll = QScrollArea()
        scroll.setWidget(self.lineage_tree)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumHeight(60)
        # The tree lies under the strip, so that its frames do as well.
        frames, beside = QVBoxLayout(), QVBoxLayout()
        for column, title, panel, stretch in (
            (frames, "Review", self.review_panel, 3),
            (frames, "Lineage", scroll, 2),
            (beside, "Suggested divisions", self.suggestion_list, 1),
        ):
            column.setSpacing(4)
            column.addWidget(QLabel(f"<b>{title}</b>"))
            column.addWidget(panel, stretch)
        self._whole = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._whole.setContentsMargins(4, 4, 4, 4)
        self._whole.addLayout(frames, 3)
        self._whole.addLayout(beside, 1)

    def resizeEvent(self, event: Any) -> None:
        """Put the list beside the rest where there is room, as in a dock below the image."""
        wide = event.size().width() >= WIDE
        way = QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom
        if self._whole.direction() != way:
            self._whole.setDirection(way)
        super().resizeEvent(event)


class _List(QListWidget):
    def keyPressEvent(self, event: Any) -> None:
        # Letters are keys of the viewer, and what they stand for works from here as well.
        if event.text().isprintable() and event.text().strip():
            event.ignore()
        else:
            super().keyPressEvent(event)


class SuggestionList(QWidget):
    """Divisions to accept or to dismiss; choosing one goes there.

    Parameters
    ----------
    bridge
        Asked to show, and to divide.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._suggested = Suggested(bridge)
        self._shown: tuple[SuggestedDivision, ...] = ()
        self.list = _List()
        self.list.setMinimumHeight(60)
        self.list.setToolTip("Masks that fall into two of comparable size. Choosing one goes there.")
        self.accept = QPushButton("Accept")
        self.dismiss = QPushButton("Dismiss")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.list, 0, 0, 1, 2)
        for place, button in enumerate((self.accept, self.dismiss)):
            button.setAutoDefault(False)
            grid.addWidget(button, 1, place)
            grid.setColumnStretch(place, 1)
        self.list.currentRowChanged.connect(self._go)
        self.list.itemClicked.connect(lambda item: self._go(self.list.row(item)))
        self.accept.clicked.connect(lambda: self._accept())
        self.dismiss.clicked.connect(lambda: self._dismiss())
        listen(self, bridge.events.status_changed, self._show_controls)
        listen(self, self._suggested.changed, self._show)
        self._show()

    def _chosen(self) -> SuggestedDivision | None:
        row = self.list.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def _show(self) -> None:
        found = self._suggested.all
        row = self.list.currentRow()
        self._shown = found
        session, word = self._bridge.session, self._bridge.status.word
        objects = {} if session is None else session.objects
        self.list.blockSignals(True)
        self.list.clear()
        for one in found:
            name = objects[one.mother].name if one.mother in objects else f"Object {one.mother}"
            text = f"{name} divides on {word} {one.frame}"
            item = QListWidgetItem(text, self.list)
            item.setToolTip(f"{text}. The smaller daughter has {one.balance:.0%} of the larger one's area.")
        # The one after what was accepted or dismissed is next, but nothing moves on screen by itself.
        if row >= 0 and found:
            self.list.setCurrentRow(min(row, len(found) - 1))
        self.list.blockSignals(False)
        self._show_controls(self._bridge.status)

    def _show_controls(self, status: Status) -> None:
        if not self._shown:
            why = f"No mask falls into two on two {status.word}s in a row."
        else:
            why = "" if self._chosen() is not None else "Choose one in the list."
        running = "A propagation is running: stop it first (Esc)." if status.running else ""
        for button, tip, reason in (
            (
                self.accept,
                "Divide the object there; propagate follows the two daughters (Return in the list).",
                why or running,
            ),
            (self.dismiss, "Take it off the list (Del in the list).", why),
        ):
            button.setEnabled(not reason)
            button.setToolTip(f"{tip}\nNot now: {reason}" if reason else tip)

    def _go(self, row: int) -> None:
        if 0 <= row < len(self._shown):
            self._bridge.choose_object(self._shown[row].mother)
            self._bridge.show_frame(self._shown[row].frame)
        self._show_controls(self._bridge.status)

    def _accept(self) -> None:
        chosen = self._chosen()
        if chosen is None or not self.accept.isEnabled():
            return

        def accept(session: Session) -> None:
            session.accept_division(chosen)

        self._bridge.do(
            accept, f"Object {chosen.mother} divides on {self._bridge.status.word} {chosen.frame}."
        )

    def _dismiss(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self._suggested.dismiss(chosen)

    def keyPressEvent(self, event: Any) -> None:
        """Return accepts, Delete dismisses."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._accept()
        elif event.key() == Qt.Key.Key_Delete:
            self._dismiss()
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: Any) -> None:
        """Begin to look for divisions."""
        self._suggested.want(True)
        super().showEvent(event)

    def hideEvent(self, event: Any) -> None:
        """Look for none as long as nobody sees them."""
        self._suggested.want(False)
        super().hideEvent(event)
