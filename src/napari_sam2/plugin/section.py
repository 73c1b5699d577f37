"""A part of the dock under a heading that folds it away."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget


class Section(QWidget):
    """A heading, and below it a panel that can be folded away.

    Parameters
    ----------
    title
        What the heading says.
    panel
        What is below.
    tooltip
        What it is for.
    unfolded
        Whether the panel is seen at first.
    """

    def __init__(self, title: str, panel: QWidget, tooltip: str, unfolded: bool = True) -> None:
        super().__init__()
        self._title = title
        self.panel = panel
        self._heading = QToolButton()
        self._heading.setCheckable(True)
        self._heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._heading.setToolTip(f"{tooltip}\nClick to fold it away or to see it.")
        self._heading.setStyleSheet("QToolButton { border: none; font-weight: bold; text-align: left; }")
        self._heading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._heading.toggled.connect(self._fold)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._heading)
        column.addWidget(panel, 1)
        self.summarise("")
        self._heading.setChecked(unfolded)
        self._fold(unfolded)

    def summarise(self, summary: str) -> None:
        """Say in the heading what the panel would say, for when it is folded away."""
        text = f"{self._title}: {summary}" if summary else self._title
        if self._heading.text() != text:
            self._heading.setText(text)

    def _fold(self, unfolded: bool) -> None:
        self._heading.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        self.panel.setVisible(unfolded)
