"""One click in the middle of every object of held-back frames: what is it worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.inference.focus import FocusPredictor
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.sources import LabelledFrame


@dataclass(frozen=True, slots=True, eq=False)
class OneClick:
    """What came of one click an object.

    Attributes
    ----------
    found
        (H, W): the masks as labels, with the numbers of the true ones; later objects lie over earlier ones.
    ious
        Of each object that was clicked.
    """

    found: npt.NDArray[np.integer[Any]]
    ious: tuple[float, ...]


def one_click(model: SAM2, frame: LabelledFrame, min_area: int = 30, most: int = 20) -> OneClick:
    """Click every object of a frame once.

    Parameters
    ----------
    model, min_area, most
        As for `one_click_iou`.
    frame
        With labels.
    """
    focus = FocusPredictor(model)
    focus.set_image(frame.image)
    numbers, areas = np.unique(frame.labels, return_counts=True)
    large = numbers[(numbers > 0) & (areas >= min_area)]
    labels, reached = np.zeros_like(frame.labels), []
    for number in large[np.unique(np.linspace(0, len(large) - 1, min(most, len(large))).astype(int))]:
        truth = frame.labels == number
        found = focus.predict((first_click(truth),)).mask
        labels[found] = number
        reached.append(float((truth & found).sum() / (truth | found).sum()))
    return OneClick(labels, tuple(reached))


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
    return mean_iou(one_click(model, frame, min_area, most) for frame in frames)


def mean_iou(clicked: Iterable[OneClick]) -> float | None:
    """Return the mean over all objects of all frames; None without any."""
    reached = [iou for one in clicked for iou in one.ious]
    return float(np.mean(reached)) if reached else None
