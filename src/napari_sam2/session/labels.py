"""Objects that may overlap, flattened to a label image."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sam2.prompts import FrameIndex
from napari_sam2.session.document import Document


def flatten(document: Document, frame: FrameIndex, shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Return the labels of a frame.

    Where objects overlap, the pixel goes to the committed one; between equals to a painted mask, then to the
    higher score, then to the lower id. Hidden objects are left out.

    Returns
    -------
    numpy.ndarray
        (H, W) uint16, or uint32 where an object id needs it; 0 outside.
    """
    largest = max(list(document.objects), default=0)
    labels = np.zeros(shape, np.uint16 if largest < 2**16 else np.uint32)
    found = [
        (row.committed, mask.painted, mask.score, -object_id, mask)
        for object_id, row in list(document.objects.items())  # another thread may be adding one
        if not row.hidden and (mask := document.masks_of(object_id).get(frame)) is not None
    ]
    for *_, negative, mask in sorted(found, key=lambda entry: entry[:4]):
        labels[mask.runs.decode()] = -negative
    return labels
