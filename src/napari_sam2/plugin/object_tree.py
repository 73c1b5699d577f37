"""The object table as a tree: a line for each object, daughters under their mother."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QItemSelectionModel, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
)

from napari_sam2.plugin.object_line import CLASS, DOUBT, FRAMES, LINE, LOCKED, NAME, ROLE, SHOWN, ObjectLine
from napari_sam2.plugin.object_table import Row
from napari_sam2.prompts import ObjectId

_SIGN = 22
_NAMES = 110
"""Pixels that names keep; classes get more than their title takes only where there is more."""


class ObjectTree(QTreeWidget):
    """Shows rows, and tells what is chosen, renamed, classified, hidden or committed in them.

    Parameters
    ----------
    color
        The colour of an object.

    Attributes
    ----------
    chosen
        (object): the user moved to another line.
    renamed
        (object, name): typed in its place.
    classified
        (object, class): typed in its place, empty for none.
    sign_pressed
        (object, column): the eye or the lock was clicked, `SHOWN` or `LOCKED`.
    selected
        The selection changed.
    """

    chosen = Signal(int)
    renamed = Signal(int, str)
    classified = Signal(int, str)
    sign_pressed = Signal(int, int)
    selected = Signal()

    def __init__(self, color: Callable[[ObjectId], QColor]) -> None:
        super().__init__()
        self._color = color
        self._items: dict[ObjectId, QTreeWidgetItem] = {}
        self._rows: dict[ObjectId, Row] = {}
        self._colors: dict[ObjectId, QColor] = {}
        self._showing = False
        self._longest = 0
        self.setColumnCount(6)
        self.setHeaderLabels(["Object", "Class", "Frames", "Least", "", ""])
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setUniformRowHeights(True)
        self.setIndentation(12)
        self.setIconSize(QSize(12, 12))
        self.setItemDelegate(ObjectLine(self, self.row_of, lambda: self.classes, self.classified.emit))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(5 * LINE)
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(_SIGN)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (CLASS, FRAMES, DOUBT, SHOWN, LOCKED):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, _SIGN)
        self.itemChanged.connect(self._changed)
        self.itemDoubleClicked.connect(self._edit)
        self.itemClicked.connect(self._clicked)
        self.currentItemChanged.connect(self._moved)
        self.itemSelectionChanged.connect(self._select)

    def sizeHint(self) -> QSize:
        """Return room for five lines."""
        return QSize(300, 6 * LINE)

    @property
    def selection(self) -> tuple[ObjectId, ...]:
        """The selected objects, in the order of their ids."""
        return tuple(sorted(item.data(NAME, ROLE) for item in self.selectedItems()))

    @property
    def known(self) -> tuple[ObjectId, ...]:
        """The objects that have a line."""
        return tuple(self._items)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that are in use, in the order of the alphabet."""
        return tuple(sorted({row.label_class for row in self._rows.values()} - {""}))

    def row_of(self, object_id: ObjectId) -> Row | None:
        """Return what a line shows."""
        return self._rows.get(object_id)

    def show_rows(self, rows: Sequence[Row], word: str) -> None:
        """Bring the lines up to date; those that stay the same are not touched.

        Parameters
        ----------
        rows
            Mothers before their daughters.
        word
            What a frame is called.
        """
        self._showing = True
        header = self.headerItem()
        header.setText(FRAMES, f"{word.capitalize()}s")
        header.setToolTip(CLASS, "What the object is: double-click to say it; L for all that are selected.")
        header.setToolTip(FRAMES, f"On how many {word}s the object has a mask.")
        header.setToolTip(DOUBT, f"The least confidence on any {word} that you did not prompt: 1 is sure.")
        header.setToolTip(SHOWN, "Whether the object is shown (H).")
        header.setToolTip(LOCKED, "Whether the object is committed: nothing changes it then (C).")
        self._fit(max((row.frames for row in rows), default=0), {row.label_class for row in rows})
        known = {row.object_id for row in rows}
        for number in self._items.keys() - known:
            if number in self._items:  # else it went with its mother
                self._drop(number)
        for row in rows:
            item = self._place(row)
            color = self._color(row.object_id)
            if self._rows.get(row.object_id) != row or self._colors.get(row.object_id) != color:
                self._rows[row.object_id], self._colors[row.object_id] = row, color
                self._fill(item, row, color, word)
        self._showing = False

    def _fit(self, frames: int, classes: Collection[str]) -> None:
        """Give the numbers the room that they need, and names and classes the rest."""
        for column, text in ((FRAMES, f"{frames}/{frames}"), (DOUBT, "0.00")):
            self._resize(column, self._room(text, self.headerItem().text(column)))
        self._longest = self._room(*classes)
        self._share()

    def _share(self) -> None:
        """Let the longest class be read, as far as names keep what they need."""
        others = sum(map(self.header().sectionSize, (FRAMES, DOUBT, SHOWN, LOCKED)))
        title = self._room(self.headerItem().text(CLASS))
        spare = self.viewport().width() - others - _NAMES
        self._resize(CLASS, max(title, min(self._longest, spare)))

    def _room(self, *texts: str) -> int:
        return max(map(self.fontMetrics().horizontalAdvance, texts), default=0) + 14

    def _resize(self, column: int, room: int) -> None:
        if self.header().sectionSize(column) != room:
            self.header().resizeSection(column, room)

    def resizeEvent(self, event: Any) -> None:
        """Share the new width."""
        super().resizeEvent(event)
        self._share()

    def show_current(self, object_id: ObjectId) -> None:
        """Move to a line without telling anybody; a selection that holds it is left alone."""
        item = self._items.get(object_id)
        if item is None or (item is self.currentItem() and item.isSelected()):
            return
        self._showing = True
        how = QItemSelectionModel.SelectionFlag
        self.setCurrentItem(item, NAME, how.NoUpdate if item.isSelected() else how.ClearAndSelect | how.Rows)
        self.scrollToItem(item)
        self._showing = False
        self.selected.emit()

    def select(self, object_ids: Collection[ObjectId]) -> None:
        """Select lines."""
        for number, item in self._items.items():
            item.setSelected(number in object_ids)

    def edit_name(self, object_id: ObjectId) -> None:
        """Let the user type another name."""
        item = self._items.get(object_id)
        if item is not None and self._rows[object_id].begun:
            self.editItem(item, NAME)

    def edit_class(self, object_id: ObjectId) -> None:
        """Let the user type another class; those in use are offered."""
        item = self._items.get(object_id)
        if item is not None and self._rows[object_id].begun:
            self.editItem(item, CLASS)

    def _place(self, row: Row) -> QTreeWidgetItem:
        """Return an object's line, made or moved to where it belongs."""
        item = self._items.get(row.object_id)
        before = self._rows.get(row.object_id)
        if item is not None and before is not None and before.mother == row.mother:
            return item
        if item is None:
            item = self._items[row.object_id] = _Line(row.object_id)
        else:
            (item.parent() or self.invisibleRootItem()).removeChild(item)
        parent = self.invisibleRootItem() if row.mother is None else self._items[row.mother]
        numbers = [parent.child(place).data(NAME, ROLE) for place in range(parent.childCount())]
        parent.insertChild(sum(number < row.object_id for number in numbers), item)
        parent.setExpanded(True)
        return item

    def _drop(self, number: ObjectId) -> None:
        item = self._items.pop(number)
        self._rows.pop(number, None)
        self._colors.pop(number, None)
        for place in reversed(range(item.childCount())):  # those that stay get a new line further up
            self._drop(item.child(place).data(NAME, ROLE))
        (item.parent() or self.invisibleRootItem()).removeChild(item)

    def _fill(self, item: QTreeWidgetItem, row: Row, color: QColor, word: str) -> None:
        item.setText(NAME, row.name)
        item.setIcon(NAME, _swatch(color))
        item.setText(CLASS, row.label_class)
        item.setToolTip(CLASS, f"{row.label_class or 'No class'}. Double-click to change it (L).")
        item.setText(FRAMES, f"{row.covered}/{row.frames}" if row.begun else "")
        item.setToolTip(FRAMES, f"{row.covered} of {row.frames} {word}s have a mask.")
        item.setData(DOUBT, ROLE, row.least)
        item.setText(DOUBT, "" if row.least is None else f"{row.least:.2f}")
        item.setToolTip(DOUBT, "" if row.least is None else f"Least confidence {row.least:.2f}; 1 is sure.")
        item.setData(SHOWN, ROLE, not row.hidden)
        item.setToolTip(
            SHOWN, "Hidden: click to show it (H)." if row.hidden else "Shown: click to hide it (H)."
        )
        item.setData(LOCKED, ROLE, row.committed)
        item.setToolTip(
            LOCKED,
            "Committed: click to allow changes (C)." if row.committed else "Open: click to commit it (C).",
        )
        font = item.font(NAME)
        font.setItalic(not row.begun)
        item.setFont(NAME, font)
        item.setToolTip(
            NAME,
            f"{row.name}: object {row.object_id}. Double-click to rename (F2)."
            if row.begun
            else "Waits for its first prompt: click it in the image.",
        )

    # What the user does

    def keyPressEvent(self, event: Any) -> None:
        """Leave letters to the keys of the viewer instead of looking for names that begin with them."""
        if event.text().isprintable() and event.text().strip():
            event.ignore()
        else:
            super().keyPressEvent(event)

    def _changed(self, item: QTreeWidgetItem, column: int) -> None:
        if self._showing or column != NAME:
            return
        number, name = item.data(NAME, ROLE), item.text(NAME).strip()
        row = self._rows.get(number)
        if row is None or name == row.name:
            return
        # The session decides; until it has, the line shows what is true.
        self._showing = True
        item.setText(NAME, row.name)
        self._showing = False
        if name:
            self.renamed.emit(number, name)

    def _edit(self, item: QTreeWidgetItem, column: int) -> None:
        if column in (NAME, CLASS):
            (self.edit_name if column == NAME else self.edit_class)(item.data(NAME, ROLE))

    def _clicked(self, item: QTreeWidgetItem, column: int) -> None:
        number = item.data(NAME, ROLE)
        if column in (SHOWN, LOCKED) and self._rows[number].begun:
            self.sign_pressed.emit(number, column)

    def _moved(self, item: QTreeWidgetItem | None, before: Any) -> None:
        if item is not None and not self._showing:
            self.chosen.emit(item.data(NAME, ROLE))

    def _select(self) -> None:
        if not self._showing:
            self.selected.emit()


def _swatch(color: QColor) -> QIcon:
    """Return a patch of colour that stays the same in a selected line."""
    patch = QPixmap(12, 12)
    patch.fill(color)
    icon = QIcon(patch)
    icon.addPixmap(patch, QIcon.Mode.Selected)
    return icon


class _Line(QTreeWidgetItem):
    def __init__(self, object_id: ObjectId) -> None:
        super().__init__()
        self.setData(NAME, ROLE, object_id)
        self.setFlags(self.flags() | Qt.ItemFlag.ItemIsEditable)
        for column in (FRAMES, DOUBT):
            self.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
