"""Bodies through the slices of a volume, from any prompted slice, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_sam2.errors import PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.body import Body
from napari_sam2.inference.body_guard import BodyGuard, SliceShape
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.inference.track_state import TrackState
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.inference.volume import VolumeFrames
from napari_sam2.prompts import Direction, FrameIndex, ObjectId, PromptSet

Prompts = Mapping[ObjectId, Mapping[FrameIndex, PromptSet]]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far bodies are followed from their prompts.

    Attributes
    ----------
    both_ways
        Towards the first slice as well as towards the last.
    first, last
        Slices beyond these are never looked at; by default the ends of the volume.
    stops
        Planes that no body goes beyond: the slice itself is the last one on either side.
    """

    both_ways: bool = True
    first: FrameIndex = 0
    last: FrameIndex | None = None
    stops: tuple[FrameIndex, ...] = ()

    def limit(self, start: FrameIndex, direction: Direction, length: int) -> FrameIndex:
        """Return the last slice on the way from `start`."""
        if direction is Direction.FORWARD:
            last = length - 1 if self.last is None else min(self.last, length - 1)
            return min([last, *(stop for stop in self.stops if stop >= start)])
        return max([self.first, *(stop for stop in self.stops if stop <= start)])

    def check(self, length: int) -> None:
        """Raise `PromptError` unless it fits a volume of so many slices."""
        last = length - 1 if self.last is None else self.last
        wrong = [at for at in (self.first, last, *self.stops) if not 0 <= at < length]
        if wrong:
            raise PromptError(f"There is no slice {wrong[0]}: the volume has the slices 0 to {length - 1}.")
        if self.first > last:
            raise PromptError(f"The range of slices {self.first} to {last} is empty: give the smaller first.")


@dataclass(frozen=True, slots=True, eq=False)
class SliceFound:
    """What was found on one slice.

    Attributes
    ----------
    frame, direction
        Which slice, and on which way.
    masks, scores
        Of the bodies that are on the way, in voxels of the volume.
    ended
        Bodies that are not followed on, and the last slice that belongs to them: it may lie behind this one.
    """

    frame: FrameIndex
    direction: Direction
    masks: Mapping[ObjectId, RunLengths]
    scores: Mapping[ObjectId, float]
    ended: Mapping[ObjectId, FrameIndex]


@dataclass(slots=True)
class _Going:
    """One body on its way in one direction: where it begins, and what it is like from its last prompt on."""

    start: FrameIndex
    leaves: FrameIndex
    limit: FrameIndex
    way: list[SliceShape] = field(default_factory=list)


def follow_volume(
    tracker: VideoTracker,
    frames: VolumeFrames,
    prompts: Prompts,
    reach: Reach | None = None,
    guard: BodyGuard | None = None,
    intensity: IntensityMap | None = None,
    advance: Callable[[], object] = lambda: None,
) -> dict[ObjectId, Body]:
    """Find bodies from prompts on some of their slices.

    Parameters
    ----------
    tracker
        With `TrackingPolicy.for_stacks()`, as a rule.
    frames
        The volume along an axis.
    prompts
        For each body its prompts by slice, in voxels of the plane across the axis.
    reach
        How far; by default both ways to the ends of the volume.
    guard
        Where a body has ended although the network goes on; by default `BodyGuard()`.
    intensity
        How voxels become what the network sees; by default one mapping for the whole volume.
    advance
        Called after each slice of either way.

    Returns
    -------
    dict
        A `Body` for each number, empty where nothing was found. They may overlap by the voxels that one won
        going forward and another going backward; `label_planes` decides.

    Raises
    ------
    PromptError
        If there is no prompt, one is empty or outside the volume or the range.
    """
    masks: dict[ObjectId, dict[FrameIndex, RunLengths]] = {number: {} for number in prompts}
    scores: dict[ObjectId, dict[FrameIndex, float]] = {number: {} for number in prompts}
    for found in sweep(tracker, frames, prompts, reach, guard, intensity):
        for number, runs in found.masks.items():
            if runs.area:
                masks[number][found.frame], scores[number][found.frame] = runs, found.scores[number]
        for number, last in found.ended.items():
            for beyond in [at for at in masks[number] if (at - last) * found.direction.step > 0]:
                del masks[number][beyond], scores[number][beyond]
        advance()
    return {number: Body(frames.space, frames.axis, masks[number], scores[number]) for number in prompts}


def sweep(
    tracker: VideoTracker,
    frames: VolumeFrames,
    prompts: Prompts,
    reach: Reach | None = None,
    guard: BodyGuard | None = None,
    intensity: IntensityMap | None = None,
) -> Iterator[SliceFound]:
    """Follow bodies slice by slice, forward, then backward; closing it stops. See `follow_volume`."""
    reach, guard = reach or Reach(), guard or BodyGuard()
    reach.check(len(frames))
    moved = _moved(frames, prompts, reach)
    state = tracker.start(frames, intensity or frames.intensity())
    try:
        for direction in Direction if reach.both_ways else (Direction.FORWARD,):
            tracker.reset(state)
            going = {}
            for number, own in moved.items():
                leaves = max(own) if direction is Direction.FORWARD else min(own)
                limit = reach.limit(leaves, direction, len(frames))
                going[number] = _Going(min(own), leaves, limit)
                for frame, prompt in own.items():
                    tracker.prompt(state, frame, number, prompt.clicks, prompt.box, prompt.mask)
            yield from _one_way(tracker, state, frames, going, direction, guard)
    finally:
        tracker.reset(state)


def _one_way(
    tracker: VideoTracker,
    state: TrackState,
    frames: VolumeFrames,
    going: dict[ObjectId, _Going],
    direction: Direction,
    guard: BodyGuard,
) -> Iterator[SliceFound]:
    """Follow bodies one way; those that have come to an end leave the state, and their memory goes."""
    step = direction.step
    for result in tracker.propagate(state, direction=direction):
        labels = result.labels()  # bodies do not share voxels
        masks, scores, ended = (
            dict[ObjectId, RunLengths](),
            dict[ObjectId, float](),
            dict[ObjectId, FrameIndex](),
        )
        for number, own in going.items():
            if (result.frame - own.start) * step < 0:
                continue
            found = labels == number
            score = float(result.scores[result.object_ids.index(number)])
            # The slice of the prompt was found going forward.
            if direction is Direction.FORWARD or result.frame != own.start:
                masks[number], scores[number] = RunLengths.encode(frames.to_plane(found)), score
            if (result.frame - own.leaves) * step < 0:  # a user says that it goes on
                continue
            own.way.append(SliceShape(float(np.count_nonzero(found)), score))
            kept = guard.end(own.way, frames.step)
            if kept is not None:
                ended[number] = own.leaves + (kept - 1) * step
            elif (result.frame - own.limit) * step >= 0:
                ended[number] = result.frame
        for number in ended:
            del going[number]
            tracker.remove(state, number)
        yield SliceFound(result.frame, direction, masks, scores, ended)
        if not going:
            return


def _moved(
    frames: VolumeFrames, prompts: Prompts, reach: Reach
) -> dict[ObjectId, dict[FrameIndex, PromptSet]]:
    """Return the prompts in pixels of the frames, or raise `PromptError` where one is out of place."""
    if not prompts:
        raise PromptError("There is no object yet: give at least one with a prompt.")
    last = len(frames) - 1 if reach.last is None else reach.last
    moved: dict[ObjectId, dict[FrameIndex, PromptSet]] = {}
    for number, own in prompts.items():
        if not own:
            raise PromptError(
                f"Object {number} has no prompt: give it a click, a box or a mask, or leave it out."
            )
        for frame, prompt in own.items():
            if not reach.first <= frame <= last:
                raise PromptError(
                    f"Object {number} is prompted on slice {frame} along {frames.axis.value}, but only the "
                    f"slices {reach.first} to {last} are looked at."
                )
            moved.setdefault(number, {})[frame] = frames.to_frame_prompt(prompt)
    return moved
