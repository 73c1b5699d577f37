"""Image to model pixels and back; the only place where (y, x) turns into (x, y)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from napari_sam2.errors import ImageError, PromptError
from napari_sam2.model.fit import Fit
from napari_sam2.model.prompt_encoder import BOX_END, BOX_START, NEGATIVE, POSITIVE
from napari_sam2.prompts import Box, Click, PromptSet

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def checked_image(image: Any) -> np.ndarray[Any, Any]:
    """Return `image` as an array (H, W) or (H, W, C), or raise `ImageError`."""
    image = np.asarray(image)
    if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] > 4):
        raise ImageError(
            f"An image has the shape (H, W) or (H, W, 3), got {image.shape}. "
            "Choose one frame of a stack, and put colours last."
        )
    return image


def to_model_pixels(
    rgb: np.ndarray[Any, Any], size: int, device: torch.device, fit: Fit = Fit.STRETCHED
) -> Tensor:
    """Resize `rgb` (h, w, 3) in [0, 1] to the square (1, 3, size, size) that the network takes, normalised.

    Stretched, the aspect ratio is given up, as in training (model spec 1.1). Padded, it is kept, and the rest
    of the square is the mean colour; the image is resized with eight bits, as by SAM's authors (SAM spec 1).
    """
    if fit is Fit.PADDED:
        height, width = fit.extent((rgb.shape[0], rgb.shape[1]), size)
        x = torch.from_numpy(resize_eight_bits(rgb, (height, width)).astype(np.float32)).to(device)
        mean = 255 * torch.tensor(MEAN, device=device)
        deviation = 255 * torch.tensor(DEVIATION, device=device)
        normalised = ((x - mean) / deviation).permute(2, 0, 1)[None]
        return F.pad(normalised, (0, size - width, 0, size - height))
    x = torch.from_numpy(np.ascontiguousarray(rgb, dtype=np.float32)).to(device).permute(2, 0, 1)[None]
    x = F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
    mean = torch.tensor(MEAN, device=device)[:, None, None]
    deviation = torch.tensor(DEVIATION, device=device)[:, None, None]
    return (x - mean) / deviation


def resize_eight_bits(
    rgb: np.ndarray[Any, Any], shape: tuple[int, int]
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Resize `rgb` (h, w, 3) in [0, 1] to `shape`, uint8: rounded before, between and after both passes."""
    eight = np.rint(np.clip(rgb, 0, 1) * np.float32(255)).astype(np.uint8)
    height, width = shape
    return np.array(Image.fromarray(eight).resize((width, height), Image.Resampling.BILINEAR))


def to_model_points(
    prompt: PromptSet, shape: tuple[int, int], size: int, fit: Fit = Fit.STRETCHED
) -> tuple[Tensor, Tensor]:
    """Return points (1, p, 2), (x, y) in model pixels, and labels (1, p); a box comes first, as two."""
    corners = [] if prompt.box is None else _corners(prompt.box)
    clicks = [(c.y, c.x, POSITIVE if c.positive else NEGATIVE) for c in prompt.clicks]
    (height, width), (rows, columns) = shape, fit.extent(shape, size)
    table = [(x / width * columns, y / height * rows, label) for y, x, label in (*corners, *clicks)]
    points = torch.tensor([[(x, y) for x, y, _ in table]], dtype=torch.float32).reshape(1, -1, 2)
    return points, torch.tensor([[label for *_, label in table]], dtype=torch.long)


def clicked_cells(
    clicks: Iterable[Click], shape: tuple[int, int], grid: Sequence[int], fit: Fit = Fit.STRETCHED
) -> Tensor:
    """The cells, (h, w) bool, of a mask's grid that hold a positive click on an image of a shape (H, W)."""
    # A padded image ends before the grid does: its longer side alone fills it.
    along = shape if fit is Fit.STRETCHED else (max(shape), max(shape))
    cells = torch.zeros(*grid, dtype=torch.bool)
    for click in clicks:
        if click.positive:
            row, column = (
                min(int((at + 0.5) * cells_along / pixels_along), cells_along - 1)
                for at, cells_along, pixels_along in zip((click.y, click.x), grid, along, strict=True)
            )
            cells[row, column] = True
    return cells


def _corners(box: Box) -> list[tuple[float, float, int]]:
    return [(box.y0, box.x0, BOX_START), (box.y1, box.x1, BOX_END)]


def to_model_mask(mask: np.ndarray[Any, Any], size: int, fit: Fit = Fit.STRETCHED) -> Tensor:
    """Resize a boolean mask (h, w) to (1, 1, size, size) of zeros and ones; what is padded is zero."""
    height, width = fit.extent((mask.shape[0], mask.shape[1]), size)
    x = torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))[None, None]
    if x.shape[-2:] != (height, width):
        x = F.interpolate(x, (height, width), mode="bilinear", antialias=True, align_corners=False)
        # A mask too small to cover half of any model pixel keeps those that it covers most.
        x = (x >= x.max().clamp(max=0.5)).float()
    return F.pad(x, (0, size - width, 0, size - height))


def to_image_size(logits: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resize mask logits (b, m, h, w) to the image."""
    return F.interpolate(logits.float(), shape, mode="bilinear", align_corners=False)


def check_prompt(prompt: PromptSet, shape: tuple[int, int]) -> None:
    """Raise `PromptError` unless `prompt` names a place in an image of `shape`."""
    height, width = shape
    if not prompt:
        raise PromptError("The prompt is empty: give at least one click, a box or a mask.")
    for click in prompt.clicks:
        if not (-0.5 <= click.y <= height - 0.5 and -0.5 <= click.x <= width - 0.5):
            raise PromptError(
                f"The click at y={click.y:g}, x={click.x:g} lies outside the image of {height} x {width} "
                "pixels (rows x columns); coordinates are (y, x)."
            )
    box = prompt.box
    if box is not None and (box.y0 >= height or box.x0 >= width or box.y1 <= 0 or box.x1 <= 0):
        raise PromptError(f"The {box} lies outside the image of {height} x {width} pixels (rows x columns).")
    if prompt.mask is not None:
        mask = np.asarray(prompt.mask.mask)
        if mask.shape != shape:
            raise PromptError(
                f"The mask has the shape {mask.shape}, but the image is {shape}: give it at the image's size."
            )
        if not mask.any():
            raise PromptError("The mask is empty: mark at least one pixel of the object.")
