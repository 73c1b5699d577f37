"""How far the masks of an object can be trusted, frame by frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from napari_sam2.prompts import FrameIndex, ObjectId
from napari_sam2.session.objects import FrameMask
from napari_sam2.session.shape import Shape


@dataclass(frozen=True, slots=True)
class Confidence:
    """One object on one frame.

    Attributes
    ----------
    iou
        Overlap with the true mask, as the network predicts it, 0 to 1.
    visible
        Probability that the object is in view.
    growth
        Area as a multiple of that on the neighbouring frame towards the nearest prompt, where masks come
        from; 1 where there is none.
    shift
        Movement of the centre from there, in diameters.
    prompted
        Whether the user said something about this frame.
    absent
        Whether the mask is empty.
    """

    iou: float
    visible: float
    growth: float
    shift: float
    prompted: bool
    absent: bool

    @property
    def value(self) -> float:
        """One number from 0 to 1: 1 for a prompted frame, less where the network doubts or the mask jumps.

        An empty mask is trusted as far as the network holds the object to be out of view; the frame on which
        the object is lost has 0.
        """
        if self.prompted:
            return 1.0
        believed = 1 - self.visible if self.absent else self.iou * self.visible
        steady = 0.0 if not self.growth else min(self.growth, 1 / self.growth)
        return believed * steady / (1 + self.shift)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An object on a frame, and how far it can be trusted."""

    object_id: ObjectId
    frame: FrameIndex
    value: float


def confidences(
    masks: Mapping[FrameIndex, FrameMask], prompted: Collection[FrameIndex]
) -> dict[FrameIndex, Confidence]:
    """Return the confidence of every frame that has a mask, in the order of frames.

    Parameters
    ----------
    masks
        One object's, by frame.
    prompted
        The frames on which the user said something about it.
    """
    shapes = {frame: Shape.of(mask.runs) for frame, mask in masks.items()}
    found = {}
    for frame in sorted(masks):
        mask, shape = masks[frame], shapes[frame]
        nearest = min(prompted, key=lambda at: (abs(at - frame), at), default=frame)
        before = shapes.get(frame + (nearest > frame) - (nearest < frame), shape)
        found[frame] = Confidence(
            mask.iou,
            mask.visible,
            shape.growth(before),
            shape.shift(before),
            frame in prompted,
            not shape.area,
        )
    return found
