"""What is done to mask logits after the network."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

HOLE_LOGIT = 0.1
"""What a filled hole gets: just inside."""

STRAY_LOGIT = -8.0
"""What a pixel of a stray piece gets: surely outside."""

_EIGHT = np.ones((3, 3), dtype=bool)


def fill_holes(logits: Tensor, area: int) -> Tensor:
    """Fill background islands of at most `area` pixels, on any device (video spec 8).

    Parameters
    ----------
    logits
        (b, m, h, w).
    area
        Largest island to fill, in pixels of the logits; 8-connected; those at the border count too. 0: none.
    """
    if area <= 0:
        return logits
    background = (logits <= 0).cpu().numpy()
    holes = np.zeros_like(background)
    for index in np.ndindex(background.shape[:2]):
        labels, count = ndimage.label(background[index], structure=_EIGHT)
        if count < 2 and labels.all():
            continue
        sizes = np.bincount(labels.ravel())
        small = sizes <= area
        small[0] = False
        holes[index] = small[labels]
    if not holes.any():
        return logits
    return torch.where(torch.from_numpy(holes).to(logits.device), HOLE_LOGIT, logits)


def drop_strays(logits: Tensor, wanted: Tensor, keep_alone: bool = True) -> Tensor:
    """Take away the pieces of masks that lie apart from what is wanted.

    Parameters
    ----------
    logits
        (b, 1, h, w).
    wanted
        (b, h, w) bool: where the object was a frame ago, or where a user clicked.
    keep_alone
        Whether all pieces stay where none meets what is wanted.

    Returns
    -------
    Tensor
        (b, 1, h, w); stray pieces have `STRAY_LOGIT`.
    """
    masks, places = (logits[:, 0] > 0).cpu().numpy(), wanted.cpu().numpy()
    strays = np.zeros_like(masks)
    for row, (mask, place) in enumerate(zip(masks, places, strict=True)):
        pieces, count = ndimage.label(mask, structure=_EIGHT)
        met = np.unique(pieces[mask & place])
        if met.size < count and (met.size or not keep_alone):
            strays[row] = mask & ~np.isin(pieces, met)
    if not strays.any():
        return logits
    return torch.where(torch.from_numpy(strays[:, None]).to(logits.device), STRAY_LOGIT, logits)


def separate(logits: Tensor) -> Tensor:
    """Leave every pixel to the object of the highest logit; the others are pushed to -10 or below.

    Parameters
    ----------
    logits
        (objects, h, w).
    """
    if len(logits) < 2:
        return logits
    winner = logits.argmax(dim=0, keepdim=True)
    own = torch.arange(len(logits), device=logits.device)[:, None, None] == winner
    return torch.where(own, logits, logits.clamp(max=-10.0))
