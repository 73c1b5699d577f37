"""What is said of the objects of a part, in the part's own frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_sam2.batch.job import Job, Part
from napari_sam2.batch.plan import Birth, LabelPrompt, ObjectPrompt
from napari_sam2.errors import ImageError, PromptError
from napari_sam2.io.frames import open_frames
from napari_sam2.prompts import FrameIndex, MaskPrompt, PromptSet


def births_in(job: Job, part: Part) -> tuple[Birth, ...]:
    """Return the births with frames counted from the part's first one."""
    return tuple(replace(birth, frame=birth.frame - part.start) for birth in job.sequence.births)


def prompts_in(job: Job, part: Part, shape: tuple[int, ...]) -> tuple[ObjectPrompt, ...]:
    """Return the prompts on a part's frames, counted from its first one.

    Parameters
    ----------
    shape
        (T, H, W, ...) of the whole sequence.

    Raises
    ------
    PromptError
        There is none: nothing says what to follow.
    ImageError, StorageError
        The label image is of another size, no labels, or cannot be read.
    """
    labels = job.sequence.labels
    given = job.sequence.prompts if labels is None else _of_labels(labels, part, shape)
    found = tuple(replace(one, frame=one.frame - part.start) for one in given if one.frame in part.frames)
    if not found:
        raise PromptError(
            f"Nothing says what to follow on frames {part.start} to {part.stop - 1} of "
            f"{job.sequence.image.name}: give prompts or labels on one of them."
        )
    return found


def label_frame(labels: LabelPrompt, part: Part, count: int, length: int) -> FrameIndex | None:
    """Return the frame on which a part's objects begin.

    Parameters
    ----------
    count, length
        Frames of the labels, and of the sequence.

    Returns
    -------
    int or None
        None where a single label image belongs to another part.
    """
    if labels.frame in part.frames:
        return labels.frame
    return part.start if count == length and count > 1 else None


def misfit(path: Path, labels: tuple[int, ...], image: tuple[int, ...]) -> str | None:
    """Say what is wrong with the shape of labels (T, H, W) for an image (T, H, W, ...), or return None."""
    if len(labels) == 3 and labels[1:] == image[1:3] and labels[0] in (1, image[0]):
        return None
    return (
        f"the labels {path} are {labels}, but expected is one label image {image[1:3]}, or one for each of "
        f"the {image[0]} frames"
    )


def _of_labels(labels: LabelPrompt, part: Part, shape: tuple[int, ...]) -> tuple[ObjectPrompt, ...]:
    with open_frames(labels.path) as stack:
        if wrong := misfit(labels.path, stack.shape, shape):
            raise ImageError(f"{wrong[0].upper()}{wrong[1:]}.")
        frame = label_frame(labels, part, len(stack), shape[0])
        if frame is None:
            return ()
        pixels = stack[frame if len(stack) > 1 else 0]
    if pixels.dtype.kind not in "bui" or (pixels.dtype.kind == "i" and pixels.min() < 0):
        raise ImageError(
            f"{labels.path} holds {pixels.dtype}, but labels are whole numbers from 0 on: is this the image "
            "rather than its labels?"
        )
    pixels = pixels.astype(np.uint32)
    return tuple(
        ObjectPrompt(number, frame, PromptSet(mask=MaskPrompt(pixels == number)))
        for number in np.unique(pixels[pixels > 0]).tolist()
    )
