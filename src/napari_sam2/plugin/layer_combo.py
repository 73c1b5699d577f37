"""The image layers of a viewer to choose from: the list follows what happens to them."""

from __future__ import annotations

from typing import Any

import napari
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget


class LayerCombo(QComboBox):
    """Image layers by name, newest on top as in the viewer's own list; known by identity.

    Parameters
    ----------
    viewer
        Whose layers.
    parent
        What it lives as long as.
    """

    picked = Signal(object)
    """(layer): the user chose it."""

    def __init__(self, viewer: napari.components.ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Image] = []
        self._shown: Image | None = None
        self.setMinimumContentsLength(8)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.activated.connect(self._activated)
        events = viewer.layers.events
        events.inserted.connect(self._inserted)
        events.removed.connect(self._removed)
        events.reordered.connect(self.refresh)
        for layer in viewer.layers:
            layer.events.name.connect(self.refresh)
        # napari, unlike Qt, goes on calling what was destroyed.
        self.destroyed.connect(self.stop_listening)
        self.refresh()

    @property
    def layers(self) -> list[Image]:
        """What can be chosen, in the order shown."""
        return list(self._layers)

    @property
    def shown(self) -> Image | None:
        """Which one is shown as chosen."""
        return self._shown

    def show_layer(self, layer: Image | None) -> None:
        """Show which one is chosen, without choosing it."""
        self._shown = layer
        self.refresh()

    def refresh(self, event: Any = None) -> None:
        """Read the layers anew."""
        self._layers = [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Image)]
        blocked = self.blockSignals(True)
        self.clear()
        self.addItems([layer.name for layer in self._layers])
        for index, layer in enumerate(self._layers):
            self.setItemData(index, f"{layer.name}: {tuple(layer.data.shape)} {layer.dtype}", 3)
        self.setPlaceholderText("choose an image" if self._layers else "no image open")
        at = next((i for i, layer in enumerate(self._layers) if layer is self._shown), -1)
        self.setCurrentIndex(at)
        self.blockSignals(blocked)
        self.setEnabled(bool(self._layers))
        self.setToolTip(
            "The image to segment; the list follows the viewer's layers."
            if self._layers
            else "No image is open: drop a file onto the viewer, or use File > Open Sample > SAM 2."
        )

    def stop_listening(self) -> None:
        """Let the viewer's layers change without being told."""
        events = self._viewer.layers.events
        events.inserted.disconnect(self._inserted)
        events.removed.disconnect(self._removed)
        events.reordered.disconnect(self.refresh)
        for layer in self._viewer.layers:
            layer.events.name.disconnect(self.refresh)

    def _inserted(self, event: Any) -> None:
        event.value.events.name.connect(self.refresh)
        self.refresh()

    def _removed(self, event: Any) -> None:
        event.value.events.name.disconnect(self.refresh)
        self.refresh()

    def _activated(self, index: int) -> None:
        if 0 <= index < len(self._layers):
            self._shown = self._layers[index]
            self.picked.emit(self._shown)
