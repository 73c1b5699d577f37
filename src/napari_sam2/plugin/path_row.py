"""A line for a path, and a button that asks for one."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QMenu, QPushButton, QWidget


class Wanted(Enum):
    """What is asked for."""

    FOLDER = "folder"
    FILE = "file"


class PathRow(QWidget):
    """A path that is typed or chosen.

    Parameters
    ----------
    tooltip
        What it is for.
    placeholder
        What it says as long as nothing is chosen.
    """

    changed = Signal()

    def __init__(self, tooltip: str, placeholder: str) -> None:
        super().__init__()
        self._offers: list[tuple[str, Wanted, str]] = []
        self._line = QLineEdit()
        self._line.setPlaceholderText(placeholder)
        self._line.setToolTip(tooltip)
        self._line.textEdited.connect(lambda _: self.changed.emit())
        self._button = QPushButton("...")
        self._button.setAutoDefault(False)
        self._button.setFixedWidth(32)
        self._button.setToolTip(f"Choose. {tooltip}")
        self._button.clicked.connect(lambda: self._ask())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._line, 1)
        row.addWidget(self._button)

    def offer(self, text: str, wanted: Wanted, files: str = "") -> None:
        """Add something that the button asks for; of several, a menu asks which."""
        self._offers.append((text, wanted, files))

    @property
    def text(self) -> str:
        """What the line says."""
        return str(self._line.text()).strip()

    @property
    def path(self) -> Path:
        """Where that is."""
        return Path(self.text).expanduser()

    def set(self, path: Path) -> None:
        """Let the line say this."""
        self._line.setText(str(path))
        self._line.setCursorPosition(len(str(path)))
        self.changed.emit()

    def _ask(self) -> None:
        if len(self._offers) == 1:
            self._browse(*self._offers[0])
            return
        menu = QMenu(self)
        for offer in self._offers:
            action = menu.addAction(offer[0])
            assert action is not None
            action.triggered.connect(lambda _=False, offer=offer: self._browse(*offer))
        menu.exec(self._button.mapToGlobal(self._button.rect().bottomLeft()))

    def _browse(self, title: str, wanted: Wanted, files: str) -> None:
        if wanted is Wanted.FOLDER:
            name = QFileDialog.getExistingDirectory(self, title, self.text)
        else:
            name, _ = QFileDialog.getOpenFileName(self, title, self.text, files)
        if name:
            self.set(Path(name))
