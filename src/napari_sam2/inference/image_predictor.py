"""Prompts to masks on one image (video spec 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_sam2.errors import PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import pixels
from napari_sam2.inference.policy import MaskPolicy
from napari_sam2.model.families import ImageModel
from napari_sam2.model.values import ImageEmbedding, MaskPrediction
from napari_sam2.prompts import Box, Click, PromptSet


class ImagePredictor:
    """Segments one image; it is encoded once, then every prompt is cheap.

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
            How pixel values become what the network sees; by default uint8 colour as it is, everything else
            by percentiles.

        Raises
        ------
        ImageError
            If the image has another layout, or shows nothing; an earlier image stays.
        """
        image = pixels.checked_image(image)
        intensity = intensity or IntensityMap.for_frames(image[None])
        size, fit = self.model.config.image_size, self.model.capabilities.fit
        x = pixels.to_model_pixels(intensity(image), size, self.model.device, fit)
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
        mask_logits = self._start(mask, mask_logits)
        prompts = _prompts(clicks, box)
        for prompt in prompts:
            pixels.check_prompt(prompt, self.shape)
        if not prompts:
            if mask_logits is None:
                raise PromptError("The prompt is empty: give at least one click, a box or a mask.")
            return self._decode(None, None, mask_logits, multimask)
        if mask_logits is not None and len(mask_logits) not in (1, len(prompts)):
            raise PromptError(
                f"There are {len(prompts)} prompts, but {len(mask_logits)} masks to start from."
            )
        size, fit = self.model.config.image_size, self.model.capabilities.fit
        rows = [pixels.to_model_points(p, self.shape, size, fit) for p in prompts]
        # Padding to one length would change what the shorter prompts give; so does a box, to SAM.
        alike: dict[tuple[int, bool], list[int]] = {}
        for index, (points, _) in enumerate(rows):
            alike.setdefault((points.shape[1], prompts[index].box is None), []).append(index)
        parts = []
        for chosen in alike.values():
            points = torch.cat([rows[index][0] for index in chosen])
            labels = torch.cat([rows[index][1] for index in chosen])
            own = mask_logits if mask_logits is None or len(mask_logits) == 1 else mask_logits[chosen]
            parts.append(self._decode(points, labels, own, multimask))
        order = torch.tensor([index for chosen in alike.values() for index in chosen]).argsort()
        return parts[0] if len(parts) == 1 else _in_order(parts, order.to(self.model.device))

    def _decode(
        self, points: Tensor | None, labels: Tensor | None, mask_logits: Tensor | None, multimask: bool
    ) -> MaskPrediction:
        assert self._features is not None and self._embedding is not None
        device = self.model.device
        tokens = self.model.prompt(
            None if points is None else points.to(device),
            None if labels is None else labels.to(device),
            mask_logits,
        )
        prediction = self.model.decode(
            self._features, self._embedding, tokens, multimask, self.policy.fallback
        )
        return replace(prediction, image_shape=self.shape)

    def _start(self, mask: np.ndarray[Any, Any] | None, logits: Tensor | None) -> Tensor | None:
        """Return the mask logits to start from, (b, 1, h, w)."""
        if mask is not None and logits is not None:
            raise PromptError("Give either a mask or mask logits to start from, not both.")
        if mask is not None:
            logits = self._rough(mask)
        if logits is None:
            return None
        if logits.ndim != 4 or logits.shape[1] != 1:
            raise PromptError(
                f"Mask logits have the shape (b, 1, h, w), got {tuple(logits.shape)}: take the `best()` "
                "of several alternatives."
            )
        limit = self.model.capabilities.mask_limit
        return logits.to(self.model.device).clamp(-limit, limit)

    def _rough(self, mask: np.ndarray[Any, Any]) -> Tensor:
        mask = np.asarray(mask) > 0
        if mask.ndim not in (2, 3) or mask.shape[-2:] != self.shape:
            raise PromptError(f"The mask has the shape {mask.shape}, but the image is {self.shape}.")
        if not mask.any(axis=(-2, -1)).all():
            raise PromptError("The mask is empty: mark at least one pixel of the object.")
        size, able = self.model.config.image_size, self.model.capabilities
        inside = [pixels.to_model_mask(m, size, able.fit) for m in mask.reshape(-1, *self.shape)]
        return able.mask_logit * (2 * torch.cat(inside) - 1)


def _in_order(parts: list[MaskPrediction], order: Tensor) -> MaskPrediction:
    return MaskPrediction(
        torch.cat([part.logits for part in parts])[order],
        torch.cat([part.iou for part in parts])[order],
        torch.cat([part.object_score for part in parts])[order],
        torch.cat([part.pointer for part in parts])[order],
        parts[0].image_shape,
        parts[0].fit,
    )


def _prompts(
    clicks: Sequence[Click] | Sequence[Sequence[Click]], box: Box | Sequence[Box] | None
) -> list[PromptSet]:
    """One prompt set an object, whichever way they were given."""
    many: list[tuple[Click, ...]] = []
    if clicks:
        flat = [c for c in clicks if isinstance(c, Click)]
        if flat and len(flat) != len(clicks):
            raise PromptError(
                "Give the clicks of one object, or a sequence of clicks for each object, not both."
            )
        many = [tuple(flat)] if flat else [tuple(c) for c in clicks if not isinstance(c, Click)]
    boxes: list[Box] = [] if box is None else [box] if isinstance(box, Box) else list(box)
    if not many and not boxes:
        return []
    if many and boxes and len(many) != len(boxes):
        raise PromptError(f"There are clicks for {len(many)} objects, but {len(boxes)} boxes.")
    count = max(len(many), len(boxes))
    return [PromptSet(many[i] if many else (), boxes[i] if boxes else None) for i in range(count)]
