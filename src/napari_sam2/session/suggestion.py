"""Divisions that the masks of an object speak of, for the user to accept or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import ndimage

from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import FrameIndex, ObjectId
from napari_sam2.session.objects import FrameMask

DAUGHTER = 0.25
"""Share of the mother's last area that each daughter has at least."""

CRUMB = 0.05
"""Share of the mother's last area below which a piece is no piece."""

STAYS = 2
"""Frames on which the two are apart, the first one included."""

_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class SuggestedDivision:
    """A mask that falls into two of comparable size.

    Attributes
    ----------
    frame
        The first one on which the two are apart.
    mother
        Whose mask it is.
    pieces
        The two masks (H, W) on that frame, the larger first.
    """

    frame: FrameIndex
    mother: ObjectId
    pieces: tuple[RunLengths, RunLengths]

    @property
    def balance(self) -> float:
        """Area of the smaller piece as a share of the larger one: 1 for twins."""
        return self.pieces[1].area / self.pieces[0].area


def suggest_divisions(
    mother: ObjectId, masks: Mapping[FrameIndex, FrameMask]
) -> tuple[SuggestedDivision, ...]:
    """Return where an object seems to divide, in the order of frames.

    That is where a mask of one piece is followed by two frames on which there are exactly two pieces, each
    of at least a quarter of the area that the mask had as one. Pieces of less than a twentieth of it are
    overlooked. Pieces are 8-connected.

    Parameters
    ----------
    mother
        The object.
    masks
        Its masks by frame.
    """
    found = []
    for before, frame in pairwise(sorted(masks)):
        later = range(frame, frame + STAYS)
        if frame != before + 1 or not all(at in masks for at in later):
            continue
        area = masks[before].runs.area
        # Most frames hold one piece, and the next frame's tells it sooner than the one before.
        after = _pieces(masks[frame].runs, CRUMB * area) if area else []
        if not _twins(after, area) or len(_pieces(masks[before].runs, CRUMB * area)) != 1:
            continue
        if all(_twins(_pieces(masks[at].runs, CRUMB * area), area) for at in later[1:]):
            larger, smaller = sorted(after, key=np.count_nonzero, reverse=True)
            pair = RunLengths.encode(larger), RunLengths.encode(smaller)
            found.append(SuggestedDivision(frame, mother, pair))
    return tuple(found)


def _pieces(runs: RunLengths, least: float) -> list[np.ndarray[Any, np.dtype[np.bool_]]]:
    """The pieces of a mask, (H, W) each, that have at least so many pixels."""
    mask = runs.decode()
    labels, count = ndimage.label(mask, structure=_EIGHT)
    if count < 2:
        return [mask] if count and runs.area >= least else []
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    return [labels == piece for piece in range(1, count + 1) if sizes[piece] >= least]


def _twins(pieces: list[np.ndarray[Any, np.dtype[np.bool_]]], area: int) -> bool:
    return len(pieces) == 2 and all(np.count_nonzero(piece) >= DAUGHTER * area for piece in pieces)
