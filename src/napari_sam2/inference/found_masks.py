"""Masks that were found without a user: what is known of each, which of them stay, and labels from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from napari_sam2.inference.focus import Window
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import Click

NEAR_EDGE = 20
"""A mask whose box ends within so many pixels of a crop's edge is cut off there, perhaps."""

_EIGHT = np.ones((3, 3), dtype=bool)

Boxes = npt.NDArray[np.float64]
"""(n, 4): y0, x0, y1, x1 of the outermost pixels, ends included."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundMask:
    """One mask.

    Attributes
    ----------
    mask
        At the size of the box: what it costs depends on the object, not on the image.
    box
        Where it lies in the image: as far as the mask's outermost pixels, ends not included.
    predicted_iou
        The network's guess of the overlap with the true mask.
    stability
        How little the area hangs on the threshold, 0 to 1.
    point
        The click that it came from.
    crop
        The part of the image that the network saw.
    """

    mask: RunLengths
    box: Window
    predicted_iou: float
    stability: float
    point: Click
    crop: Window

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return self.mask.area

    def whole(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Return the mask at the size of the image, bool (H, W)."""
        image = np.zeros(shape, dtype=bool)
        self.box.cut(image)[...] = self.mask.decode()
        return image


def stability_scores(
    logits: Float[Tensor, "n h w"], threshold: float = 0.0, offset: float = 1.0
) -> Float[Tensor, " n"]:
    """Return the share (n,) of the area above a low threshold that is above a high one; NaN if empty."""
    inner = (logits > threshold + offset).flatten(1).sum(dim=1)
    outer = (logits > threshold - offset).flatten(1).sum(dim=1)
    return inner / outer


def tight_boxes(masks: Bool[Tensor, "n h w"]) -> Boxes:
    """Return the outermost pixels of masks (n, h, w), ends included; zeros for an empty mask."""
    boxes = np.zeros((len(masks), 4))
    for axis, keep in ((0, 2), (1, 1)):
        hits = masks.any(dim=keep).cpu().numpy()
        some = hits.any(axis=1)
        boxes[:, axis] = np.where(some, hits.argmax(axis=1), 0)
        boxes[:, axis + 2] = np.where(some, hits.shape[1] - 1 - hits[:, ::-1].argmax(axis=1), 0)
    return boxes


def near_crop_edge(
    boxes: Boxes, crop: Window, shape: tuple[int, int], reach: int = NEAR_EDGE
) -> npt.NDArray[np.bool_]:
    """Return which boxes (n, 4), in pixels of the crop, end near an edge of it that is none of the image."""
    at = boxes + np.array((crop.y0, crop.x0, crop.y0, crop.x0))
    edges = np.array((crop.y0, crop.x0, crop.y1, crop.x1))
    near = np.abs(at - edges) <= reach
    outside = np.abs(at - (0, 0, *shape)) <= reach
    cut: npt.NDArray[np.bool_] = (near & ~outside).any(axis=1)
    return cut


def suppress(boxes: Boxes, scores: npt.ArrayLike, threshold: float) -> list[int]:
    """Return which boxes (n, 4) stay, best score first: each drops worse ones that it overlaps with by more.

    Boxes are seen as lines round areas, as in the published code: one pixel alone has none.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable").tolist()
    sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    gone = np.zeros(len(boxes), dtype=bool)
    for index in order:
        if gone[index]:
            continue
        kept.append(index)
        low = np.maximum(boxes[index, :2], boxes[:, :2])
        high = np.minimum(boxes[index, 2:], boxes[:, 2:])
        both = np.prod(np.clip(high - low, 0, None), axis=1)
        # No overlap is not too much of it, whatever the sizes.
        gone |= both > threshold * (sizes + sizes[index] - both)
    return kept


def remove_small_regions(mask: npt.NDArray[np.bool_], area: int) -> npt.NDArray[np.bool_]:
    """Fill holes and remove islands (8-connected) of at most `area` pixels; the largest island stays."""
    if area <= 0 or not mask.any():
        return mask
    for inside in (False, True):
        parts, count = ndimage.label(mask == inside, structure=_EIGHT)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        small = sizes <= area
        small[0] = False
        if inside:
            small[1 + sizes[1:].argmax()] = False
        elif small[1:].all():
            continue  # all of the ground is small: the mask fills the image, and has no holes
        mask = np.where(small[parts], not inside, mask)
    return mask


def select(masks: Sequence[FoundMask], by: npt.ArrayLike, threshold: float) -> list[FoundMask]:
    """Return the masks that stay, best first, where boxes of two overlap by more than `threshold`."""
    if not masks:
        return []
    boxes = np.array([(m.box.y0, m.box.x0, m.box.y1 - 1, m.box.x1 - 1) for m in masks], dtype=np.float64)
    return [masks[index] for index in suppress(boxes, by, threshold)]


def flatten(
    masks: Sequence[FoundMask], shape: tuple[int, int], free: float = 0.5, least_area: int = 1
) -> npt.NDArray[Any]:
    """Return labels (H, W), 1 to n, that hold every pixel once.

    The mask of highest predicted overlap comes first and keeps its pixels; a later one gets what is left of
    it, in one piece, unless that is less than the share `free` of its area, or `least_area` pixels.
    uint16, or uint32 where that is not enough.
    """
    labels = np.zeros(shape, dtype=np.uint32)
    number = 0
    for one in sorted(masks, key=lambda m: -m.predicted_iou):
        part = one.box.cut(labels)
        left = one.mask.decode() & (part == 0)
        pieces, count = ndimage.label(left)
        if count > 1:
            left = pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()
        if left.sum() < max(least_area, 1, free * one.area):
            continue
        number += 1
        part[left] = number
    return labels.astype(np.uint16) if number < 2**16 else labels
