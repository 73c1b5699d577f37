"""The tracker of a session and its memory: what happens to objects on single frames."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.embeddings import FrameSource
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.track_state import ObjectTrack, TrackState
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.prompts import Direction, FrameIndex, ObjectId, PromptSet
from napari_sam2.session.document import Kind, Place
from napari_sam2.session.draft import Draft
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.held_records import HeldRecords
from napari_sam2.session.network import Network
from napari_sam2.session.objects import CodedMask, FrameMask


class Engine:
    """Asks the tracker, and writes what it answers into drafts.

    Parameters
    ----------
    frames
        The image.
    network
        Loaded with the first prompt.
    policy
        Thresholds and switches of the tracker.
    intensity
        Returns the mapping from pixels to what the network sees.
    guard
        Where to stop following an object.
    """

    def __init__(
        self,
        frames: FrameSource,
        network: Network,
        policy: TrackingPolicy,
        intensity: Callable[[], IntensityMap],
        guard: LeakGuard,
    ) -> None:
        self.frames = frames
        self.network = network
        self.policy = policy
        self.intensity = intensity
        self.guard = guard
        self._tracker: VideoTracker | None = None
        self._state: TrackState | None = None

    @property
    def tracker(self) -> VideoTracker:
        """The tracker; the network is loaded for it."""
        if self._tracker is None:
            self._tracker = VideoTracker(self.network.get(), self.policy)
        return self._tracker

    @property
    def state(self) -> TrackState:
        """What the tracker remembers."""
        if self._state is None:
            self._state = self.tracker.start(self.frames, self.intensity())
            self._state.records = HeldRecords(self.policy.state_bytes)
        return self._state

    @state.setter
    def state(self, state: TrackState) -> None:
        self._state = state

    @property
    def records(self) -> HeldRecords | None:
        """Remembered tensors, once there are any."""
        records = self._state.records if self._state is not None else None
        return records if isinstance(records, HeldRecords) else None

    def prompt(
        self, draft: Draft, frame: FrameIndex, object_id: ObjectId, prompt: PromptSet, renew: bool
    ) -> None:
        """Prompt an object on a frame; `renew` takes its earlier prompts there away."""
        draft.touch(self.state, object_id)
        # On its own: the tracker would bring all other objects of the frame to the size of the image.
        some = self._only([object_id])
        self.tracker.prompt(some, frame, object_id, prompt.clicks, prompt.box, prompt.mask, renew)
        track = some.track(object_id)
        self.state.objects.setdefault(object_id, track)
        draft.write(Place(Kind.PROMPT, object_id, frame), track.prompts[frame])
        self._take(draft, frame, object_id, track)

    def clear(self, draft: Draft, frame: FrameIndex, object_id: ObjectId) -> None:
        """Take back an object's prompts on a frame."""
        draft.write(Place(Kind.PROMPT, object_id, frame), None)
        track = self.state.objects.get(object_id)
        if track is not None:
            draft.touch(self.state, object_id)
            self.tracker.clear(self._only([object_id]), frame, object_id)
            self._take(draft, frame, object_id, track)

    def remove(self, draft: Draft, object_id: ObjectId) -> None:
        """Forget an object."""
        if object_id in self.state.objects:
            draft.touch(self.state, object_id)
            self.tracker.remove(self._only([object_id]), object_id)
            del self.state.objects[object_id]

    def visit(
        self, draft: Draft, frame: FrameIndex, object_ids: Collection[ObjectId], direction: Direction
    ) -> tuple[ObjectId, ...]:
        """Follow objects onto a frame; return those that jump there, of which nothing is kept."""
        for object_id in object_ids:
            draft.touch(self.state, object_id)
        some = self._only(sorted(object_ids))
        for _ in self.tracker.propagate(some, frame, 1, direction):
            pass
        stopped = []
        for object_id, track in some.objects.items():
            found = track.masklet.masks.get(frame)
            if found is None:  # a policy may let an object wait here
                continue
            before = draft.document.masks_of(object_id).get(frame - direction.step)
            said = frame in track.prompts
            if before is not None and not said and self.guard.stops(before.runs, found):
                stopped.append(object_id)
                track.masklet.clear(frame)
                track.passed.pop(frame, None)
                some.drop(track.bank.tracked, frame)
            else:
                self._take(draft, frame, object_id, track)
        return tuple(stopped)

    def _only(self, object_ids: Collection[ObjectId]) -> TrackState:
        """The same memory with some of the objects, always in the same order."""
        state = self.state
        return replace(state, objects={key: state.objects[key] for key in object_ids if key in state.objects})

    def _take(self, draft: Draft, frame: FrameIndex, object_id: ObjectId, track: ObjectTrack) -> None:
        """Write what the tracker found; a painted mask stays as it was painted."""
        prompt = track.prompts.get(frame)
        place = Place(Kind.MASK, object_id, frame)
        # The masks live in the document; the tracker need not keep them as well.
        runs_found = track.masklet.masks.pop(frame, None)
        track.masklet.scores.pop(frame, None)
        if prompt is not None and prompt.mask is not None:
            given = prompt.mask.mask
            runs = given.runs if isinstance(given, CodedMask) else RunLengths.encode(given)
            draft.write(place, FrameMask(runs, painted=True))
            return
        fresh = track.fresh_prompted.get(frame, track.fresh_tracked.get(frame))
        key = fresh or track.bank.at(frame)
        if runs_found is None or key is None:
            draft.write(place, None)
            return
        found = self.state.records.prediction(key, self.tracker.model.device)
        iou, visible = float(found.iou[0, 0]), float(found.object_score[0, 0].sigmoid())
        draft.write(place, FrameMask(runs_found, iou, visible))
