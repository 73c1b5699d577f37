"""Contrast, antialiased resize and normalisation in plain torch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def plain_model_pixels(
    raw: Tensor, low: float, high: float, size: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "1 3 {size} {size}"]:
    """Return a grey image as the network's input: all three channels alike but for their normalisation.

    Parameters
    ----------
    raw
        (h, w) of any integer or floating type.
    low, high
        Pixel values that become black and white; what lies beyond is cut off.
    size
        Side of the square that the image is stretched to, bilinear and antialiased.
    dtype
        Of the result.

    Returns
    -------
    Tensor
        (1, 3, size, size).
    """
    grey = ((raw.float() - low) / (high - low)).clamp(0, 1)
    x = F.interpolate(grey[None, None], (size, size), mode="bilinear", antialias=True, align_corners=False)
    mean = torch.tensor(MEAN, device=raw.device)[:, None, None]
    deviation = torch.tensor(DEVIATION, device=raw.device)[:, None, None]
    return ((x - mean) / deviation).to(dtype)
