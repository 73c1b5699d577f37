"""Three sweeps along Z, Y and X vote on every voxel of a body."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import ndimage

from napari_sam2.errors import PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.body import Body, Bounds
from napari_sam2.inference.body_guard import BodyGuard
from napari_sam2.inference.sweep import follow_volume
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.inference.volume import Axis, VolumeFrames, VolumeSource, Voxel, prompts_along
from napari_sam2.prompts import ObjectId

MAJORITY = 2


def vote(bodies: Sequence[Body], least: int = MAJORITY) -> Body:
    """Return the voxels that at least so many of some findings of one body agree on, by slices along Z.

    Of what falls apart the largest piece is kept. The score is the mean of the findings that are not empty.

    Parameters
    ----------
    bodies
        One a sweep, in volumes of one shape; along any axes.
    least
        How many have to agree.

    Raises
    ------
    PromptError
        If fewer findings are given than have to agree.
    """
    if not 1 <= least <= len(bodies):
        raise PromptError(f"{least} of {len(bodies)} findings cannot agree: ask for 1 to {len(bodies)}.")
    shape = bodies[0].shape
    bounds = _reach([own.bounds() for own in bodies], least)
    if bounds is None:
        return Body(shape)
    votes = np.zeros([part.stop - part.start for part in bounds], np.uint8)
    for own in bodies:
        votes += own.voxels(bounds)
    pieces, count = ndimage.label(votes >= least)
    if not count:
        return Body(shape)
    largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    score = float(np.mean([own.score for own in bodies if own.masks]))
    return Body.of(pieces == largest, score, shape, tuple(part.start for part in bounds))


def follow_and_vote(
    tracker: VideoTracker,
    volume: VolumeSource,
    voxels: Mapping[ObjectId, Sequence[Voxel]],
    spacing: Sequence[float] | None = None,
    smooth: float = 0.0,
    guard: BodyGuard | None = None,
    least: int = MAJORITY,
    advance: Callable[[], object] = lambda: None,
) -> dict[ObjectId, Body]:
    """Follow bodies from clicks in space along all three axes, and let the sweeps vote.

    It takes three times as long as one sweep, and more where the volume is stored by slices along Z.

    Parameters
    ----------
    tracker, guard, advance
        As for `follow_volume`.
    volume, spacing, smooth
        As for `VolumeFrames`.
    voxels
        For each body its clicks, in voxels of the volume.
    least
        How many of the three have to agree on a voxel.

    Returns
    -------
    dict
        A `Body` along Z for each number, empty where nothing was agreed on.

    Raises
    ------
    PromptError
        If there is no click, or one lies outside the volume.
    """
    intensity: IntensityMap | None = None
    found = []
    for axis in Axis:
        frames = VolumeFrames(volume, axis, spacing, smooth)
        intensity = intensity or frames.intensity()
        prompts = prompts_along(axis, voxels)
        found.append(follow_volume(tracker, frames, prompts, None, guard, intensity, advance))
    return {number: vote([along[number] for along in found], least) for number in voxels}


def _reach(bounds: Sequence[Bounds | None], least: int) -> Bounds | None:
    """Return the smallest part of the volume outside of which too few bodies are: one may fill all of it."""
    parts = []
    for chosen in combinations([own for own in bounds if own is not None], least):
        common = [
            slice(max(own[i].start for own in chosen), min(own[i].stop for own in chosen)) for i in range(3)
        ]
        if all(part.start < part.stop for part in common):
            parts.append(common)
    if not parts:
        return None
    return tuple(
        slice(min(own[i].start for own in parts), max(own[i].stop for own in parts)) for i in range(3)
    )
