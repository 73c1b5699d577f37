"""The axes of an image as chips: what each one is, which one frames follow along, where the other is held."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.plugin.axis_choice import WORDS, called, held_letter, offered, sentence, ways, wrong
from napari_sam2.plugin.layer_axes import LayerAxes

_NONE = "Choose an image first."


class AxesChips(QWidget):
    """Shows a `LayerAxes`, and says which one the user wants instead.

    What makes no sense stays on the screen with the reason below, until it does.
    """

    changed = Signal(object)
    """(LayerAxes): the user wants these."""
    position_asked = Signal()
    """The user wants the other axis to be held where the slider is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axes: LayerAxes | None = None
        self._letters = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._row = QGridLayout()
        self._row.setSpacing(4)
        self._chips: list[QComboBox] = []
        self._sizes: list[QLabel] = []
        column.addLayout(self._row)
        for index in range(5):
            self._add_chip(index)
        follow = QHBoxLayout()
        follow.setSpacing(4)
        self._follow_label = QLabel("along")
        self._along = QComboBox()
        self._along.addItems(["T", "Z"])
        self._along.activated.connect(self._along_chosen)
        self._held_label = QLabel("Z at")
        self._held = QSpinBox()
        self._held.setKeyboardTracking(False)
        self._held.valueChanged.connect(self._held_chosen)
        self._here = QPushButton("slider")
        self._here.setAutoDefault(False)
        self._here.clicked.connect(self.position_asked)
        follow.addWidget(self._follow_label)
        follow.addWidget(self._along)
        follow.addWidget(self._held_label)
        # napari's style draws the two signs of a spin box beyond what Qt reckons with.
        self._held.setMinimumWidth(92)
        follow.addWidget(self._held, 1)
        follow.addWidget(self._here)
        column.addLayout(follow)
        self._words = QLabel(_NONE)
        self._words.setWordWrap(True)
        # The line is there with or without an explanation.
        self._words.setMinimumHeight(self._words.fontMetrics().lineSpacing() + 2)
        self._words.setAlignment(Qt.AlignmentFlag.AlignTop)
        column.addWidget(self._words)
        self.show_axes(None)

    def _add_chip(self, index: int) -> None:
        chip, size = QComboBox(), QLabel()
        chip.activated.connect(lambda _, index=index: self._letter_chosen(index))
        chip.setMinimumContentsLength(1)
        chip.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        size.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._row.addWidget(chip, 0, index)
        self._row.addWidget(size, 1, index)
        self._chips.append(chip)
        self._sizes.append(size)

    @property
    def words(self) -> str:
        """What is said below the chips."""
        return str(self._words.text())

    def show_axes(self, axes: LayerAxes | None) -> None:
        """Show what the axes are; None for no image."""
        self._axes = axes
        self._letters = "" if axes is None else axes.letters
        for index, (chip, size) in enumerate(zip(self._chips, self._sizes, strict=True)):
            there = axes is not None and index < len(axes.letters)
            shown = there or (axes is None and index < 3)
            chip.setVisible(shown)
            size.setVisible(shown)
            self._row.setColumnStretch(index, int(shown))
            chip.clear()
            chip.setEnabled(there)
            chip.setToolTip(_NONE)
            size.setText("")
            if axes is None or not there:
                continue
            colour = axes.rgb and index == len(axes.letters) - 1
            chip.addItems(list(offered(colour)))
            chip.setCurrentText(axes.letters[index])
            chip.setEnabled(not colour)
            for at, letter in enumerate(offered(colour)):
                chip.setItemData(at, WORDS[letter], Qt.ItemDataRole.ToolTipRole)
            size.setText(str(axes.shape[index]))
            what = f"Axis {index}, {axes.shape[index]} long, is {WORDS[axes.letters[index]]}."
            chip.setToolTip(
                f"{what} The colours of an RGB layer stay channels." if colour else f"{what} Change it here."
            )
            size.setToolTip(what)
        self._show_ways(axes)
        self._words.setText(_NONE if axes is None else sentence(axes))

    def _show_ways(self, axes: LayerAxes | None) -> None:
        held = "" if axes is None else held_letter(axes)
        choice = "" if axes is None else ways(axes)
        if axes is None:
            why = _NONE
        elif not held:
            why = "Not now: only an image with both time and depth leaves a choice."
        else:
            why = ""
        self._along.setCurrentText(axes.along if axes is not None and axes.along else "T")
        for widget in (self._follow_label, self._along, self._held_label, self._held, self._here):
            widget.setEnabled(len(choice) == 2)
            # Another image may bring the choice; whatever is done with this one moves nothing.
            widget.setVisible(bool(held))
        word = {"T": "frame", "Z": "slice"}.get(held, "place")
        self._held_label.setText(f"{held or 'Z'} at")
        blocked = self._held.blockSignals(True)
        if axes is not None and held:
            self._held.setRange(0, axes.shape[axes.letters.index(held)] - 1)
            self._held.setValue(axes.at[held])
        else:
            self._held.setRange(0, 0)
        self._held.blockSignals(blocked)
        self._tip([self._follow_label, self._along], "Follow objects through time (T) or depth (Z).", why)
        self._tip([self._held_label, self._held], f"The {word} at which objects are followed.", why)
        self._tip([self._here], f"Stay at the {word} that the slider shows.", why)

    def _tip(self, widgets: Sequence[QWidget], tip: str, why: str) -> None:
        for widget in widgets:
            widget.setToolTip(f"{tip}\n{why}" if why else tip)

    def _letter_chosen(self, index: int) -> None:
        axes = self._axes
        if axes is None:
            return
        letter = self._chips[index].currentText()
        if letter == self._letters[index]:
            return
        changeable = len(self._letters) - axes.rgb
        if axes.rgb and letter == "C":
            self._explain("The colours of this image are its channels already: no other axis can be C.")
            return
        self._letters = called(self._letters[:changeable], index, letter) + self._letters[changeable:]
        for chip, one in zip(self._chips, self._letters, strict=False):
            chip.setCurrentText(one)
        why = wrong(self._letters, axes.shape)
        if why:
            self._explain(why)
            return
        position = [axes.at.get(one, 0) for one in self._letters]
        self._want(LayerAxes.of(self._letters, axes.shape, axes.along, axes.rgb, position))

    def _along_chosen(self) -> None:
        axes = self._axes
        if axes is not None and self._along.currentText() != axes.along:
            self._want(LayerAxes.of(axes.letters, axes.shape, self._along.currentText(), axes.rgb))

    def _held_chosen(self, index: int) -> None:
        if self._axes is not None and held_letter(self._axes):
            self.hold(index)

    def hold(self, index: int) -> None:
        """Want the other axis to be held at this place."""
        axes = self._axes
        held = "" if axes is None else held_letter(axes)
        if axes is None or not held or axes.at[held] == index:
            return
        position = [index if one == held else axes.at.get(one, 0) for one in axes.letters]
        self._want(LayerAxes.of(axes.letters, axes.shape, axes.along, axes.rgb, position))

    def _want(self, axes: LayerAxes) -> None:
        self.show_axes(axes)
        self.changed.emit(axes)

    def _explain(self, text: str) -> None:
        self._words.setText(text)
        self._words.setToolTip(text)
