"""The family tree, drawn along the frames."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.curves import Curves
from napari_sam2.plugin.keymap import Action
from napari_sam2.plugin.lineage_layout import Bar, Tree, bar_at, tree
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.strip_paint import LEFT, RIGHT
from napari_sam2.plugin.strip_scale import Scale
from napari_sam2.plugin.theme import Theme
from napari_sam2.prompts import ObjectId

_LINE = 22
_EDGE = 6


class LineageTree(QWidget):
    """Mothers and daughters as bars under the review strip; a click chooses an object and goes there.

    Parameters
    ----------
    bridge
        Asked to choose objects and show frames.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._curves = Curves.of(bridge)
        self._tree = Tree((), (), 0)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        listen(self, bridge.events.status_changed, self._look)
        listen(self, bridge.events.objects_changed, self._renew)
        listen(self, bridge.events.image_changed, self._renew)
        listen(self, self._curves.changed, self._renew)
        self._renew()

    @property
    def layout_shown(self) -> Tree:
        """What is drawn."""
        return self._tree

    def sizeHint(self) -> QSize:
        """Return room for all lines; without families, for the sentence that says so."""
        return QSize(300, max(self._tree.rows, 2) * _LINE + 2 * _EDGE)

    def _look(self, *_: Any) -> None:
        self.update()

    def _renew(self, *_: Any) -> None:
        session, curves = self._bridge.session, self._curves.all
        if session is None:
            made = Tree((), (), 0)
        else:
            covered = {
                number: curves[number].values.keys() if number in curves else () for number in session.objects
            }
            made = tree(session.lineage, covered, len(session))
        if made != self._tree:
            self._tree = made
            self.updateGeometry()
            self.update()

    def _scale(self) -> Scale:
        frames = self._bridge.status.frames
        return Scale(frames, LEFT, _EDGE, max(self.width() - LEFT - RIGHT, 1), self._tree.rows * _LINE)

    def _y(self, row: float) -> float:
        # The name is written above the bar.
        return _EDGE + (row + 1) * _LINE - 5

    def _bar(self, event: Any) -> Bar | None:
        where = event.position()
        row = (where.y() - _EDGE - _LINE + 5) / _LINE
        return bar_at(self._tree, self._scale().frame(where.x()), row)

    def _name(self, number: ObjectId) -> str:
        session = self._bridge.session
        row = None if session is None else session.objects.get(number)
        return f"Object {number}" if row is None else row.name

    def paintEvent(self, event: Any) -> None:
        """Draw the families, and the frame on screen."""
        theme, status = Theme.of(self), self._bridge.status
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._tree.bars:
            painter.setPen(theme.color(0.65))
            key = self._bridge.shortcuts[Action.DIVIDE].shown
            text = f"No division yet. Where an object divides, choose it and press {key}."
            room = self.rect().adjusted(8, 0, -8, 0)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)
            painter.end()
            return
        scale = self._scale()
        painter.setPen(QPen(theme.color(0.5), 1))
        here = int(scale.x(status.frame))
        painter.drawLine(here, 0, here, self.height())
        for fork in self._tree.forks:
            painter.setPen(QPen(theme.object_color(self._bridge, fork.daughter), 2))
            x = scale.x(fork.frame - 0.5)
            painter.drawLine(QPointF(x, self._y(fork.mother_row)), QPointF(x, self._y(fork.daughter_row)))
        for bar in self._tree.bars:
            current = bar.object_id == status.object_id
            y = self._y(bar.row)
            left, right = scale.x(bar.first - 0.5), scale.x(bar.last + 0.5)
            pen = QPen(theme.object_color(self._bridge, bar.object_id), 5 if current else 3)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            painter.setPen(pen)
            painter.drawLine(QPointF(left, y), QPointF(right, y))
            font = painter.font()
            font.setBold(current)
            painter.setFont(font)
            painter.setPen(theme.color(1.0 if current else 0.75))
            room = QRectF(left + 3, y - _LINE + 5, max(self.width() - left - 3 - RIGHT, 1), _LINE - 7)
            name = painter.fontMetrics().elidedText(
                self._name(bar.object_id), Qt.TextElideMode.ElideRight, int(room.width())
            )
            painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        painter.end()

    def mousePressEvent(self, event: Any) -> None:
        """Choose the object, and go to the frame."""
        bar = self._bar(event)
        if bar is not None and event.button() == Qt.MouseButton.LeftButton:
            self._bridge.choose_object(bar.object_id)
            self._bridge.show_frame(self._scale().frame(event.position().x()))

    def mouseMoveEvent(self, event: Any) -> None:
        """Tell what is there."""
        bar, word = self._bar(event), self._bridge.status.word
        text = "" if bar is None else f"{self._name(bar.object_id)}, {word}s {bar.first} to {bar.last}"
        QToolTip.showText(event.globalPosition().toPoint(), text, self)
