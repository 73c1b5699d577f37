"""A way round a crash of napari with software OpenGL."""

from __future__ import annotations

from typing import Any

import napari
from napari.layers import Shapes

_held: list[Any] = []


def hold_drawing(viewer: napari.components.ViewerModel, layer: Shapes) -> None:
    """Keep what draws a Shapes layer alive after the layer is removed.

    With napari 0.9.2, vispy 0.17 and Mesa's software OpenGL, freeing it ends the program with a segmentation
    fault as soon as another layer is drawn: adding a Shapes layer, removing it and adding an image is enough.
    Where napari keeps its drawings elsewhere, nothing is held.
    """
    window = getattr(viewer, "window", None)
    canvas = getattr(getattr(window, "_qt_viewer", None), "canvas", None)
    drawing = getattr(canvas, "layer_to_visual", {}).get(layer)
    if drawing is not None:
        _held.append(drawing)
