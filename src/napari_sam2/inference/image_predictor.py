"""Prompts to masks on one image (video spec 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_sam2.errors import ImageError, PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import pixels
from napari_sam2.inference.policy import MaskPolicy
from napari_sam2.model.prompt_encoder import PADDING
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import ImageEmbedding, MaskPrediction
from napari_sam2.prompts import Box, Click, PromptSet


class ImagePredictor:
    """Segments one image; it is encoded once, then every prompt is cheap.

    Parameters
    ----------
    model
        The network; it is not changed.
    policy
        How one prompt becomes one mask.
    """

    def __init__(self, model: SAM2, policy: MaskPolicy | None = None) -> None:
        self.model = model
        self.policy = policy or MaskPolicy()
        self.shape: tuple[int, int] = (0, 0)
        self._embedding: ImageEmbedding | None = None
        self._features: Tensor | None = None

    @torch.inference_mode()
    def set_image(self, image: np.ndarray[Any, Any], intensity: IntensityMap | None = None) -> None:
        """Encode an image.

        Parameters
        ----------
        image
            (H, W), or (H, W, 3) in colour; any dtype.
        intensity
            How pixel values become what the network sees; by default uint8 colour as it is, everything else by
            percentiles.

        Raises
        ------
        ImageError
            If the image has another layout, or shows nothing; an earlier image stays.
        """
        image = np.asarray(image)
        if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] > 4):
            raise ImageError(
                f"An image has the shape (H, W) or (H, W, 3), got {image.shape}. "
                "Choose one frame of a stack, and put colours last."
            )
        intensity = intensity or IntensityMap.for_frames(image[None])
        x = pixels.to_model_pixels(intensity(image), self.model.config.image_size, self.model.device)
        self._embedding = self.model.encode(x)
        self._features = self.model.recall(self._embedding, None)
        self.shape = (image.shape[0], image.shape[1])

    @torch.inference_mode()
    def predict(
        self,
        clicks: Sequence[Click] | Sequence[Sequence[Click]] = (),
        box: Box | Sequence[Box] | None = None,
        mask: np.ndarray[Any, Any] | None = None,
        mask_logits: Tensor | None = None,
        multimask: bool = False,
    ) -> MaskPrediction:
        """Predict masks for one prompt, or for many at once.

        Parameters
        ----------
        clicks
            Those of one object; or a sequence for each of several objects.
        box
            One object's, or a sequence with one for each object.
        mask
            A rough mask to start from, bool (H, W), or (b, H, W) for several objects.
        mask_logits
            `MaskPrediction.logits` of an earlier call, one mask each, (b, 1, h, w), to refine.
        multimask
            Three alternatives for each prompt instead of one mask; wise for a single click.

        Returns
        -------
        MaskPrediction
            Logits (b, m, s / 4, s / 4); `masks` gives them at the size of the image.

        Raises
        ------
        PromptError
            If no image is set, there is no prompt, or one lies outside the image.
        """
        if self._embedding is None or self._features is None:
            raise PromptError("There is no image yet: call set_image first.")
        device = self.model.device
        if mask is not None:
            mask_logits = self._rough(mask)
        if mask_logits is not None:
            mask_logits = mask_logits.to(device).clamp(-32.0, 32.0)
        points, labels = self._points(_prompts(clicks, box))
        if points is None and mask_logits is None:
            raise PromptError("The prompt is empty: give at least one click, a box or a mask.")
        if points is not None and mask_logits is not None and len(mask_logits) not in (1, len(points)):
            raise PromptError(f"There are {len(points)} prompts, but {len(mask_logits)} masks to start from.")
        tokens = self.model.prompt(points, labels, mask_logits)
        prediction = self.model.decode(
            self._features, self._embedding, tokens, multimask, self.policy.fallback
        )
        return replace(prediction, image_shape=self.shape)

    def _points(self, prompts: list[PromptSet]) -> tuple[Tensor | None, Tensor | None]:
        """Points and labels of several prompts, padded to the longest."""
        if not prompts:
            return None, None
        rows = []
        for prompt in prompts:
            pixels.check_prompt(prompt, self.shape)
            rows.append(pixels.to_model_points(prompt, self.shape, self.model.config.image_size))
        longest = max(points.shape[1] for points, _ in rows)
        points = torch.zeros(len(rows), longest, 2)
        labels = torch.full((len(rows), longest), PADDING)
        for row, (own, kinds) in enumerate(rows):
            points[row, : own.shape[1]] = own
            labels[row, : own.shape[1]] = kinds
        return points.to(self.model.device), labels.to(self.model.device)

    def _rough(self, mask: np.ndarray[Any, Any]) -> Tensor:
        mask = np.asarray(mask) > 0
        if mask.ndim not in (2, 3) or mask.shape[-2:] != self.shape:
            raise PromptError(f"The mask has the shape {mask.shape}, but the image is {self.shape}.")
        if not mask.any():
            raise PromptError("The mask is empty: mark at least one pixel of the object.")
        size = self.model.config.image_size
        return torch.cat([20.0 * pixels.to_model_mask(m, size) - 10.0 for m in mask.reshape(-1, *self.shape)])


def _prompts(
    clicks: Sequence[Click] | Sequence[Sequence[Click]], box: Box | Sequence[Box] | None
) -> list[PromptSet]:
    """One prompt set an object, whichever way they were given."""
    many: list[tuple[Click, ...]] = []
    if clicks:
        flat = [c for c in clicks if isinstance(c, Click)]
        if flat and len(flat) != len(clicks):
            raise PromptError("Give the clicks of one object, or a sequence of clicks for each object, not both.")
        many = [tuple(flat)] if flat else [tuple(c) for c in clicks if not isinstance(c, Click)]
    boxes: list[Box] = [] if box is None else [box] if isinstance(box, Box) else list(box)
    if not many and not boxes:
        return []
    if many and boxes and len(many) != len(boxes):
        raise PromptError(f"There are clicks for {len(many)} objects, but {len(boxes)} boxes.")
    count = max(len(many), len(boxes))
    return [PromptSet(many[i] if many else (), boxes[i] if boxes else None) for i in range(count)]
