"""Which objects are measured, where they are, and what a user who knows the truth says about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

import numpy as np

from napari_sam2.errors import PromptError
from napari_sam2.evaluation.methods import Follower
from napari_sam2.evaluation.metrics import Labels, Mask
from napari_sam2.inference.simulated_user import next_click
from napari_sam2.io.datasets import LabelledSequence
from napari_sam2.prompts import Box, FrameIndex, MaskPrompt, ObjectId, PromptSet


class Prompting(Enum):
    """What an object is prompted with on one frame (SAM 2 paper, section 6.1)."""

    CLICK_1 = "1-click"
    CLICK_3 = "3-click"
    CLICK_5 = "5-click"
    BOX = "box"
    MASK = "mask"

    @property
    def clicks(self) -> int:
        """How many clicks; 0 for a box or a mask."""
        return {Prompting.CLICK_1: 1, Prompting.CLICK_3: 3, Prompting.CLICK_5: 5}.get(self, 0)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which objects of an image or sequence count.

    Attributes
    ----------
    least
        Smallest size, in pixels or voxels of all annotated frames.
    most
        At most so many, drawn at random; None for all.
    seed
        Of the draw: the same objects every time.
    only
        Only these numbers; None for all.
    """

    least: int = 1
    most: int | None = None
    seed: int = 0
    only: frozenset[ObjectId] | None = None

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise PromptError(f"At least one object has to be measured, got {self.most}.")

    def of(self, labels: Labels) -> list[ObjectId]:
        """Return the numbers of the chosen objects in `labels`, any shape, in order."""
        numbers, sizes = np.unique(labels, return_counts=True)
        chosen = [
            int(number)
            for number, size in zip(numbers, sizes, strict=True)
            if number > 0 and size >= self.least and (self.only is None or int(number) in self.only)
        ]
        if self.most is None or len(chosen) <= self.most:
            return chosen
        draw = np.random.default_rng(self.seed).choice(len(chosen), self.most, replace=False)
        return [chosen[index] for index in sorted(draw)]


EVERY = Choice()


def known_frames(sequence: LabelledSequence, length: int) -> tuple[FrameIndex, ...]:
    """Return the frames of which the truth is known, in order."""
    return tuple(range(length)) if sequence.annotated is None else tuple(sorted(sequence.annotated))


def frames_with(truth: Labels, object_id: ObjectId, known: Collection[FrameIndex]) -> list[FrameIndex]:
    """Return the annotated frames that hold an object, in order."""
    return [frame for frame in sorted(known) if (truth[frame] == object_id).any()]


def tight_box(mask: Mask) -> Box:
    """Return the box through the outermost pixels of a mask (h, w); a line's is half a pixel wider each way.

    Raises
    ------
    PromptError
        If the mask is empty.
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise PromptError("There is nothing to put a box round: the mask is empty.")
    (y0, y1), (x0, x1) = ((float(line[0]), float(line[-1])) for line in (rows, columns))
    if y0 == y1:
        y0, y1 = y0 - 0.5, y1 + 0.5
    if x0 == x1:
        x0, x1 = x0 - 0.5, x1 + 0.5
    return Box(y0, x0, y1, x1)


def click_on(
    follower: Follower, frame: FrameIndex, object_id: ObjectId, truth: Mask, found: Mask, clicks: int
) -> Mask:
    """Correct the mask `found` on a frame, click by click, each in the middle of the largest error left.

    Returns
    -------
    numpy.ndarray
        What is found after the last click, bool (H, W).
    """
    for _ in range(clicks):
        found = follower.prompt(frame, object_id, PromptSet((next_click(truth, found),)))
    return found


def prompt_object(
    follower: Follower, frame: FrameIndex, object_id: ObjectId, truth: Mask, prompting: Prompting
) -> Mask:
    """Introduce an object on a frame; return what is found there, bool (H, W)."""
    if prompting is Prompting.MASK:
        return follower.prompt(frame, object_id, PromptSet(mask=MaskPrompt(truth)))
    if prompting is Prompting.BOX:
        return follower.prompt(frame, object_id, PromptSet(box=tight_box(truth)))
    return click_on(follower, frame, object_id, truth, np.zeros_like(truth), prompting.clicks)
