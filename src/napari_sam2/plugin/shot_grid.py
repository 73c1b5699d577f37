"""Held-back frames before and after a training, side by side."""

from __future__ import annotations

from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_sam2.plugin.lessons import Shot
from napari_sam2.plugin.pixmap import pixmap_of

SIDE = 140


class ShotGrid(QWidget):
    """Two pictures a frame."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._labels: list[QLabel] = []

    @property
    def count(self) -> int:
        """How many pictures are shown."""
        return sum(not label.pixmap().isNull() for label in self._labels)

    def show_shots(self, shots: tuple[Shot, ...]) -> None:
        """Show these instead of what was there."""
        for label in self._labels:
            self._grid.removeWidget(label)
            label.deleteLater()
        self._labels.clear()
        for row, shot in enumerate(shots):
            for column, (word, picture) in enumerate((("before", shot.before), ("after", shot.after))):
                title, label = QLabel(f"{shot.name}, {word}"), QLabel()
                label.setPixmap(pixmap_of(picture, SIDE))
                label.setToolTip(
                    f"{shot.name} was held back. Colours: what one click an object gives {word}. "
                    "White: the outlines of your labels."
                )
                self._grid.addWidget(title, 2 * row, column)
                self._grid.addWidget(label, 2 * row + 1, column)
                self._labels += [title, label]
