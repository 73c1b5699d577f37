"""Simulated prompts for training (paper section 5 and appendix D.2), for a batch of masks at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from napari_sam2.model.prompt_encoder import BOX_END, BOX_START, NEGATIVE, POSITIVE


class FirstPrompt(Enum):
    """What a clip's prompted frames get; all objects of a batch the same."""

    MASK = "mask"
    BOX = "box"
    CLICK = "click"


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """Which frames of a clip are prompted first of all, which are corrected, and with what it begins."""

    first: FirstPrompt
    prompted: tuple[int, ...]
    corrected: tuple[int, ...]


def draw_plan(
    frames: int,
    mask_prompts: float = 0.5,
    boxes: float = 0.5,
    prompted_frames: int = 2,
    corrected_frames: int = 2,
) -> PromptPlan:
    """Draw how a clip is prompted: half with masks, a quarter with boxes, a quarter with clicks.

    Frame 0 is always prompted. Mask prompts are not corrected; otherwise the prompted frames are, and perhaps
    others. A single image gets a box or a click.

    Parameters
    ----------
    frames
        Of the clip.
    mask_prompts
        Share of clips that begin with true masks.
    boxes
        Of the others, the share that begins with boxes.
    prompted_frames, corrected_frames
        At most so many; how many is drawn evenly.
    """
    masks = frames > 1 and float(torch.rand(())) < mask_prompts
    boxed = float(torch.rand(())) < boxes
    first = FirstPrompt.MASK if masks else FirstPrompt.BOX if boxed else FirstPrompt.CLICK
    prompted = _up_to(1, min(prompted_frames, frames))
    corrected = _up_to(prompted, max(prompted, min(corrected_frames, frames)))
    order = (0, *(1 + int(t) for t in torch.randperm(frames - 1)))
    return PromptPlan(first, order[:prompted], () if masks else order[:corrected])


def _up_to(least: int, most: int) -> int:
    return int(torch.randint(least, most + 1, ()))


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

    An empty mask gives the last pixel as upper left and the first as lower right corner.

    Returns
    -------
    tuple of Tensor
        Points (b, 2, 2), (x, y), and labels (b, 2).
    """
    corners = []
    for axis in (1, 2):  # columns of x, then rows of y
        seen = truth.any(dim=axis)
        there = seen.any(1)
        side = seen.shape[1] - 1
        # Where there is no object, the box is turned inside out: nothing has that shape.
        first = torch.where(there, seen.float().argmax(1), side)
        last = torch.where(there, side - seen.flip(1).float().argmax(1), 0)
        reach = ((last - first + 1) * noise).clamp(min=0, max=limit)
        shift = (torch.rand(2, len(truth), device=truth.device) * 2 - 1) * reach
        corners.append(torch.stack((first + shift[0], last + shift[1])).clamp(0, seen.shape[1] - 1))
    points = torch.stack(corners, dim=-1).transpose(0, 1)
    labels = torch.tensor([[BOX_START, BOX_END]], device=truth.device).expand(len(truth), 2)
    return points, labels
