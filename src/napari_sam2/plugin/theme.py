"""Colours of widgets that are painted by hand: the theme's, and those of objects on it."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QWidget

from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.ink import Ink, legible
from napari_sam2.prompts import ObjectId


@dataclass(frozen=True, slots=True)
class Theme:
    """What napari paints with: its style sheet sets the palette of every widget."""

    ground: Ink
    text: Ink

    @classmethod
    def of(cls, widget: QWidget) -> Theme:
        """Read the palette of a widget."""
        palette = widget.palette()
        window = palette.color(QPalette.ColorRole.Window)
        return cls(_ink(window), _ink(palette.color(QPalette.ColorRole.WindowText)))

    def color(self, share: float = 1.0) -> QColor:
        """Return the colour of text, or one that is only so far away from the ground, 0 to 1."""
        return qcolor(self.ground.mixed(self.text, share))

    def object_color(self, bridge: Bridge, object_id: ObjectId) -> QColor:
        """Return the colour of an object's label, changed where it could not be told from the ground."""
        return qcolor(legible(object_ink(bridge, object_id), self.ground, self.text))


def object_ink(bridge: Bridge, object_id: ObjectId) -> Ink:
    """Return the colour that the Labels layer gives to an object."""
    if bridge.sitting is None:
        return Ink(0.5, 0.5, 0.5)
    red, green, blue, _ = bridge.sitting.label_layer.color(object_id)
    return Ink(float(red), float(green), float(blue))


def qcolor(ink: Ink) -> QColor:
    """Return a colour as Qt has it."""
    return QColor.fromRgbF(ink.red, ink.green, ink.blue)


def _ink(color: QColor) -> Ink:
    return Ink(color.redF(), color.greenF(), color.blueF())
