"""A layer for strokes that cut: what is drawn on it is handed on, and does not stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari
import numpy as np
import numpy.typing as npt
from napari.layers import Image, Shapes
from qtpy.QtCore import QTimer

from napari_sam2.plugin.layer_axes import LayerAxes
from napari_sam2.plugin.transform import placed
from napari_sam2.prompts import FrameIndex, ObjectId

Stroke = tuple[tuple[float, float], ...]


class CutLayer:
    """Takes one straight stroke at a time; in between the layer is empty and hidden.

    It is not removed, since napari's drawing may crash after a layer was that a shape has just been drawn on.

    Parameters
    ----------
    viewer
        Where it is drawn.
    on_stroke
        Told the frame and the points (y, x).
    on_end
        Called when it was drawn on, or given up.
    """

    def __init__(
        self,
        viewer: napari.components.ViewerModel,
        on_stroke: Callable[[FrameIndex, Stroke], object],
        on_end: Callable[[], object],
    ) -> None:
        self._viewer = viewer
        self._on_stroke = on_stroke
        self._on_end = on_end
        self._image: Image | None = None
        self._axes: LayerAxes | None = None
        self.layer: Shapes | None = None
        self.waiting = False

    def begin(self, image: Image, axes: LayerAxes) -> None:
        """Show the layer on an image, ready to be drawn on."""
        layer = self.layer
        if layer is None or layer not in self._viewer.layers or (image, axes) != (self._image, self._axes):
            layer = Shapes(
                ndim=axes.ndim,
                name=f"{image.name}: cut",
                edge_width=max(0.5, max(axes.plane) / 200),
                edge_color="white",
                **placed(image),
            )
            layer.events.data.connect(self._drawn)
            self._viewer.add_layer(layer)
        self.layer, self._image, self._axes, self.waiting = layer, image, axes, True
        for name, value in placed(image).items():
            setattr(layer, name, value)
        layer.visible = True
        self._viewer.layers.selection.active = layer
        layer.mode = "add_line"

    def end(self) -> None:
        """Hide the layer, if it waits to be drawn on."""
        if not self.waiting:
            return
        self.waiting = False
        if self.layer is not None and self.layer in self._viewer.layers:
            self.layer.mode = "pan_zoom"
            self.layer.data = []
            self.layer.visible = False
        self._on_end()

    def _drawn(self, event: Any) -> None:
        action = str(getattr(event, "action", "changed"))
        layer, axes = event.source, self._axes
        if action.endswith("ing") or not self.waiting or axes is None or not len(layer.data):
            return
        ends = layer.data[-1]
        stroke = tuple(axes.pixel(end) for end in ends)
        # The layer is still at its own event.
        QTimer.singleShot(0, self.end)
        if max(abs(a - b) for a, b in zip(stroke[0], stroke[-1], strict=True)) >= 1:  # no mere click
            self._on_stroke(axes.frame(ends[0]), stroke)


def object_under(labels: npt.NDArray[Any], stroke: Stroke, current: ObjectId) -> ObjectId:
    """Return the object that a stroke is meant for.

    Parameters
    ----------
    labels
        (H, W) of the frame.
    stroke
        Points (y, x).
    current
        The one that is chosen; it is meant if the stroke meets it, or meets nothing.

    Returns
    -------
    int
        Otherwise the object that the stroke runs over for longest.
    """
    (y0, x0), (y1, x1) = stroke[0], stroke[-1]
    steps = int(max(abs(y1 - y0), abs(x1 - x0))) + 2
    rows, columns = (np.rint(np.linspace(*ends, steps)).astype(int) for ends in ((y0, y1), (x0, x1)))
    inside = (rows >= 0) & (rows < labels.shape[0]) & (columns >= 0) & (columns < labels.shape[1])
    met = labels[rows[inside], columns[inside]]
    found, counts = np.unique(met[met > 0], return_counts=True)
    if not found.size or current in found:
        return current
    return int(found[np.argmax(counts)])
