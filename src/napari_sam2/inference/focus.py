"""Small objects in large images: look through windows of several sizes and believe the best fit.

The network sees every image at one size, so that a nucleus of twelve pixels in a field of a thousand shrinks
to a dot. A window round the prompt shows it large; which size suits, the predicted overlap tells.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_sam2.errors import PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import pixels
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.policy import MaskPolicy
from napari_sam2.inference.postprocess import drop_strays
from napari_sam2.model.families import ImageModel
from napari_sam2.prompts import Box, Click, PromptSet

_LADDER = (1.0, 1.5, 2.0, 3.0, 4.0)
"""Sides of the first windows, in eighths of the network's input; then they double up to the whole image."""

_KEPT = 32
"""Encoded windows that are kept for the next prompt."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of an image: rows y0 to y1, columns x0 to x1, ends not included."""

    y0: int
    x0: int
    y1: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y1 - self.y0, self.x1 - self.x0

    def cut(self, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the part of `image` (H, W, ...)."""
        return image[self.y0 : self.y1, self.x0 : self.x1]

    def holds(self, prompt: PromptSet) -> bool:
        """Whether all of a prompt lies inside."""
        points = _points(prompt) + 0.5
        return bool((points >= (self.y0, self.x0)).all() and (points <= (self.y1, self.x1)).all())


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMask:
    """One object: mask, bool (H, W), predicted overlap with the truth, logits (1, 1, h, w) of a window."""

    mask: np.ndarray[Any, np.dtype[np.bool_]]
    iou: float
    window: Window
    logits: Tensor


class FocusPredictor:
    """Segments objects of any size in an image of any size, one at a time.

    Every click is tried in some six to eight windows, each of which is encoded once and then kept: slower
    than `ImagePredictor`, and much better where objects are small.

    Parameters
    ----------
    model
        The network, of any family; it is not changed.
    policy
        How one prompt becomes one mask; by default `MaskPolicy.for_model`.
    """

    def __init__(self, model: ImageModel, policy: MaskPolicy | None = None) -> None:
        self.model = model
        self.policy = policy or MaskPolicy.for_model(model.capabilities)
        self._image: np.ndarray[Any, Any] | None = None
        self._intensity: IntensityMap | None = None
        self._whole = IntensityMap.identity()
        self._views: OrderedDict[Window, ImagePredictor] = OrderedDict()

    def set_image(self, image: np.ndarray[Any, Any], intensity: IntensityMap | None = None) -> None:
        """Take an image; nothing is encoded yet.

        Parameters
        ----------
        image
            (H, W), or (H, W, 3) in colour; any dtype.
        intensity
            How pixel values become what the network sees; by default each window is mapped by its own
            percentiles, so that dim regions are as clear as bright ones.

        Raises
        ------
        ImageError
            If the image has another layout, or shows nothing.
        """
        image = pixels.checked_image(image)
        self._whole = intensity or IntensityMap.for_frames(image[None])
        self._image, self._intensity = image, intensity
        self._views.clear()

    def predict(
        self, clicks: tuple[Click, ...] = (), box: Box | None = None, before: ObjectMask | None = None
    ) -> ObjectMask:
        """Predict the mask of one object.

        Parameters
        ----------
        clicks, box
            All prompts of the object.
        before
            Its earlier mask, to refine; the window stays if it has room for the new prompts, too.

        Raises
        ------
        PromptError
            If no image is set, or the prompt is empty or outside the image.
        """
        if self._image is None:
            raise PromptError("There is no image yet: call set_image first.")
        prompt = PromptSet(tuple(clicks), box)
        shape = (self._image.shape[0], self._image.shape[1])
        pixels.check_prompt(prompt, shape)
        if before is not None and before.window.holds(prompt):
            return self._look(prompt, before.window, before.logits)
        looks = [self._look(prompt, window, None) for window in _windows(prompt, shape, self._unit)]
        return max(looks, key=lambda look: look.iou)

    @property
    def _unit(self) -> int:
        """An eighth of what the network sees at once."""
        return self.model.config.image_size // 8

    @torch.inference_mode()
    def _look(self, prompt: PromptSet, window: Window, logits: Tensor | None) -> ObjectMask:
        view = self._view(window)
        clicks = [Click(c.y - window.y0, c.x - window.x0, c.positive) for c in prompt.clicks]
        box = prompt.box
        if box is not None:
            y, x = window.y0, window.x0
            box = Box(box.y0 - y, box.x0 - x, box.y1 - y, box.x1 - x)
        # A single click may mean a part or the whole: the network proposes three masks, and tells the best.
        ambiguous = box is None and len(clicks) == 1
        best = view.predict(clicks, box, mask_logits=logits, multimask=ambiguous).best()
        if any(click.positive for click in clicks):
            # A piece on a neighbour that looks alike is not what was clicked.
            wanted = pixels.clicked_cells(clicks, window.shape, best.logits.shape[-2:], best.fit)
            best = replace(best, logits=drop_strays(best.logits, wanted[None]))
        assert self._image is not None
        mask = np.zeros(self._image.shape[:2], dtype=bool)
        window.cut(mask)[:] = best.masks()[0, 0].cpu().numpy()
        return ObjectMask(mask, float(best.iou[0, 0]), window, best.logits)

    def _view(self, window: Window) -> ImagePredictor:
        if window not in self._views:
            assert self._image is not None
            view = ImagePredictor(self.model, self.policy)
            part = window.cut(self._image)
            view.set_image(part, self._intensity or self._own_map(part))
            self._views[window] = view
            if len(self._views) > _KEPT:
                self._views.popitem(last=False)
        self._views.move_to_end(window)
        return self._views[window]

    def _own_map(self, part: np.ndarray[Any, Any]) -> IntensityMap:
        """Map a window by its own range, or by the image's where the window shows nothing."""
        return IntensityMap.for_frames(part[None]) if part.min() < part.max() else self._whole


def _points(prompt: PromptSet) -> np.ndarray[Any, np.dtype[np.float64]]:
    box = prompt.box
    corners = [] if box is None else [(box.y0, box.x0), (box.y1, box.x1)]
    return np.array([*corners, *((c.y, c.x) for c in prompt.clicks)])


def _windows(prompt: PromptSet, shape: tuple[int, int], unit: int) -> list[Window]:
    """Return the windows to look through: with room for the whole prompt, from small to the whole image."""
    points = _points(prompt)
    least = 2 * (points.max(axis=0) - points.min(axis=0)).max()
    most = max(shape)
    sides = [unit * step for step in _LADDER]
    while sides[-1] < most:
        sides.append(2 * sides[-1])
    fitting = [int(side) for side in sides if least <= side < 0.8 * most]
    return [_around(prompt, side, shape) for side in (*fitting, most)]


def _around(prompt: PromptSet, size: int, shape: tuple[int, int]) -> Window:
    """Return the square window round a prompt, moved and cut to lie within the image.

    Its place is rounded, so that neighbouring prompts share a window.
    """
    points = _points(prompt)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    step = max(1, size // 8)
    sides = [min(size, length) for length in shape]
    starts = [
        int(np.clip(round((at - side / 2) / step) * step, 0, length - side))
        for at, side, length in zip(middle, sides, shape, strict=True)
    ]
    return Window(starts[0], starts[1], starts[0] + sides[0], starts[1] + sides[1])
