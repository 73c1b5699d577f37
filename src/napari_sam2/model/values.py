"""What travels between the stages of the network: frozen bundles of tensors, batch first."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from napari_sam2.model.fit import Fit

NO_OBJECT = -1024.0
"""Mask logit everywhere on a frame where the object is not in view."""


@dataclass(frozen=True, slots=True)
class ImageEmbedding:
    """An encoded image at three scales; 64 x 64, 128 x 128 and 256 x 256 for a model of 1024 px.

    Attributes
    ----------
    features
        (b, c, h, w), neither conditioned on memory nor marked as without memory.
    middle
        (b, c / 4, 2 h, 2 w); (b, 0, 0, 0) of a network of one scale (SAM).
    fine
        (b, c / 8, 4 h, 4 w), or (b, 0, 0, 0).
    """

    features: Float[Tensor, "b c h w"]
    middle: Float[Tensor, "b c_middle h_middle w_middle"]
    fine: Float[Tensor, "b c_fine h_fine w_fine"]

    @property
    def nbytes(self) -> int:
        """Memory that the three maps take."""
        return self.features.nbytes + self.middle.nbytes + self.fine.nbytes

    def to(self, device: torch.device) -> ImageEmbedding:
        """Return the same embedding on `device`."""
        return ImageEmbedding(self.features.to(device), self.middle.to(device), self.fine.to(device))


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Encoded prompts: points and boxes as tokens (b, n, c), a mask as a map (b or 1, c, h, w)."""

    sparse: Float[Tensor, "b n c"]
    dense: Float[Tensor, "_ c h w"]


@dataclass(frozen=True, slots=True)
class StabilityFallback:
    """Take the best of three masks where the single mask's area hangs on the threshold (model spec 6.5)."""

    delta: float = 0.05
    threshold: float = 0.98


@dataclass(frozen=True, slots=True)
class MaskPrediction:
    """Masks for a batch of prompts.

    Attributes
    ----------
    logits
        (b, m, 4 h, 4 w): positive inside the object.
    iou
        (b, m): predicted overlap with the true mask, 0 to 1; SAM may leave that range.
    object_score
        (b, 1): logit; positive where the object is in view. (b, 0) of a network that does not judge it (SAM).
    pointer
        (b, m or 1, c): the object's summary for the memory, already replaced where it is not in view.
        (b, 1, 0) of a network without memory.
    image_shape
        (H, W) of the image that the prompts belong to, where it is known.
    fit
        How that image lies in the square of the logits.
    """

    logits: Float[Tensor, "b m h w"]
    iou: Float[Tensor, "b m"]
    object_score: Float[Tensor, "b 1"] | Float[Tensor, "b 0"]
    pointer: Float[Tensor, "b _ c"]
    image_shape: tuple[int, int] | None = None
    fit: Fit = Fit.STRETCHED

    def masks(self, threshold: float = 0.0) -> Bool[Tensor, "b m H W"]:
        """Return the masks at the image's size, bool (b, m, H, W)."""
        return self.image_logits() > threshold

    def image_logits(self) -> Float[Tensor, "b m H W"]:
        """Return the logits at the image's size, (b, m, H, W)."""
        if self.image_shape is None:
            raise ValueError("This prediction does not know its image; use `logits`.")
        return self.fit.to_image(self.logits, self.image_shape)

    def best(self) -> MaskPrediction:
        """Return the mask of highest predicted IoU of each prompt: m = 1."""
        if self.logits.shape[1] == 1:
            return self
        row = torch.arange(len(self.iou), device=self.iou.device)
        index = self.iou.argmax(dim=1)
        pointer = self.pointer if self.pointer.shape[1] == 1 else self.pointer[row, index][:, None]
        return MaskPrediction(
            self.logits[row, index][:, None],
            self.iou[row, index][:, None],
            self.object_score,
            pointer,
            self.image_shape,
            self.fit,
        )

    def gated(self) -> MaskPrediction:
        """Return the same with all logits at `NO_OBJECT` where the object is known to be out of view."""
        if not self.object_score.shape[1]:
            return self
        seen = (self.object_score > 0)[..., None, None]
        return replace(self, logits=torch.where(seen, self.logits.float(), NO_OBJECT))


@dataclass(frozen=True, slots=True)
class FrameMemory:
    """What one frame leaves behind for later ones: a map (b, m, h, w) and a pointer (b, c)."""

    features: Float[Tensor, "b m h w"]
    pointer: Float[Tensor, "b c"]


@dataclass(frozen=True, slots=True)
class MemorySlots:
    """The memories that a frame may look at, for objects that share one layout.

    Attributes
    ----------
    features
        (b, r, m, h, w): r remembered frames.
    ages
        r row numbers of the temporal code: 0 is the neighbouring frame, the last is a prompted one.
    pointers
        (b, k, c).
    steps
        k distances in time, as fractions of the longest one that pointers reach.
    """

    features: Float[Tensor, "b r m h w"]
    ages: tuple[int, ...]
    pointers: Float[Tensor, "b k c"]
    steps: tuple[float, ...]
