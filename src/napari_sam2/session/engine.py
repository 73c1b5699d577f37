"""The tracker of a session and its memory: what happens to objects on single frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

import torch

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.embedding_store import EmbeddingStore
from napari_sam2.inference.embeddings import EmbeddingCache, FrameSource
from napari_sam2.inference.frame_step import FrameStep
from napari_sam2.inference.masklet import RunLengths
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.track_state import ObjectTrack, TrackState
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.prompts import Direction, FrameIndex, ObjectId, PromptSet
from napari_sam2.session.document import Kind, Place
from napari_sam2.session.draft import Draft
from napari_sam2.session.guard import LeakGuard
from napari_sam2.session.held_records import HeldRecords
from napari_sam2.session.moment import Moment
from napari_sam2.session.network import Network
from napari_sam2.session.objects import CodedMask, FrameMask
from napari_sam2.session.shortage import give_back, is_shortage, shortage

Found = TypeVar("Found")


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
    store
        Where encoded frames are kept on disk; None for nowhere.

    Attributes
    ----------
    at_once
        Objects that go through the network together: as the policy says, until memory runs out.
    on_halved
        Told of a smaller number.
    """

    def __init__(
        self,
        frames: FrameSource,
        network: Network,
        policy: TrackingPolicy,
        intensity: Callable[[], IntensityMap],
        guard: LeakGuard,
        store: EmbeddingStore | None = None,
    ) -> None:
        self.frames = frames
        self.network = network
        self.policy = policy
        self.intensity = intensity
        self.guard = guard
        self.store = store
        self.at_once = policy.objects_at_once
        self.on_halved: Callable[[int], object] = lambda at_once: None
        self._tracker: VideoTracker | None = None
        self._state: TrackState | None = None
        self._encoded: EmbeddingCache | None = None

    def anew(self) -> Engine:
        """Return one that remembers nothing but the encoded frames."""
        engine = Engine(self.frames, self.network, self.policy, self.intensity, self.guard, self.store)
        engine.at_once, engine._encoded = self.at_once, self._encoded
        return engine

    @property
    def tracker(self) -> VideoTracker:
        """The tracker; the network is loaded for it."""
        if self._tracker is None:
            policy = replace(self.policy, objects_at_once=self.at_once)
            self._tracker = VideoTracker(self.network.get(), policy)
        return self._tracker

    @property
    def state(self) -> TrackState:
        """What the tracker remembers."""
        if self._state is None:
            self._state = self.tracker.start(self.frames, self.intensity())
            self._state.records = HeldRecords(self.policy.state_bytes)
            if self._encoded is None:
                self._encoded = self._state.embeddings
                if self.store is not None:
                    self._encoded.shelf = self.network.stored_frames(self.store, self.intensity())
            self._state.embeddings = self._encoded
        return self._state

    @state.setter
    def state(self, state: TrackState) -> None:
        self._state = state

    @property
    def records(self) -> HeldRecords | None:
        """Remembered tensors, once there are any."""
        records = self._state.records if self._state is not None else None
        return records if isinstance(records, HeldRecords) else None

    @torch.inference_mode()
    def encode(self, frame: FrameIndex) -> int:
        """Encode a frame ahead of its first prompt; return for how many encoded frames there is room."""
        state = self.state
        FrameStep(self.tracker.model, self.policy).embedding(state, frame)
        return state.embeddings.room

    def prompt(
        self, draft: Draft, frame: FrameIndex, object_id: ObjectId, prompt: PromptSet, renew: bool
    ) -> None:
        """Prompt an object on a frame; `renew` takes its earlier prompts there away."""

        def ask() -> tuple[ObjectTrack, FrameMask | None]:
            # On its own: the tracker would bring all other objects of the frame to the size of the image.
            some = self._only([object_id])
            self.tracker.prompt(some, frame, object_id, prompt.clicks, prompt.box, prompt.mask, renew)
            track = some.track(object_id)
            return track, self._found(frame, track)

        draft.touch(self.state, object_id)
        track, found = self._within_memory([object_id], ask)
        self.state.objects.setdefault(object_id, track)
        draft.write(Place(Kind.PROMPT, object_id, frame), track.prompts[frame])
        draft.write(Place(Kind.MASK, object_id, frame), found)

    def clear(self, draft: Draft, frame: FrameIndex, object_id: ObjectId) -> None:
        """Take back an object's prompts on a frame."""

        def ask() -> FrameMask | None:
            self.tracker.clear(self._only([object_id]), frame, object_id)
            return self._found(frame, self.state.objects[object_id])

        draft.write(Place(Kind.PROMPT, object_id, frame), None)
        if object_id in self.state.objects:
            draft.touch(self.state, object_id)
            draft.write(Place(Kind.MASK, object_id, frame), self._within_memory([object_id], ask))

    def remove(self, draft: Draft, object_id: ObjectId) -> None:
        """Forget an object."""
        if object_id in self.state.objects:
            draft.touch(self.state, object_id)
            self.tracker.remove(self._only([object_id]), object_id)
            del self.state.objects[object_id]

    def renumber(self, draft: Draft, numbers: Mapping[ObjectId, ObjectId]) -> None:
        """Know objects by other numbers, given by the old ones."""
        state = self._state
        if state is None:
            return
        for number in {*numbers, *numbers.values()}:
            draft.touch(state, number)
        moved = {new: state.objects.pop(old) for old, new in numbers.items() if old in state.objects}
        state.objects.update(moved)

    def visit(
        self, draft: Draft, frame: FrameIndex, object_ids: Collection[ObjectId], direction: Direction
    ) -> tuple[ObjectId, ...]:
        """Follow objects onto a frame; return those that jump there, of which nothing is kept.

        Where it fails, nothing of the frame is written, and the tracker remembers nothing of it.
        """

        def follow() -> dict[ObjectId, FrameMask | None]:
            stopped.clear()
            some = self._only(sorted(object_ids))
            for _ in self.tracker.propagate(some, frame, 1, direction):
                pass
            masks: dict[ObjectId, FrameMask | None] = {}
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
                    masks[object_id] = self._found(frame, track)
            return masks

        stopped: list[ObjectId] = []
        for object_id in object_ids:
            draft.touch(self.state, object_id)
        for object_id, mask in self._within_memory(object_ids, follow).items():
            draft.write(Place(Kind.MASK, object_id, frame), mask)
        return tuple(stopped)

    def _within_memory(self, object_ids: Collection[ObjectId], act: Callable[[], Found]) -> Found:
        """Do something whole or not at all; where memory runs out, again with half as many at a time."""
        while True:
            moment = Moment(self.state, object_ids)
            try:
                return act()
            except BaseException as error:
                moment.restore()
                if not is_shortage(error):
                    raise
                if self.at_once == 1:
                    # What the traceback holds on to would be missing for whatever is tried next.
                    raise shortage(self.tracker.model.device) from error.with_traceback(None)
            self._halve()

    def _halve(self) -> None:
        device = self.tracker.model.device
        self.at_once //= 2
        self._tracker = None
        self.state.embeddings.clear()
        give_back(device)
        self.on_halved(self.at_once)

    def _only(self, object_ids: Collection[ObjectId]) -> TrackState:
        """The same memory with some of the objects, always in the same order."""
        state = self.state
        return replace(state, objects={key: state.objects[key] for key in object_ids if key in state.objects})

    def _found(self, frame: FrameIndex, track: ObjectTrack) -> FrameMask | None:
        """What the tracker found; a painted mask stays as it was painted."""
        prompt = track.prompts.get(frame)
        # The masks live in the document; the tracker need not keep them as well.
        runs_found = track.masklet.masks.pop(frame, None)
        track.masklet.scores.pop(frame, None)
        if prompt is not None and prompt.mask is not None:
            given = prompt.mask.mask
            runs = given.runs if isinstance(given, CodedMask) else RunLengths.encode(given)
            return FrameMask(runs, painted=True)
        fresh = track.fresh_prompted.get(frame, track.fresh_tracked.get(frame))
        key = fresh or track.bank.at(frame)
        if runs_found is None or key is None:
            return None
        found = self.state.records.prediction(key, self.tracker.model.device)
        iou, visible = float(found.iou[0, 0]), float(found.object_score[0, 0].sigmoid())
        return FrameMask(runs_found, iou, visible)
