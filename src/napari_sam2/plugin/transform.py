"""Where a layer lies in the world, for layers that are to lie in the same place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Layer

# What places a layer, in the names of its attributes and events.
PLACING = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def placed(layer: Layer, origin: npt.NDArray[np.float64] | None = None) -> dict[str, Any]:
    """Return what makes a new layer lie where `layer` does.

    Parameters
    ----------
    layer
        An image.
    origin
        Which of its data coordinates (ndim,) the new layer begins at; zeros by default.

    Returns
    -------
    dict
        Scale, translate, rotate, shear, affine, units and axis labels, as layers are made with.
    """
    translate = np.asarray(layer.translate, np.float64)
    if origin is not None and np.any(origin):
        # data_to_world goes through the affine as well, which the new layer has of its own.
        moved = np.asarray(layer.data_to_world(origin)) - np.asarray(
            layer.data_to_world(np.zeros_like(origin))
        )
        translate = translate + np.linalg.solve(np.asarray(layer.affine.linear_matrix), moved)
    found: dict[str, Any] = {
        "scale": np.asarray(layer.scale),
        "translate": translate,
        "rotate": np.asarray(layer.rotate),
        "shear": np.asarray(layer.shear),
        "affine": np.asarray(layer.affine.affine_matrix),
    }
    for name in ("units", "axis_labels"):  # younger than the oldest napari that is supported
        if hasattr(layer, name):
            found[name] = getattr(layer, name)
    return found
