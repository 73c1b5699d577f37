"""Single images: how good a mask is after one click, two, and so on, from a box, from a mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_sam2.evaluation.methods import Predictor
from napari_sam2.evaluation.metrics import Mask, iou, mean
from napari_sam2.evaluation.objects import EVERY, Choice, known_frames, tight_box
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.inference.simulated_user import first_click, next_click
from napari_sam2.io.datasets import LabelledSequence
from napari_sam2.prompts import FrameIndex, MaskPrompt, ObjectId, PromptSet


@dataclass(frozen=True, slots=True)
class ImagePrompts:
    """What every object is prompted with, each kind from scratch: so many clicks, a box, a mask."""

    clicks: int = 3
    box: bool = True
    mask: bool = False


THREE_CLICKS_AND_BOX = ImagePrompts()


@dataclass(frozen=True, slots=True, eq=False)
class ImageScore:
    """One object of one image.

    Attributes
    ----------
    sequence, frame, object_id
        Which.
    area
        Its true size in pixels.
    clicks
        IoU after 1, 2, ... clicks.
    box, mask
        IoU from these prompts; None where they were not tried.
    found
        The mask after the last click, else from the box or the mask.
    """

    sequence: str
    frame: FrameIndex
    object_id: ObjectId
    area: int
    clicks: tuple[float, ...]
    box: float | None
    mask: float | None
    found: RunLengths

    @property
    def last(self) -> float:
        """IoU of `found`."""
        return next(v for v in (*self.clicks[-1:], self.box, self.mask) if v is not None)


def click_through(
    predictor: Predictor,
    sequence: LabelledSequence,
    prompts: ImagePrompts = THREE_CLICKS_AND_BOX,
    choice: Choice = EVERY,
) -> Iterator[ImageScore]:
    """Measure every chosen object on every annotated frame, one after the other.

    The first click is set in the middle of the object, each next one in the middle of the largest error
    (SAM 2 paper, section 6.2 and appendix F).

    Parameters
    ----------
    choice
        Applied to each frame by itself.
    """
    images, labels = sequence.read()
    for frame in known_frames(sequence, len(labels)):
        chosen = choice.of(labels[frame])
        if chosen:
            predictor.set_image(images[frame])
        for object_id in chosen:
            yield _measure(predictor, sequence.name, frame, object_id, labels[frame] == object_id, prompts)


def worse(scores: Sequence[ImageScore], first: int = 1, then: int = 3) -> float:
    """Return the share of objects whose mask after `then` clicks is worse than it was after `first`.

    Correcting that does harm is what drives users away, and a mean hides it. NaN without objects.
    """
    return mean(float(s.clicks[then - 1] < s.clicks[first - 1]) for s in scores)


def _measure(
    predictor: Predictor,
    sequence: str,
    frame: FrameIndex,
    object_id: ObjectId,
    truth: Mask,
    prompts: ImagePrompts,
) -> ImageScore:
    found: Mask = np.zeros_like(truth)
    kept: Mask | None = None
    after: list[float] = []
    prompt = PromptSet()
    for _ in range(prompts.clicks):
        click = next_click(truth, found) if after else first_click(truth)
        prompt = prompt.with_click(click)
        kept = found = predictor.predict(prompt, refine=bool(after))
        after.append(iou(truth, found))
    from_box = from_mask = None
    if prompts.box:
        found = predictor.predict(PromptSet(box=tight_box(truth)))
        kept = found if kept is None else kept
        from_box = iou(truth, found)
    if prompts.mask:
        found = predictor.predict(PromptSet(mask=MaskPrompt(truth)))
        kept = found if kept is None else kept
        from_mask = iou(truth, found)
    encoded = RunLengths.encode(np.zeros_like(truth) if kept is None else kept)
    return ImageScore(
        sequence, frame, object_id, int(truth.sum()), tuple(after), from_box, from_mask, encoded
    )
