"""An object as the user sees it, and its mask on one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_sam2.inference.masklet import RunLengths


@dataclass(frozen=True, slots=True)
class SessionObject:
    """A row of the object table.

    Attributes
    ----------
    name
        What the user calls it.
    hidden
        Left out of the labels.
    committed
        Finished: nothing changes it, and it keeps its pixels where others overlap it.
    label_class
        What it is, such as "mitotic"; empty where nobody said.
    """

    name: str
    hidden: bool = False
    committed: bool = False
    label_class: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FrameMask:
    """One object on one frame.

    Attributes
    ----------
    runs
        The mask (H, W).
    iou
        Overlap with the true mask, as the network predicts it, 0 to 1.
    visible
        Probability that the object is in view.
    painted
        Drawn by hand or taken over from elsewhere: no propagation changes it.
    """

    runs: RunLengths
    iou: float = 1.0
    visible: float = 1.0
    painted: bool = False

    @property
    def score(self) -> float:
        """Predicted overlap times the probability of being in view."""
        return self.iou * self.visible

    @property
    def nbytes(self) -> int:
        """What it takes in memory, but for a few words."""
        return int(self.runs.counts.nbytes) + 64


@dataclass(frozen=True, slots=True, eq=False)
class CodedMask:
    """A mask that stays run-length coded until somebody needs its pixels; numpy takes it for an array."""

    runs: RunLengths

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.runs.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """Return the pixels, always a fresh array."""
        mask = self.runs.decode()
        return mask if dtype is None else mask.astype(dtype)
