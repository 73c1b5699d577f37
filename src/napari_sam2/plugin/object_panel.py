"""The objects: which there are, which one is prompted next, and what can be done to them as wholes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QKeySequence
from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QShortcut, QVBoxLayout, QWidget

from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.controls import Control
from napari_sam2.plugin.curves import Curves
from napari_sam2.plugin.keymap import Action
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.object_line import SHOWN
from napari_sam2.plugin.object_table import Row, kept_of, left_over, named, reasons, table_rows
from napari_sam2.plugin.object_tree import ObjectTree
from napari_sam2.plugin.theme import object_ink, qcolor
from napari_sam2.prompts import ObjectId
from napari_sam2.session.session import Session

# Keys that work while the table has the focus; elsewhere they belong to napari.
_KEYS = {
    Control.MERGE: "M",
    Control.DELETE: "Del",
    Control.HIDE: "H",
    Control.COMMIT: "C",
    Control.RENAME: "F2",
    Control.CLASSIFY: "L",
}


class ObjectPanel(QWidget):
    """A table of objects, and buttons for what is selected in it.

    Parameters
    ----------
    bridge
        Asked for everything.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._curves = Curves.of(bridge)
        self._reasons: dict[Control, str] = {}
        self.tree = ObjectTree(self._color)
        self._texts = self._described()
        self._verbs: dict[Control, Callable[[], object]] = {
            Control.NEW_OBJECT: bridge.new_object,
            Control.MERGE: self.merge,
            Control.DELETE: self.delete,
            Control.HIDE: self.hide,
            Control.COMMIT: self.commit,
            Control.DIVIDE: self.divide,
            Control.RENAME: self.rename,
            Control.CLASSIFY: self.classify,
        }
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.tree, 1)
        row = QHBoxLayout()
        row.setSpacing(2)
        column.addLayout(row)
        self.buttons: dict[Control, QPushButton] = {}
        for control in self._texts:
            if control in (Control.RENAME, Control.CLASSIFY):
                continue  # in the line itself, and in the menu
            button = QPushButton(self._texts[control][0])
            button.setAutoDefault(False)
            button.setCheckable(control in (Control.HIDE, Control.COMMIT))
            button.clicked.connect(lambda _=False, control=control: self._press(control))
            button.setStyleSheet("QPushButton { padding: 3px 1px; }")
            row.addWidget(button, 1)
            self.buttons[control] = button
        for control, key in _KEYS.items():
            shortcut = QShortcut(QKeySequence(key), self.tree)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(lambda control=control: self._press(control))
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(self._open_menu)
        self.tree.chosen.connect(bridge.choose_object)
        self.tree.renamed.connect(self._rename)
        self.tree.classified.connect(self._classify)
        self.tree.sign_pressed.connect(self._sign_pressed)
        self.tree.selected.connect(self._show_controls)
        listen(self, bridge.events.objects_changed, self._show)
        listen(self, bridge.events.image_changed, self._show)
        listen(self, bridge.events.status_changed, self._show_controls)
        listen(self, self._curves.changed, self._show)
        self._show()

    # What is shown

    def _described(self) -> dict[Control, tuple[str, str]]:
        """What each control says, and its tooltip."""
        keys = self._bridge.shortcuts
        here = "while the table has the focus"
        return {
            Control.NEW_OBJECT: (
                "New",
                f"The next prompts are for a new object ({keys[Action.NEW_OBJECT].shown}).",
            ),
            Control.MERGE: (
                "Merge",
                f"Make one object of the selected ones: the current one ({_KEYS[Control.MERGE]} {here}).",
            ),
            Control.DIVIDE: (
                "Divide",
                "The object divides: its two daughters are apart on what is on screen for the first time "
                f"({keys[Action.DIVIDE].shown}).",
            ),
            Control.HIDE: (
                "Hide",
                f"Leave the selected objects out of the labels ({_KEYS[Control.HIDE]} {here}).",
            ),
            Control.COMMIT: (
                "Commit",
                "Protect the selected objects: nothing changes them, and they keep their pixels "
                f"({_KEYS[Control.COMMIT]} {here}).",
            ),
            Control.DELETE: (
                "Delete",
                "Forget the selected objects, their prompts and masks; undo brings them back "
                f"({_KEYS[Control.DELETE]} {here}).",
            ),
            Control.RENAME: ("Rename", f"Give the object another name ({_KEYS[Control.RENAME]} {here})."),
            Control.CLASSIFY: (
                "Class",
                f"Say what the selected objects are, in a word ({_KEYS[Control.CLASSIFY]} {here}).",
            ),
        }

    def _color(self, object_id: ObjectId) -> QColor:
        return qcolor(object_ink(self._bridge, object_id))

    def _rows(self) -> tuple[Row, ...]:
        session, status = self._bridge.session, self._bridge.status
        if session is None:
            return ()
        return table_rows(session.objects, session.lineage, self._curves.all, status.frames, status.object_id)

    def _show(self, *_: Any) -> None:
        status = self._bridge.status
        self.tree.show_rows(self._rows(), status.word)
        self.tree.show_current(status.object_id)
        self._show_controls()

    def _show_controls(self, *_: Any) -> None:
        session = self._bridge.session
        lineage = {} if session is None else session.lineage
        chosen = self._chosen()
        rows = [row for row in map(self.tree.row_of, self.tree.known) if row is not None]
        self._reasons = reasons(self._bridge.status, rows, self.tree.selection, lineage)
        for control, button in self.buttons.items():
            why, tip = self._reasons[control], self._texts[control][1]
            button.setEnabled(not why)
            button.setToolTip(f"{tip}\nNot now: {why}" if why else tip)
        self.buttons[Control.HIDE].setChecked(bool(chosen) and all(row.hidden for row in chosen))
        self.buttons[Control.COMMIT].setChecked(bool(chosen) and all(row.committed for row in chosen))

    def _chosen(self) -> list[Row]:
        """The selected lines that the session knows of."""
        rows = map(self.tree.row_of, self.tree.selection)
        return [row for row in rows if row is not None and row.begun]

    # What the user does

    def _press(self, control: Control) -> None:
        why = self._reasons[control]
        if why:
            self._bridge.say(why)
        else:
            self._verbs[control]()
        self._show_controls()  # a button that stays down does so by what is true

    def merge(self) -> None:
        """Make one object of the selected ones."""
        rows = {row.object_id: row for row in self._chosen()}
        kept = kept_of(rows, self._bridge.status.object_id)
        others = [number for number in rows if number != kept]
        told = named([rows[number] for number in others])
        self._bridge.do(lambda session: session.merge(kept, others), f"Merged {told} into {rows[kept].name}.")
        self._bridge.choose_object(kept)

    def delete(self) -> None:
        """Forget the selected objects."""
        rows = [row for row in map(self.tree.row_of, self.tree.known) if row is not None]
        gone = [row.object_id for row in self._chosen()]
        self._each(lambda session, number: session.delete(number), "Deleted {}.")
        left = left_over(rows, gone, self._bridge.status.object_id)
        if left is not None:
            self._bridge.choose_object(left)

    def hide(self) -> None:
        """Hide the selected objects; show them if all are hidden."""
        hidden = not all(row.hidden for row in self._chosen())
        self._each(
            lambda session, number: session.hide(number, hidden), "Hid {}." if hidden else "{}: shown again."
        )

    def commit(self) -> None:
        """Protect the selected objects; allow changes if all are protected."""
        if all(row.committed for row in self._chosen()):
            self._each(lambda session, number: session.reopen(number), "{}: open to changes again.")
        else:
            self._each(lambda session, number: session.commit(number), "Committed {}.")

    def divide(self) -> None:
        """Note that the selected object divides on the frame on screen, and ask for its daughters."""
        self._bridge.choose_object(self._chosen()[0].object_id)
        self._bridge.divide()

    def rename(self) -> None:
        """Let the user type a name into the line of the current object."""
        chosen = self._chosen()
        if chosen:
            self.tree.edit_name(chosen[0].object_id)

    def _rename(self, number: ObjectId, name: str) -> None:
        self._bridge.do(
            lambda session: session.rename(number, name), f"Object {number} is called {name} now."
        )

    def classify(self) -> None:
        """Let the user type a class of the selected objects into the first of their lines."""
        chosen = self._chosen()
        if chosen:
            self.tree.edit_class(chosen[0].object_id)

    def _classify(self, number: ObjectId, label_class: str) -> None:
        if number not in self.tree.selection:
            self.tree.select([number])
        told = label_class.replace("{", "{{").replace("}", "}}")

        def classify(session: Session, one: ObjectId) -> None:
            if session.objects[one].label_class != label_class:
                session.classify(one, label_class)

        self._each(classify, f"{{}}: class {told}." if told else "{}: no class any more.")

    def _each(self, verb: Callable[[Session, ObjectId], object], told: str) -> None:
        rows = self._chosen()
        numbers = [row.object_id for row in rows]

        def all_of_them(session: Session) -> None:
            for number in numbers:
                verb(session, number)

        self._bridge.do(all_of_them, told.format(named(rows)))

    def _sign_pressed(self, number: ObjectId, column: int) -> None:
        self.tree.select([number])
        self._press(Control.HIDE if column == SHOWN else Control.COMMIT)

    def menu(self) -> QMenu:
        """Return the menu for the selected objects."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        chosen = self._chosen()
        for control, (text, tip) in self._texts.items():
            why = self._reasons[control]
            if control is Control.HIDE and chosen and all(row.hidden for row in chosen):
                text = "Show"
            if control is Control.COMMIT and chosen and all(row.committed for row in chosen):
                text = "Reopen"
            action = menu.addAction(text)
            action.setEnabled(not why)
            action.setToolTip(f"{tip}\nNot now: {why}" if why else tip)
            action.triggered.connect(lambda _=False, control=control: self._press(control))
        return menu

    def _open_menu(self, where: QPoint) -> None:
        menu = self.menu()
        menu.exec(self.tree.viewport().mapToGlobal(where))
        menu.deleteLater()
