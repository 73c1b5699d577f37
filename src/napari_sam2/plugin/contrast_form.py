"""The form of contrast and channels."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.imaging.intensity import WHITE, Color
from napari_sam2.plugin.contrast import PERCENTILES, ChannelRow, Contrast, Wish

_TIPS = {
    Contrast.STACK: "The darkest and brightest pixels of the stack become black and white (the default).",
    Contrast.LAYER: "The contrast limits and the colour of the layer; of several channels the one on screen.",
    Contrast.FIXED: "The values typed in below, whatever the image holds.",
}


class ContrastForm(QWidget):
    """Where ranges come from; and for every channel whether it is seen, in which colour and which range.

    Attributes
    ----------
    touched
        Whether the user changed anything since it was last applied, so that nothing may be shown over it.
    """

    applied = Signal(object)
    """(Wish): the user wants this."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.touched = False
        self._rgb = False
        self._rows: list[_Row] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        form = QFormLayout()
        column.addLayout(form)
        self._contrast = QComboBox()
        for contrast in Contrast:
            self._contrast.addItem(contrast.value, contrast)
            self._contrast.setItemData(
                self._contrast.count() - 1, _TIPS[contrast], Qt.ItemDataRole.ToolTipRole
            )
        self._contrast.currentIndexChanged.connect(self._mode_chosen)
        self._contrast.activated.connect(self._touch)
        form.addRow("contrast", self._contrast)
        self._low, self._high = QDoubleSpinBox(), QDoubleSpinBox()
        ranks = QHBoxLayout()
        for box, value, tip in (
            (self._low, PERCENTILES[0], "So many per cent of the pixels are darker than black."),
            (self._high, PERCENTILES[1], "So many per cent of the pixels are darker than white."),
        ):
            box.setRange(0, 100)
            box.setDecimals(2)
            box.setSingleStep(0.5)
            box.setValue(value)
            box.setSuffix(" %")
            box.setToolTip(tip)
            box.valueChanged.connect(self._touch)
            ranks.addWidget(box, 1)
        form.addRow("from, to", ranks)
        self._grid = QGridLayout()
        self._grid.setColumnStretch(2, 1)
        self._grid.setColumnStretch(3, 1)
        column.addLayout(self._grid)
        self._apply = QPushButton("Apply")
        self._apply.setAutoDefault(False)
        self._apply.setToolTip("Let the model see the image like this. What was done is done again with it.")
        self._apply.clicked.connect(self.apply)
        column.addWidget(self._apply)
        self.show_channels((), False)

    @property
    def contrast(self) -> Contrast:
        """What is chosen above."""
        return Contrast(self._contrast.currentText())

    def choose(self, contrast: Contrast) -> None:
        """Choose where ranges come from."""
        self._contrast.setCurrentText(contrast.value)

    def apply(self) -> None:
        """Say what is wished for."""
        self.touched = False
        self.applied.emit(self.wish())

    def wish(self) -> Wish:
        """Return what the form says."""
        return Wish(
            self.contrast,
            tuple(row.value() for row in self._rows),
            (self._low.value(), self._high.value()),
            self._rgb,
        )

    def show_channels(self, rows: tuple[ChannelRow, ...], rgb: bool) -> None:
        """Show the channels of an image; none for no image."""
        self.touched = False
        self._rgb = rgb
        for extra in self._rows[len(rows) :]:
            extra.remove()
        del self._rows[len(rows) :]
        for index, given in enumerate(rows):
            if index == len(self._rows):
                self._rows.append(_Row(self._grid, index, self._touch))
            self._rows[index].show_value(given, len(rows) > 1)
        self._mode_chosen()

    def _touch(self) -> None:
        self.touched = True

    def _mode_chosen(self) -> None:
        contrast, there = self.contrast, bool(self._rows)
        self._contrast.setToolTip(_TIPS[contrast])
        for box in (self._low, self._high):
            box.setEnabled(contrast is Contrast.STACK)
        for row in self._rows:
            row.set_free(contrast)
        self._apply.setEnabled(there)


class _Row:
    """One channel: tick, colour, low, high."""

    def __init__(self, grid: QGridLayout, index: int, touch: Callable[[], None]) -> None:
        self._touch = touch
        self._color: Color = WHITE
        self._several = False
        self._used = QCheckBox(f"C{index}")
        self._used.setToolTip(f"Whether the model sees channel {index}.")
        self._paint = QPushButton()
        self._paint.setAutoDefault(False)
        self._paint.setFixedWidth(28)
        self._paint.clicked.connect(self._ask_color)
        self._low, self._high = QLineEdit(), QLineEdit()
        self._gray = QLabel("range")
        self._gray.setToolTip("Pixel values that become black and white.")
        self._used.clicked.connect(touch)
        self._low.textEdited.connect(touch)
        self._high.textEdited.connect(touch)
        self._grid = grid
        grid.addWidget(self._gray, index, 0)
        grid.addWidget(self._used, index, 0)
        grid.addWidget(self._paint, index, 1)
        grid.addWidget(self._low, index, 2)
        grid.addWidget(self._high, index, 3)

    def show_value(self, row: ChannelRow, several: bool) -> None:
        self._several = several
        self._gray.setVisible(not several)
        self._used.setVisible(several)
        self._paint.setVisible(several)
        self._used.setChecked(row.used)
        self._low.setText(f"{row.low:.6g}")
        self._high.setText(f"{row.high:.6g}")
        self._set_color(row.color)

    def set_free(self, contrast: Contrast) -> None:
        fixed = contrast is Contrast.FIXED
        why = "" if fixed else "\nNot now: choose “fixed” above to type a value."
        for edit, what in ((self._low, "black"), (self._high, "full brightness")):
            edit.setEnabled(fixed)
            edit.setToolTip(f"The pixel value that becomes {what}.{why}")
        free = contrast is not Contrast.LAYER
        why = "" if free else "\nNot now: the layer decides."
        self._used.setEnabled(free)
        self._paint.setEnabled(free)
        self._paint.setToolTip(f"The colour that the model sees this channel in.{why}")

    def value(self) -> ChannelRow:
        return ChannelRow(
            self._used.isChecked() or not self._several,
            self._color,
            _number(self._low.text()),
            _number(self._high.text()),
        )

    def remove(self) -> None:
        for widget in (self._gray, self._used, self._paint, self._low, self._high):
            self._grid.removeWidget(widget)
            widget.deleteLater()

    def _ask_color(self) -> None:
        chosen = QColorDialog.getColor(QColor.fromRgbF(*self._color), self._paint, "Colour of the channel")
        if chosen.isValid():
            self._touch()
            self._set_color((chosen.redF(), chosen.greenF(), chosen.blueF()))

    def _set_color(self, color: Color) -> None:
        self._color = color
        name = QColor.fromRgbF(*color).name()
        self._paint.setStyleSheet(f"QPushButton {{ background-color: {name}; border: 1px solid gray; }}")


def _number(text: str) -> float:
    """Return the number of a text; what is none becomes NaN, which the mapping explains."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return float("nan")
