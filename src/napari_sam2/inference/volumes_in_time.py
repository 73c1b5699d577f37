"""Bodies through volumes in time: each is carried to the next volume on one slice, and swept there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from napari_sam2.errors import PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.body import Body, Bounds, halves
from napari_sam2.inference.body_guard import BodyGuard
from napari_sam2.inference.daughters import find_daughters, grown
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.inference.sweep import follow_volume
from napari_sam2.inference.time_policy import KeySlice, TimePolicy, key_slice
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.inference.volume import Axis, VolumeFrames, VolumeSource, Voxel, prompts_along
from napari_sam2.prompts import FrameIndex, MaskPrompt, ObjectId, PromptSet

TOUCHING = 0.2
"""Two daughters that share more than this of the smaller one are one and the same."""

RECENT = 3
"""So many volumes back a mother is remembered: daughters that hide in one outline come apart by then."""


@dataclass(frozen=True, slots=True, eq=False)
class VolumeFound:
    """All bodies at one time.

    Attributes
    ----------
    time
        Number of the volume.
    bodies
        By number; along Z. An object without a body here is lost, or has divided, and does not come back.
    mothers
        Of the daughters that are here for the first time.
    """

    time: int
    bodies: Mapping[ObjectId, Body]
    mothers: Mapping[ObjectId, ObjectId] = field(default_factory=dict)


class Volumes(Protocol):
    """Volumes through time: an array (T, Z, Y, X), or anything that hands out one after the other."""

    def __len__(self) -> int: ...

    def __getitem__(self, time: int, /) -> Any: ...


class VolumesInTime:
    """Follows bodies through volumes.

    Two volumes are looked at, never more: the result of one is handed out before the next is read.

    Parameters
    ----------
    tracker
        With `TrackingPolicy.for_stacks()`, as a rule: it sweeps through the slices.
    spacing, smooth
        As for `VolumeFrames`.
    guard
        Where bodies end.
    policy
        How they are carried.
    """

    def __init__(
        self,
        tracker: VideoTracker,
        spacing: Sequence[float] | None = None,
        smooth: float = 0.0,
        guard: BodyGuard | None = None,
        policy: TimePolicy | None = None,
    ) -> None:
        self.tracker, self.guard = tracker, guard or BodyGuard()
        self.spacing, self.smooth = (1.0, 1.0, 1.0) if spacing is None else tuple(spacing), smooth
        self.policy = policy or TimePolicy()
        # From one time to the next, bodies move, and what holds for slices does not.
        in_time = replace(tracker.policy, contiguous_within=0, fades_below=0.0)
        self._in_time = VideoTracker(tracker.model, in_time)

    def follow(
        self,
        volumes: Volumes,
        voxels: Mapping[ObjectId, Sequence[Voxel]],
        start: int = 0,
        advance: Callable[[], object] = lambda: None,
    ) -> Iterator[VolumeFound]:
        """Find bodies from clicks in one volume, and follow them through the later ones.

        Parameters
        ----------
        volumes
            (T, Z, Y, X), read one volume at a time.
        voxels
            For each body its clicks in the volume `start`.
        start
            Where to begin.
        advance
            Called after each slice of every sweep.

        Yields
        ------
        VolumeFound
            One a time, from `start` on, until the volumes end or nothing is left to follow.

        Raises
        ------
        PromptError
            If there is no such time, no click, or one lies outside the volume.
        """
        if not 0 <= start < len(volumes):
            raise PromptError(f"There is no volume {start}: there are {len(volumes)}, numbered from 0.")
        return self._follow(volumes, voxels, start, advance)

    def _follow(
        self,
        volumes: Volumes,
        voxels: Mapping[ObjectId, Sequence[Voxel]],
        start: int,
        advance: Callable[[], object],
    ) -> Iterator[VolumeFound]:
        frames = self._frames(volumes[start])
        intensity = frames.intensity()
        bodies = self._swept(frames, prompts_along(Axis.Z, voxels), intensity, advance)
        yield VolumeFound(start, bodies)
        newest, recent = max(voxels, default=0), [bodies]
        for time in range(start + 1, len(volumes)):
            later = self._frames(volumes[time])
            carried = self._carried(frames, later, bodies, intensity)
            found = self._cut(self._swept(later, carried, intensity, advance), bodies)
            mothers = dict[ObjectId, ObjectId]()
            for mother, pair in self._divided(
                later, _largest(recent, bodies), found, intensity, advance
            ).items():
                found.pop(mother, None)
                for daughter in pair:
                    newest += 1
                    found[newest], mothers[newest] = daughter, mother
            gone = set(mothers.values())
            self._looked_again(
                later, {n: b for n, b in bodies.items() if n not in gone}, found, intensity, advance
            )
            if not found:
                return
            frames, bodies, recent = later, found, [*recent, found][-RECENT:]
            yield VolumeFound(time, found, mothers)

    def _frames(self, volume: VolumeSource) -> VolumeFrames:
        return VolumeFrames(volume, Axis.Z, self.spacing, self.smooth)

    def _swept(
        self,
        frames: VolumeFrames,
        prompts: Mapping[ObjectId, Mapping[FrameIndex, PromptSet]],
        intensity: IntensityMap,
        advance: Callable[[], object],
    ) -> dict[ObjectId, Body]:
        if not prompts:
            return {}
        found = follow_volume(self.tracker, frames, prompts, None, self.guard, intensity, advance)
        return {number: body for number, body in found.items() if body.masks}

    def _carried(
        self,
        before: VolumeFrames,
        after: VolumeFrames,
        bodies: Mapping[ObjectId, Body],
        intensity: IntensityMap,
    ) -> dict[ObjectId, dict[FrameIndex, PromptSet]]:
        """Return the masks of bodies on their key slices a volume later, as prompts."""
        keys = dict[FrameIndex, list[ObjectId]]()
        for number, body in bodies.items():
            keys.setdefault(key_slice(body, self.policy.key), []).append(number)
        carried = dict[ObjectId, dict[FrameIndex, PromptSet]]()
        for key, numbers in sorted(keys.items()):
            state = self._in_time.start(np.stack([before[key], after[key]]), intensity)
            for number in numbers:
                mask = before.to_frame(bodies[number].masks[key].decode())
                self._in_time.prompt(state, 0, number, mask=mask)
            result = next(self._in_time.propagate(state, start=1, length=1))
            labels = result.labels()
            for number in numbers:
                found = after.to_plane(labels == number)
                if found.any():
                    carried[number] = {key: PromptSet(mask=MaskPrompt(found))}
            self._in_time.reset(state)
        return carried

    def _cut(self, found: Mapping[ObjectId, Body], before: Mapping[ObjectId, Body]) -> dict[ObjectId, Body]:
        """Return what is found of each body near to where it was."""
        if not self.policy.moves:
            return dict(found)
        kept = {}
        for number, body in found.items():
            bounds = _room(before[number], self.spacing)
            near = grown(before[number].voxels(bounds), self.spacing, self.policy.moves)
            corner = tuple(part.start for part in bounds)
            cut = Body.of(body.voxels(bounds) & near, body.score, body.shape, corner)
            if cut.masks:
                kept[number] = cut
        return kept

    def _looked_again(
        self,
        frames: VolumeFrames,
        before: Mapping[ObjectId, Body],
        found: dict[ObjectId, Body],
        intensity: IntensityMap,
        advance: Callable[[], object],
    ) -> None:
        """Replace findings that are missing or too small by better ones, where there are."""
        places = dict[ObjectId, dict[FrameIndex, PromptSet]]()
        for number, old in before.items():
            if number not in found or found[number].size < self.policy.steady * old.size:
                key = key_slice(old, KeySlice.MIDDLE)
                places[number] = {key: PromptSet((first_click(old.masks[key].decode()),))}
        again = (
            self._cut(self._swept(frames, places, intensity, advance), before) if self.policy.steady else {}
        )
        for number, body in again.items():
            if number not in found or body.overlap(before[number]) > found[number].overlap(before[number]):
                found[number] = body

    def _divided(
        self,
        frames: VolumeFrames,
        before: Mapping[ObjectId, Body],
        after: Mapping[ObjectId, Body],
        intensity: IntensityMap,
        advance: Callable[[], object],
    ) -> dict[ObjectId, list[Body]]:
        """Return the two daughters of each body that has divided."""
        if self.policy.division is None:
            return {}
        pairs = dict[ObjectId, tuple[Voxel, Voxel]]()
        for number, mother in before.items():
            bounds = _room(mother, self.spacing)
            others = np.zeros([part.stop - part.start for part in bounds], bool)
            own = mother.voxels(bounds)
            for bodies in (before, after):
                for other, body in bodies.items():
                    if other != number:
                        others |= body.voxels(bounds) & ~own
            pair = find_daughters(frames.part(bounds), own, others, self.spacing, self.policy.division)
            if pair is not None:
                pairs[number] = (_shifted(pair[0], bounds), _shifted(pair[1], bounds))
        if not pairs:
            return {}
        places = {2 * i + k: [pair[k]] for i, pair in enumerate(pairs.values(), 1) for k in (0, 1)}
        found = self._swept(frames, prompts_along(Axis.Z, places), intensity, advance)
        divided, most = {}, self.policy.division.whole
        for i, (number, pair) in enumerate(pairs.items(), 1):
            daughters = [found[2 * i + k] for k in (0, 1) if 2 * i + k in found]
            if len(daughters) < 2 or not _apart(*daughters):
                # A network may see both in one outline, where the light already tells them apart.
                daughters = list(halves(after[number], *pair, self.spacing)) if number in after else []
            if len(daughters) == 2 and all(0 < own.size <= most * before[number].size for own in daughters):
                divided[number] = daughters
        return divided


def _largest(recent: Sequence[Mapping[ObjectId, Body]], now: Mapping[ObjectId, Body]) -> dict[ObjectId, Body]:
    """Return of each body that is still there the largest of its recent findings.

    Where a division was overlooked a sweep may have gone on with one of two, and left the other's place.
    """
    return {
        number: max((bodies[number] for bodies in recent if number in bodies), key=lambda body: body.size)
        for number in now
    }


def _room(body: Body, spacing: Sequence[float]) -> Bounds:
    """Return the bounds of a body, wider by half of its size on either side."""
    bounds = body.bounds()
    assert bounds is not None
    wide = max((part.stop - part.start) * step for part, step in zip(bounds, spacing, strict=True)) / 2
    return tuple(
        slice(max(0, part.start - round(wide / step)), min(length, part.stop + round(wide / step)))
        for part, step, length in zip(bounds, spacing, body.shape, strict=True)
    )


def _shifted(voxel: Voxel, bounds: Bounds) -> Voxel:
    return Voxel(voxel.z + bounds[0].start, voxel.y + bounds[1].start, voxel.x + bounds[2].start)


def _apart(one: Body, other: Body) -> bool:
    """Whether two bodies are two: what they share is little of the smaller one."""
    return one.shared(other) <= TOUCHING * min(one.size, other.size)
