"""Polygons, ellipses and strokes as masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw


def filled(
    vertices: npt.NDArray[Any], kind: str, shape: tuple[int, int], width: float = 1.0
) -> npt.NDArray[np.bool_]:
    """Return the pixels of a shape.

    Parameters
    ----------
    vertices
        (n, 2): y and x; of an ellipse the four corners of its box.
    kind
        As napari calls it: polygon, ellipse, rectangle; path and line are strokes.
    shape
        (H, W) of the mask.
    width
        Of a stroke, in pixels.
    """
    picture = Image.new("1", (shape[1], shape[0]))
    draw = ImageDraw.Draw(picture)
    if kind == "ellipse":
        corners = np.asarray(vertices, float)
        middle, half = corners.mean(0), (corners[1] - corners[0]) / 2
        other = (corners[3] - corners[0]) / 2
        turn = np.linspace(0, 2 * np.pi, 128, endpoint=False)[:, None]
        vertices = middle + np.cos(turn) * half + np.sin(turn) * other
    points = [(float(x), float(y)) for y, x in vertices]
    if kind in ("path", "line"):
        draw.line(points, fill=1, width=max(1, round(width)), joint="curve")
    elif len(points) > 2:
        draw.polygon(points, fill=1, outline=1)
    return np.array(picture, dtype=bool)
