"""How a line of the object tree is drawn and typed into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QCompleter, QLineEdit, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_sam2.plugin.glyphs import SIDE, eye, lock
from napari_sam2.plugin.object_table import Row
from napari_sam2.plugin.theme import Theme
from napari_sam2.prompts import ObjectId

NAME, CLASS, FRAMES, DOUBT, SHOWN, LOCKED = range(6)
ROLE = Qt.ItemDataRole.UserRole
LINE = 20


class ObjectLine(QStyledItemDelegate):
    """Draws the bar of doubt and the signs, and completes classes; the rest is as usual.

    Parameters
    ----------
    tree
        Whose lines these are.
    row_of
        Returns what a line shows.
    classes
        Returns the classes that are offered.
    classify
        Is told the object and the class that was typed, if anything was.
    """

    def __init__(
        self,
        tree: QWidget,
        row_of: Callable[[ObjectId], Row | None],
        classes: Callable[[], tuple[str, ...]],
        classify: Callable[[ObjectId, str], object],
    ) -> None:
        super().__init__(tree)
        self._row_of = row_of
        self._classes = classes
        self._classify = classify

    def sizeHint(self, option: QStyleOptionViewItem, index: Any) -> QSize:
        """Return the height of a line, so that a font does not change it."""
        return QSize(super().sizeHint(option, index).width(), LINE)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Any) -> QWidget | None:
        """Return a field for a name or a class; nothing else is typed."""
        if index.column() == NAME:
            return super().createEditor(parent, option, index)
        if index.column() != CLASS:
            return None
        editor = QLineEdit(parent)
        editor.setFrame(False)
        completer = QCompleter(list(self._classes()), editor)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.activated.connect(lambda text: self._accept(editor, text))
        editor.setCompleter(completer)
        return editor

    def setModelData(self, editor: QWidget, model: Any, index: Any) -> None:
        """Tell what was typed; a class that was only looked at is left alone."""
        if index.column() != CLASS:
            super().setModelData(editor, model, index)
        elif editor.isModified():
            # The session decides; until it has, the line shows what is true.
            self._classify(index.siblingAtColumn(NAME).data(ROLE), editor.text().strip())

    def _accept(self, editor: QLineEdit, text: str) -> None:
        """Take a class of the list at once, without another press of Enter."""
        editor.setText(text)
        editor.setModified(True)
        self.commitData.emit(editor)
        self.closeEditor.emit(editor)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Draw one cell."""
        column, value = index.column(), index.data(ROLE)
        theme = Theme.of(self.parent())
        super().paint(painter, option, index)
        if column == DOUBT and value is not None:
            room = QRectF(option.rect).adjusted(4, LINE - 5, -4, -2)
            painter.fillRect(room, theme.color(0.25))
            room.setWidth(room.width() * value)
            painter.fillRect(room, theme.color(0.75))
        row = self._row_of(index.siblingAtColumn(NAME).data(ROLE))
        if column in (SHOWN, LOCKED) and row is not None and row.begun:
            middle = QRectF(option.rect).center()
            corner = QPointF(middle.x() - SIDE / 2, middle.y() - SIDE / 2)
            if column == SHOWN:
                eye(painter, corner, theme.color(0.9 if value else 0.65), closed=not value)
            else:
                lock(painter, corner, theme.color(0.9 if value else 0.5), closed=bool(value))
