"""An object's confidence along the sequence, kept up frame by frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isinf

from napari_sam2.prompts import FrameIndex
from napari_sam2.session.confidence import Confidence, confidences
from napari_sam2.session.objects import FrameMask

# What is worth a mark: twice or half the size, or half a diameter aside, from one frame to the next.
GROWTH = 2.0
SHIFT = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Confidence of one object, and what it was computed from.

    Attributes
    ----------
    masks
        By frame.
    prompted
        Frames on which the user said something.
    values
        Confidence of every frame that has a mask, in the order of frames.
    levels
        The same as one number from 0 to 1 each.
    jumps
        Frames on which the mask is suddenly larger, smaller or elsewhere.
    covered
        How many of the masks are not empty.
    """

    masks: Mapping[FrameIndex, FrameMask]
    prompted: frozenset[FrameIndex]
    values: Mapping[FrameIndex, Confidence]
    levels: Mapping[FrameIndex, float]
    jumps: frozenset[FrameIndex]
    covered: int

    @classmethod
    def of(cls, masks: Mapping[FrameIndex, FrameMask], prompted: Collection[FrameIndex]) -> Curve:
        """Compute all of it.

        Parameters
        ----------
        masks
            One object's, by frame.
        prompted
            Frames on which the user said something about it.
        """
        values = confidences(masks, prompted)
        return cls(
            masks,
            frozenset(prompted),
            values,
            {frame: value.value for frame, value in values.items()},
            frozenset(frame for frame, value in values.items() if jumps(value)),
            sum(not value.absent for value in values.values()),
        )

    @property
    def worst(self) -> FrameIndex | None:
        """The frame of the least confidence that nobody prompted; the first of equals, None without one."""
        return min(self.levels.keys() - self.prompted, key=lambda at: (self.levels[at], at), default=None)

    @property
    def least(self) -> float | None:
        """The confidence of the worst frame; 1 where all are prompted, None without masks."""
        return min(self.levels.values(), default=None)


def refreshed(
    before: Curve | None, masks: Mapping[FrameIndex, FrameMask], prompted: Collection[FrameIndex]
) -> Curve:
    """Return the curve of these masks; of an earlier one, all that is still true is taken over.

    Parameters
    ----------
    before
        The curve as it was; the same one comes back if nothing changed.
    masks, prompted
        What there is now.
    """
    if before is None or before.prompted != frozenset(prompted):
        # A prompt turns the way along which frames to both sides of it are compared.
        return Curve.of(masks, prompted)
    if masks == before.masks:  # frame masks are equal only to themselves
        return before
    known = before.masks
    gone = known.keys() - masks.keys()
    changed = {frame for frame, mask in masks.items() if known.get(frame) is not mask}
    # A frame is compared with a neighbour, and what that one is compared with does not matter here.
    affected = _around(changed | gone) & masks.keys()
    needed = _around(affected) & masks.keys()
    part = Curve.of({frame: masks[frame] for frame in needed}, prompted)
    values = {**before.values, **{frame: part.values[frame] for frame in affected}}
    levels = {**before.levels, **{frame: part.levels[frame] for frame in affected}}
    for frame in gone:
        del values[frame], levels[frame]
    if changed - known.keys():
        values, levels = dict(sorted(values.items())), dict(sorted(levels.items()))
    earlier = [before.values[frame] for frame in (affected | gone) & known.keys()]
    return Curve(
        masks,
        before.prompted,
        values,
        levels,
        (before.jumps - affected - gone) | (part.jumps & affected),
        before.covered
        + sum(not values[frame].absent for frame in affected)
        - sum(not value.absent for value in earlier),
    )


def _around(frames: Collection[FrameIndex]) -> set[FrameIndex]:
    return {frame + step for frame in frames for step in (-1, 0, 1)}


def jumps(confidence: Confidence) -> bool:
    """Whether a mask differs much from its neighbour; where the user said something it is meant so."""
    if confidence.prompted:
        return False
    return confidence.growth > GROWTH or confidence.growth < 1 / GROWTH or confidence.shift > SHIFT


def described(confidence: Confidence, word: str = "frame") -> str:
    """Return what is known of a mask, in a few words.

    Parameters
    ----------
    confidence
        Of the mask.
    word
        What a frame is called.
    """
    if confidence.prompted:
        return "prompted by you"
    said = f"confidence {confidence.value:.2f}"
    if confidence.absent:
        said += f", lost on this {word}" if not confidence.growth else ", out of view"
    elif isinf(confidence.growth):
        said += ", appears here"
    elif confidence.growth > GROWTH:
        said += f", {confidence.growth:.1f} times its size"
    elif confidence.growth < 1 / GROWTH:
        said += f", {confidence.growth:.0%} of its size"
    if confidence.shift > SHIFT:
        said += f", moved by {confidence.shift:.1f} diameters"
    return said
