"""Objects through a stack with a network that has no memory: each mask becomes the next slice's prompt.

The way of micro-sam (Archit et al. 2025) and others before it. A network with a memory is the better choice
as a rule: see `VideoTracker`. What is carried here is the last slice alone, so that an object that was lost
stays lost until it is prompted again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_sam2.errors import ImageError, PromptError, Sam2Error
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import pixels
from napari_sam2.inference.embeddings import FrameSource, read_frame
from napari_sam2.inference.frame_result import FrameResult
from napari_sam2.inference.image_predictor import ImagePredictor
from napari_sam2.inference.policy import MaskPolicy
from napari_sam2.inference.postprocess import drop_strays
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.model.families import ImageModel
from napari_sam2.model.values import NO_OBJECT, MaskPrediction
from napari_sam2.prompts import Box, Click, Direction, FrameIndex, ObjectId, PromptSet

Prompts = Mapping[ObjectId, Mapping[FrameIndex, PromptSet]]


class Carry(Enum):
    """What is made of a mask for the next slice, beside its logits."""

    BOX = "box"
    CLICK = "click"
    BOX_AND_CLICK = "box and click"


@dataclass(frozen=True, slots=True)
class CarryPolicy:
    """How masks are carried.

    Attributes
    ----------
    carry
        The box round the mask, a click in the middle of it, or both. Both is best on made nuclei, cells and
        neuropil alike; alone, a box takes in the neighbours, and a click often a part.
    margin
        The box is wider by this share of its sides, on each side, for objects that grow fast from slice to
        slice; elsewhere it lets the neighbours in.
    least_overlap
        An object is lost where its mask overlaps with the one before (intersection over union) by less.
    least_score
        And where its score is less: from a box, a network draws something even where nothing is left. On made
        nuclei that end, such masks score at most 0.55, true ones at least 0.77. Set it to 0 for images that
        the network finds hard.
    objects_at_once
        Objects that go through the network together.
    """

    carry: Carry = Carry.BOX_AND_CLICK
    margin: float = 0.0
    least_overlap: float = 0.3
    least_score: float = 0.6
    objects_at_once: int = 8

    def __post_init__(self) -> None:
        if not 0 <= self.margin < 10:
            raise Sam2Error(f"The margin is a share of the box's sides, 0 or more, got {self.margin}.")
        for name in ("least_overlap", "least_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise Sam2Error(f"{name} is from 0 to 1, got {getattr(self, name)}.")
        if self.objects_at_once < 1:
            raise Sam2Error(f"objects_at_once is 1 or more, got {self.objects_at_once}.")


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """One object on one slice: logits (1, 1, h, w) of the network, (H, W) of the image, its mask, a score."""

    logits: Tensor
    image_logits: Tensor
    mask: np.ndarray[Any, np.dtype[np.bool_]]
    score: float


class SliceBySlice:
    """Follows objects through a stack with any network, one slice from the last.

    Parameters
    ----------
    model
        The network, of any family; it is not changed.
    policy
        How masks are carried.
    mask_policy
        How one prompt becomes one mask; by default `MaskPolicy.for_model`.
    """

    def __init__(
        self, model: ImageModel, policy: CarryPolicy | None = None, mask_policy: MaskPolicy | None = None
    ) -> None:
        self.model = model
        self.policy = policy or CarryPolicy()
        self._predictor = ImagePredictor(model, mask_policy)

    def follow(
        self,
        frames: FrameSource,
        prompts: Prompts,
        direction: Direction | str = Direction.FORWARD,
        length: int | None = None,
        intensity: IntensityMap | None = None,
    ) -> Iterator[FrameResult]:
        """Follow objects from their prompts on, frame by frame.

        Parameters
        ----------
        frames
            (T, H, W), or (T, H, W, 3) in colour; any dtype; read one at a time.
        prompts
            For each object its prompts by frame. The first one on the way begins it; a later one corrects it,
            or finds it again. A mask is taken as it is.
        direction
            ``"forward"`` from the first prompted frame, or ``"backward"`` from the last.
        length
            How many frames to yield at most.
        intensity
            How pixel values become what the network sees; by default one mapping for the whole stack.

        Returns
        -------
        iterator of FrameResult
            One a frame, until the stack ends or nothing is left to follow. Before its first prompt, and where
            it is lost, an object has logits of -1024 and score 0.

        Raises
        ------
        ImageError
            If the frames have another layout, or show nothing.
        PromptError
            If there is no prompt, one is empty or outside the image, or there is no such frame.
        """
        shape = tuple(frames.shape)
        if len(shape) not in (3, 4) or 0 in shape:
            raise ImageError(
                f"A stack has the shape (Z, H, W) or (Z, H, W, 3), got {shape}. "
                "Give a single image as image[None]; put the axis of the slices first."
            )
        if direction not in (*Direction, *(known.value for known in Direction)):
            raise PromptError(f'The direction is "forward" or "backward", got {direction!r}.')
        if length is not None and length < 0:
            raise PromptError(f"The length counts frames from 0 on, got {length}.")
        _check(prompts, shape)
        prompted = {frame for of_object in prompts.values() for frame in of_object}
        if Direction(direction) is Direction.FORWARD:
            route = range(min(prompted), shape[0])[:length]
        else:
            route = range(max(prompted), -1, -1)[:length]
        return self._walk(frames, prompts, route, intensity or IntensityMap.for_frames(frames))

    def _walk(
        self, frames: FrameSource, prompts: Prompts, route: range, intensity: IntensityMap
    ) -> Iterator[FrameResult]:
        carried: dict[ObjectId, _Found] = {}
        for at, frame in enumerate(route):
            coming = set(route[at:])
            if not carried and not any(coming & of_object.keys() for of_object in prompts.values()):
                return
            given = {i: of_object[frame] for i, of_object in prompts.items() if frame in of_object}
            if carried or given:
                image = read_frame(frames, frame)
                carried = self._step(image, frame, given, carried, intensity)
            yield self._result(frame, tuple(prompts), carried, (frames.shape[1], frames.shape[2]))

    @torch.inference_mode()
    def _step(
        self,
        image: np.ndarray[Any, Any],
        frame: FrameIndex,
        given: Mapping[ObjectId, PromptSet],
        carried: Mapping[ObjectId, _Found],
        intensity: IntensityMap,
    ) -> dict[ObjectId, _Found]:
        """Return the objects that are found on a frame."""
        try:
            self._predictor.set_image(image, intensity)
        except ImageError as error:
            raise ImageError(f"Frame {frame} cannot be segmented. {error}") from error
        found = {number: self._interact(prompt) for number, prompt in given.items()}
        others = [(number, old) for number, old in carried.items() if number not in given]
        for first in range(0, len(others), self.policy.objects_at_once):
            group = others[first : first + self.policy.objects_at_once]
            numbers, before = zip(*group, strict=True)
            for number, old, new in zip(numbers, before, self._carry(before), strict=True):
                kept = _overlap(old.mask, new.mask) >= self.policy.least_overlap
                if kept and new.score >= self.policy.least_score:
                    found[number] = new
        return {number: one for number, one in found.items() if one.mask.any()}

    def _interact(self, prompt: PromptSet) -> _Found:
        """Find an object from what the user says."""
        if prompt.mask is not None:
            return self._adopt(np.asarray(prompt.mask.mask) > 0)
        # A single click may mean a part or the whole: the best of three masks.
        ambiguous = prompt.box is None and len(prompt.clicks) == 1
        best = self._predictor.predict(prompt.clicks, prompt.box, multimask=ambiguous).best()
        logits = best.gated().logits
        if any(click.positive for click in prompt.clicks):
            grid = logits.shape[-2:]
            logits = drop_strays(
                logits, pixels.clicked_cells(prompt.clicks, self._predictor.shape, grid, best.fit)[None]
            )
        return _one(best, logits, 0)

    def _adopt(self, mask: np.ndarray[Any, np.dtype[np.bool_]]) -> _Found:
        """Take a given mask as it is."""
        able, config = self.model.capabilities, self.model.config
        inside = pixels.to_model_mask(mask, config.mask_size, able.fit).to(self.model.device)
        large = torch.from_numpy(np.where(mask, able.mask_logit, -able.mask_logit).astype(np.float32))
        return _Found(able.mask_logit * (2 * inside - 1), large.to(self.model.device), mask, 1.0)

    def _carry(self, before: tuple[_Found, ...]) -> list[_Found]:
        """Find objects from where they were a frame ago."""
        policy, shape = self.policy, self._predictor.shape
        clicks: list[list[Click]] = [[first_click(old.mask)] for old in before]
        boxes: list[Box] = [_box(old.mask, policy.margin, shape) for old in before]
        logits = torch.cat([old.logits for old in before])
        prediction = self._predictor.predict(
            () if policy.carry is Carry.BOX else clicks,
            None if policy.carry is Carry.CLICK else boxes,
            mask_logits=logits,
        )
        # What lies apart from the object is another one that looks alike.
        kept = drop_strays(prediction.gated().logits, logits[:, 0] > 0)
        return [_one(prediction, kept, row) for row in range(len(before))]

    def _result(
        self,
        frame: FrameIndex,
        ids: tuple[ObjectId, ...],
        found: Mapping[ObjectId, _Found],
        shape: tuple[int, int],
    ) -> FrameResult:
        logits = torch.full((len(ids), *shape), NO_OBJECT, device=self.model.device)
        scores = torch.zeros(len(ids))
        for row, number in enumerate(ids):
            if number in found:
                logits[row], scores[row] = found[number].image_logits, found[number].score
        return FrameResult(frame, ids, logits, scores)


def _check(prompts: Prompts, shape: tuple[int, ...]) -> None:
    """Raise `PromptError` unless every object has a prompt that names a place in the stack."""
    if not prompts:
        raise PromptError("There is no object yet: give at least one with a prompt.")
    for number, of_object in prompts.items():
        if not isinstance(number, int | np.integer) or number < 1:
            raise PromptError(f"Object ids are whole numbers from 1 on, got {number!r}; 0 is the background.")
        if not of_object:
            raise PromptError(
                f"Object {number} has no prompt: give it a click, a box or a mask, or remove it."
            )
        for frame, prompt in of_object.items():
            if not 0 <= frame < shape[0]:
                raise PromptError(f"There is no frame {frame}: the stack has the frames 0 to {shape[0] - 1}.")
            pixels.check_prompt(prompt, (shape[1], shape[2]))


def _one(prediction: MaskPrediction, logits: Tensor, row: int) -> _Found:
    """Take one object out of a prediction, with `logits` in place of its own."""
    assert prediction.image_shape is not None
    own = logits[row : row + 1]
    large = prediction.fit.to_image(own, prediction.image_shape)[0, 0]
    score = float(prediction.iou[row, 0].clamp(0, 1))
    if prediction.object_score.shape[1]:
        score *= float(prediction.object_score[row, 0].sigmoid())
    return _Found(own, large, (large > 0).cpu().numpy(), score)


def _box(mask: np.ndarray[Any, Any], margin: float, shape: tuple[int, int]) -> Box:
    """Return the box round a mask, wider by a share of its sides, within the image."""
    ends = []
    for axis, length in ((1, shape[0]), (0, shape[1])):
        places = np.flatnonzero(mask.any(axis=axis))
        low, high = places[0] - 0.5, places[-1] + 0.5
        wider = margin * (high - low)
        ends.append((max(-0.5, float(low - wider)), min(length - 0.5, float(high + wider))))
    (y0, y1), (x0, x1) = ends
    return Box(y0, x0, y1, x1)


def _overlap(old: np.ndarray[Any, Any], new: np.ndarray[Any, Any]) -> float:
    """Intersection over union of two masks; 0 where both are empty."""
    either = int((old | new).sum())
    return int((old & new).sum()) / either if either else 0.0
