"""Pictures of results: masks as colours over the image, and many frames on one sheet."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]

_GOLDEN = 0.618033988749895
_GAP = 2


def color_of(label: int) -> tuple[float, float, float]:
    """Return the colour of an object, RGB in [0, 1]: always the same, unlike its neighbours' in number."""
    # Steps of the golden ratio spread hues evenly however many labels there are.
    hue = (0.02 + label * _GOLDEN) % 1.0
    return colorsys.hsv_to_rgb(hue, 0.85, 1.0 if label % 2 else 0.85)


def overlay(frame_rgb: Floats, labels: npt.NDArray[Any], fill: float = 0.25) -> Picture:
    """Draw every object over the image: its outline solid, its inside translucent.

    Parameters
    ----------
    frame_rgb
        (H, W, 3) in [0, 1]; values outside are clipped.
    labels
        Integers (H, W); 0 is background and stays as it is.
    fill
        Opacity of the inside, 0 to 1.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W, 3).

    Raises
    ------
    ImageError
        If the sizes differ.
    """
    if frame_rgb.ndim != 3 or frame_rgb.shape[2] != 3 or frame_rgb.shape[:2] != labels.shape:
        raise ImageError(
            "An overlay needs a picture (H, W, 3) and labels (H, W), "
            f"got {frame_rgb.shape} and {labels.shape}."
        )
    present, index = np.unique(labels, return_inverse=True)
    colors = np.array([color_of(int(label)) for label in present], np.float32)
    opacity = np.where(outlines(labels), np.float32(1), np.float32(fill)) * (labels != 0)
    picture = np.clip(frame_rgb, 0, 1).astype(np.float32)
    picture += opacity[:, :, None] * (colors[index.reshape(labels.shape)] - picture)
    return np.round(picture * 255).astype(np.uint8)


def outlines(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return the pixels (H, W) of objects that have another object or the background at one side."""
    edge = np.zeros(labels.shape, bool)
    rows, columns = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= rows
    edge[:-1] |= rows
    edge[:, 1:] |= columns
    edge[:, :-1] |= columns
    return edge & (labels != 0)


def contact_sheet(pictures: Sequence[Picture], columns: int) -> Picture:
    """Lay pictures of one size out in rows, left to right, top to bottom, on white.

    Parameters
    ----------
    pictures
        uint8 (H, W, 3) each, at least one.
    columns
        Pictures in a row.

    Returns
    -------
    numpy.ndarray
        uint8 (rows * H + gaps, columns * W + gaps, 3).
    """
    height, width, _ = pictures[0].shape
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + _GAP), index % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet
