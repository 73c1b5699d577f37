"""All objects on one frame, as propagation yields them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from napari_sam2.prompts import FrameIndex, ObjectId


@dataclass(frozen=True, slots=True)
class FrameResult:
    """Masks of a frame.

    Attributes
    ----------
    frame
        Its index.
    object_ids
        One a row of `logits`.
    logits
        float32 (objects, H, W) at the size of the video; positive inside, -1024 where the object is not in
        view.
    scores
        float32 (objects,): predicted overlap with the true mask times the probability that the object is in
        view; 0 where nothing is known of the object on this frame.
    """

    frame: FrameIndex
    object_ids: tuple[ObjectId, ...]
    logits: Tensor
    scores: Tensor

    def labels(self) -> np.ndarray[Any, Any]:
        """Return the label image (H, W): the object of the highest logit, 0 where all are negative.

        uint16, or int64 where an object id needs it.
        """
        largest = max(self.object_ids, default=0)
        dtype = np.uint16 if largest < 2**16 else np.int64
        if not self.object_ids:
            return np.zeros(self.logits.shape[1:], dtype)
        best, winner = self.logits.max(dim=0)
        ids = np.asarray(self.object_ids, dtype)
        labels: np.ndarray[Any, Any] = np.where((best > 0).cpu().numpy(), ids[winner.cpu().numpy()], 0)
        return labels.astype(dtype)
