"""A user who knows the truth: clicks for evaluation (paper section 6, appendix F)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from napari_sam2.errors import PromptError
from napari_sam2.prompts import Click

Mask = np.ndarray[Any, Any]


def first_click(truth: Mask) -> Click:
    """Return a click in the middle of `truth` (h, w): the pixel farthest from its border."""
    if not truth.any():
        raise PromptError("There is nothing to click on: the mask is empty.")
    return next_click(truth, np.zeros(truth.shape, dtype=bool))


def next_click(truth: Mask, found: Mask) -> Click:
    """Return the click that corrects the largest error: in the middle of what is missing or too much.

    Parameters
    ----------
    truth, found
        bool (h, w); where both agree everywhere the click is a negative one far from the object.
    """
    missing, excess = _depth(truth & ~found), _depth(found & ~truth)
    positive = bool(missing.max() > excess.max())
    depth = missing if positive else excess
    if not depth.any():
        depth = _depth(~truth)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return Click(float(y), float(x), positive)


def _depth(region: Mask) -> np.ndarray[Any, np.dtype[np.float64]]:
    # The frame of the image counts as border, too.
    depth: np.ndarray[Any, np.dtype[np.float64]] = ndimage.distance_transform_edt(np.pad(region, 1))
    return depth[1:-1, 1:-1]
