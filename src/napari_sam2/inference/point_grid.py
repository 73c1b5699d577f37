"""Points all over an image, and crops of it (video spec 14.2)."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from napari_sam2.inference.focus import Window


def point_grid(side: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a grid of points (side ** 2, 2), (y, x) as shares of an image's sides; x varies fastest."""
    along = (np.arange(side) + 0.5) / side
    y, x = np.meshgrid(along, along, indexing="ij")
    return np.stack((y.ravel(), x.ravel()), axis=1)


def layer_side(points_per_side: int, factor: int, layer: int) -> int:
    """Return how many points a side the grid of a layer of crops has; 0 is the whole image. At least one."""
    return max(1, int(points_per_side / factor**layer))


def crop_windows(shape: tuple[int, int], layers: int, overlap_ratio: float) -> list[tuple[int, Window]]:
    """Return the crops of an image, each with its layer: the whole image (0), then 2 x 2 (1), 4 x 4 (2), ...

    Parameters
    ----------
    shape
        (H, W).
    layers
        How many beside the whole image.
    overlap_ratio
        Share of the shorter side by which those of the first layer overlap.
    """
    height, width = shape
    crops = [(0, Window(0, 0, height, width))]
    for layer in range(1, layers + 1):
        count = 2**layer
        overlap = int(overlap_ratio * min(shape) * 2 / count)
        crop_height, crop_width = (ceil((overlap * (count - 1) + side) / count) for side in shape)
        for column in range(count):
            for row in range(count):
                y0, x0 = int((crop_height - overlap) * row), int((crop_width - overlap) * column)
                window = Window(y0, x0, min(y0 + crop_height, height), min(x0 + crop_width, width))
                # A plane of a few pixels has no room for so many crops.
                if min(window.shape) > 0:
                    crops.append((layer, window))
    return crops
