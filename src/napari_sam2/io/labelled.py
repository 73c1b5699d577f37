"""One annotated sequence, whatever folder it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

SequenceKind = Literal["image", "movie", "volume", "video"]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSequence:
    """One annotated image, time-lapse, stack or video; pixels are read when they are asked for.

    Attributes
    ----------
    name
        Where it comes from, unique in its dataset.
    kind
        An image has one frame; a movie is a time-lapse of instances; a volume's frames are its planes; a
        video shows natural scenes.
    read
        Returns frames (T, H, W) or (T, H, W, 3) of any dtype, and labels (T, H, W), 0 for none, the same
        value for the same object on all frames.
    annotated
        The frames that carry labels; None for all. Others are unknown, not empty.
    complete
        Whether every object of the annotated frames is labelled.
    """

    name: str
    kind: SequenceKind
    read: Callable[[], tuple[npt.NDArray[Any], npt.NDArray[np.integer[Any]]]]
    annotated: tuple[int, ...] | None = None
    complete: bool = True
