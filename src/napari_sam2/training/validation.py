"""One click in the middle of every object of held-back frames: what is it worth."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_sam2.inference.focus import FocusPredictor
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.sources import LabelledFrame


def one_click_iou(
    model: SAM2, frames: Iterable[LabelledFrame], min_area: int = 30, most: int = 20
) -> float | None:
    """Return the mean IoU of objects from one click each, as ``napari-sam2 segment`` finds them.

    Parameters
    ----------
    model
        In evaluation mode.
    frames
        With labels.
    min_area
        Smaller objects are left out; they are mostly cut off at the border.
    most
        Of each frame at most so many objects, evenly spread over their numbers.

    Returns
    -------
    float or None
        None without any object.
    """
    reached = []
    for frame in frames:
        focus = FocusPredictor(model)
        focus.set_image(frame.image)
        numbers, areas = np.unique(frame.labels, return_counts=True)
        large = numbers[(numbers > 0) & (areas >= min_area)]
        for number in large[np.unique(np.linspace(0, len(large) - 1, min(most, len(large))).astype(int))]:
            truth = frame.labels == number
            found = focus.predict((first_click(truth),)).mask
            reached.append((truth & found).sum() / (truth | found).sum())
    return float(np.mean(reached)) if reached else None
