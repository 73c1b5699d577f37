"""Simulated prompts for training (paper section 5 and appendix D.2), for a batch of masks at once."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_sam2.model.prompt_encoder import BOX_END, BOX_START, NEGATIVE, POSITIVE


def random_click(truth: Tensor, found: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Draw one click each from the error region, or from the object where there is no prediction yet.

    Parameters
    ----------
    truth
        (b, h, w) bool.
    found
        (b, h, w) bool, the current mask.

    Returns
    -------
    tuple of Tensor
        Points (b, 1, 2), (x, y), and labels (b, 1); without any error the click is a negative one beside
        the object.
    """
    found = torch.zeros_like(truth) if found is None else found
    wrong = truth ^ found
    perfect = ~wrong.flatten(1).any(1)
    pool = torch.where(perfect[:, None, None], ~truth, wrong).flatten(1)
    index = (torch.rand(pool.shape, device=pool.device) * pool).argmax(1, keepdim=True)
    label = torch.where(truth.flatten(1).gather(1, index), POSITIVE, NEGATIVE)
    width = truth.shape[-1]
    return torch.stack((index % width, index // width), dim=-1).float(), label


def noisy_box(truth: Tensor, noise: float = 0.1, limit: float = 20.0) -> tuple[Tensor, Tensor]:
    """Return the tight box round each mask, its corners moved by up to a tenth of its sides.

    Returns
    -------
    tuple of Tensor
        Points (b, 2, 2), (x, y), and labels (b, 2).
    """
    corners = []
    for axis in (1, 2):  # columns of x, then rows of y
        seen = truth.any(dim=axis)
        first = seen.float().argmax(1)
        last = seen.shape[1] - 1 - seen.flip(1).float().argmax(1)
        reach = ((last - first + 1) * noise).clamp(max=limit)
        shift = (torch.rand(2, len(truth), device=truth.device) * 2 - 1) * reach
        corners.append(torch.stack((first + shift[0], last + shift[1])).clamp(0, seen.shape[1] - 1))
    points = torch.stack(corners, dim=-1).transpose(0, 1)
    labels = torch.tensor([[BOX_START, BOX_END]], device=truth.device).expand(len(truth), 2)
    return points, labels
