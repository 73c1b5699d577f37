"""What is compared: anything that segments from prompts, and anything that follows objects.

The network and the classical baselines meet here behind two protocols; whatever else fits them can be
measured by the same simulated user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import PromptError
from napari_sam2.evaluation.metrics import Labels, Mask
from napari_sam2.inference.focus import FocusPredictor, ObjectMask
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.policy import MaskPolicy, TrackingPolicy
from napari_sam2.inference.track_state import TrackState
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import MaskPrediction
from napari_sam2.prompts import Direction, FrameIndex, ObjectId, PromptSet

Image = npt.NDArray[Any]


class Predictor(Protocol):
    """Segments one object of an image at a time."""

    def set_image(self, image: Image) -> None:
        """Take an image (H, W) or (H, W, 3)."""

    def predict(self, prompt: PromptSet, refine: bool = False) -> Mask:
        """Return the mask, bool (H, W), of an object.

        `refine` says that the prompt is the last one and a click more, so that its mask may be built on.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FrameLabels:
    """All objects on one frame: integers (H, W), 0 for none."""

    frame: FrameIndex
    labels: Labels


class Follower(Protocol):
    """Follows objects through a sequence."""

    def start(self, frames: Image) -> None:
        """Take a sequence (T, H, W) or (T, H, W, 3)."""

    def restart(self) -> None:
        """Forget all objects, not the sequence."""

    def prompt(self, frame: FrameIndex, object_id: ObjectId, prompt: PromptSet) -> Mask:
        """Add to what is known of an object; return its mask on this frame, bool (H, W)."""
        ...

    def propagate(
        self, start: FrameIndex | None = None, direction: Direction = Direction.FORWARD
    ) -> Iterator[FrameLabels]:
        """Follow all objects frame by frame, from `start` or from where each was first prompted."""
        ...


class WholeImage:
    """The network on the whole image at once: `ImagePredictor`."""

    def __init__(self, model: SAM2, policy: MaskPolicy | None = None) -> None:
        self._predictor = ImagePredictor(model, policy)
        self._last: MaskPrediction | None = None

    def set_image(self, image: Image) -> None:
        """Encode it."""
        self._predictor.set_image(image)
        self._last = None

    def predict(self, prompt: PromptSet, refine: bool = False) -> Mask:
        """Return the best mask for a prompt; a mask prompt is a rough mask to start from."""
        before = self._last.logits if refine and self._last is not None else None
        single = prompt.box is None and len(prompt.clicks) == 1
        mask = None if prompt.mask is None else prompt.mask.mask
        self._last = self._predictor.predict(
            prompt.clicks, prompt.box, mask=mask, mask_logits=before, multimask=single and before is None
        ).best()
        found: Mask = self._last.masks()[0, 0].cpu().numpy()
        return found


class Focused:
    """The network through windows that fit the object: `FocusPredictor`.

    It takes no mask prompts; those go to the whole image.
    """

    def __init__(self, model: SAM2, policy: MaskPolicy | None = None) -> None:
        self._predictor = FocusPredictor(model, policy)
        self._whole = WholeImage(model, policy)
        self._image: Image | None = None
        self._encoded = False
        self._last: ObjectMask | None = None

    def set_image(self, image: Image) -> None:
        """Keep it; windows are encoded when they are looked through."""
        self._predictor.set_image(image)
        self._image, self._encoded, self._last = image, False, None

    def predict(self, prompt: PromptSet, refine: bool = False) -> Mask:
        """Return the mask in the window that fits best."""
        if prompt.mask is not None:
            if self._image is None:
                raise PromptError("There is no image yet: call set_image first.")
            if not self._encoded:
                self._whole.set_image(self._image)
                self._encoded = True
            return self._whole.predict(prompt)
        before = self._last if refine else None
        self._last = self._predictor.predict(prompt.clicks, prompt.box, before)
        return self._last.mask


class Tracked:
    """The network through a sequence: `VideoTracker`."""

    def __init__(self, model: SAM2, policy: TrackingPolicy | None = None) -> None:
        self._tracker = VideoTracker(model, policy)
        self._state: TrackState | None = None

    def start(self, frames: Image) -> None:
        """Begin with a sequence."""
        self._state = self._tracker.start(frames)

    def restart(self) -> None:
        """Forget all objects; encoded frames stay."""
        self._tracker.reset(self._started())

    def prompt(self, frame: FrameIndex, object_id: ObjectId, prompt: PromptSet) -> Mask:
        """Join the prompt with the object's earlier ones on this frame."""
        result = self._tracker.prompt(
            self._started(), frame, object_id, prompt.clicks, prompt.box, prompt.mask, replace=False
        )
        row = result.object_ids.index(object_id)
        mask: Mask = (result.logits[row] > 0).cpu().numpy()
        return mask

    def propagate(
        self, start: FrameIndex | None = None, direction: Direction = Direction.FORWARD
    ) -> Iterator[FrameLabels]:
        """Follow all objects; each pixel belongs to one of them at most."""
        for result in self._tracker.propagate(self._started(), start, direction=direction):
            yield FrameLabels(result.frame, result.labels())

    def _started(self) -> TrackState:
        if self._state is None:
            raise PromptError("There is no sequence yet: call start first.")
        return self._state


def empty_labels(shape: tuple[int, ...], ids: list[ObjectId]) -> Labels:
    """Return zeros that hold these numbers."""
    return np.zeros(shape, np.uint16 if max(ids, default=0) < 2**16 else np.int64)
