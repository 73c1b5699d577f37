"""Prompt objects in a video and follow them through it (video spec 2 to 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from napari_sam2.errors import ImageError, PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import pixels
from napari_sam2.inference.embeddings import EmbeddingCache, FrameSource
from napari_sam2.inference.frame_result import FrameResult
from napari_sam2.inference.frame_step import FrameStep
from napari_sam2.inference.heap import HeapTrim, find_trim
from napari_sam2.inference.memory_bank import MemorySelection
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.postprocess import separate
from napari_sam2.inference.records import RecordStore
from napari_sam2.inference.smooth_frames import SmoothFrames
from napari_sam2.inference.track_state import ObjectTrack, TrackState
from napari_sam2.model.families import ImageModel, tracking
from napari_sam2.model.values import NO_OBJECT
from napari_sam2.prompts import Box, Click, Direction, FrameIndex, MaskPrompt, ObjectId, PromptSet


class VideoTracker:
    """Follows objects through a sequence of frames: time, or the slices of a stack.

    Parameters
    ----------
    model
        The network; it is not changed.
    policy
        Thresholds and switches.

    Raises
    ------
    CheckpointError
        If the network only segments single images (SAM); `SliceBySlice` carries its masks through a stack.
    """

    def __init__(self, model: ImageModel, policy: TrackingPolicy | None = None) -> None:
        self.model = tracking(model)
        self.policy = policy or TrackingPolicy()
        self._frame_step = FrameStep(self.model, self.policy)
        self._heap = HeapTrim(trim=find_trim())

    def start(self, frames: FrameSource, intensity: IntensityMap | None = None) -> TrackState:
        """Begin with a video.

        Parameters
        ----------
        frames
            (T, H, W), or (T, H, W, 3) in colour; any dtype; read one frame at a time, when it is needed.
        intensity
            How pixel values become what the network sees; by default uint8 colour as it is, everything else
            by percentiles of a sample of the whole stack.

        Raises
        ------
        ImageError
            If the frames have another layout, or show nothing.
        """
        shape = tuple(frames.shape)
        if len(shape) not in (3, 4) or 0 in shape:
            raise ImageError(
                f"A video has the shape (T, H, W) or (T, H, W, 3), got {shape}. "
                "Give a single image as image[None]; put the time axis (or Z) first."
            )
        if self.policy.smooth:
            frames = SmoothFrames(frames, self.policy.smooth)
        if intensity is None:
            intensity = IntensityMap.for_frames(frames)
        return TrackState(
            frames,
            intensity,
            (shape[1], shape[2]),
            RecordStore(self.policy.state_bytes),
            EmbeddingCache(self.policy.embedding_bytes),
        )

    @torch.inference_mode()
    def prompt(
        self,
        state: TrackState,
        frame: FrameIndex,
        object_id: ObjectId,
        clicks: Sequence[Click] = (),
        box: Box | None = None,
        mask: np.ndarray[Any, Any] | MaskPrompt | None = None,
        replace: bool = True,
    ) -> FrameResult:
        """Say where an object is on a frame, and see what the network makes of it.

        Parameters
        ----------
        state
            What `start` returned.
        frame, object_id
            An unknown object begins to exist, at any time; ids are positive, since 0 is the background.
        clicks, box, mask
            Clicks and a box, or a mask (H, W) alone.
        replace
            Whether these prompts take the place of the object's earlier ones on this frame, or join them.

        Returns
        -------
        FrameResult
            All objects on this frame.

        Raises
        ------
        PromptError
            If there is no such frame, or the prompt is empty or outside the image; nothing is changed then.
        """
        state.check_frame(frame)
        if not isinstance(object_id, int | np.integer) or object_id < 1:
            raise PromptError(
                f"Object ids are whole numbers from 1 on, got {object_id!r}; 0 is the background."
            )
        if mask is not None and not isinstance(mask, MaskPrompt):
            mask = MaskPrompt(np.asarray(mask) > 0)
        given = PromptSet(tuple(clicks), box, mask)
        pixels.check_prompt(given, state.shape)
        object_id = int(object_id)
        track = state.objects.get(object_id) or ObjectTrack()
        earlier = track.prompts.get(frame)
        prompted = self._anchors(track, frame)
        before = track.record_at(frame, prompted)
        if earlier is not None and replace:
            if self.policy.forget_cleared and frame in track.bank.prompted:
                track.bank.outdate(frame, self._reach)
            if not self.policy.keep_replaced_mask:
                # Nobody wants to start from what replaced prompts gave; what tracking gave may do.
                before = None if frame in track.bank.outdated else track.bank.tracked.get(frame)
        elif earlier is not None:
            given = _merged(earlier, given)
        prediction = self._frame_step.interact(state, track, frame, given, before)
        state.objects.setdefault(object_id, track)
        state.put(track.fresh(prompted), frame, state.records.put_prediction(prediction))
        track.prompts[frame] = given
        result = self.result(state, frame, prompted)
        _note(track, object_id, result)
        return result

    def propagate(
        self,
        state: TrackState,
        start: FrameIndex | None = None,
        length: int | None = None,
        direction: Direction | str = Direction.FORWARD,
    ) -> Iterator[FrameResult]:
        """Follow all objects, frame by frame.

        Parameters
        ----------
        state
            With at least one prompted object.
        start
            First frame to yield; by default the first frame that any object is prompted on. Going backward
            without a start, each object begins at its own first prompt.
        length
            How many frames to yield at most.
        direction
            ``"forward"`` or ``"backward"``.

        Returns
        -------
        iterator of FrameResult
            One a frame. Closing it stops after the current frame and keeps what is done.

        Raises
        ------
        PromptError
            If there is no object, an object has no prompt, or there is no such frame.
        """
        if direction not in (*Direction, *(known.value for known in Direction)):
            raise PromptError(f'The direction is "forward" or "backward", got {direction!r}.')
        direction = Direction(direction)
        if length is not None and length < 0:
            raise PromptError(f"The length counts frames from 0 on, got {length}.")
        if not state.objects:
            raise PromptError("There is no object yet: prompt at least one before propagating.")
        if start is not None:
            state.check_frame(start)
        self._commit(state)
        own = start is None and self.policy.anchor_each_object
        if start is None:
            anchors = [anchor for track in state.objects.values() if (anchor := track.anchor) is not None]
            start = max(anchors) if own and direction is Direction.BACKWARD else min(anchors)
        stop = state.length if direction is Direction.FORWARD else -1
        return self._route(state, range(start, stop, direction.step)[:length], direction, own)

    @torch.inference_mode()
    def clear(self, state: TrackState, frame: FrameIndex, object_id: ObjectId) -> FrameResult:
        """Take back an object's prompts on a frame, and what they led to there."""
        state.check_frame(frame)
        track = state.track(object_id)
        track.prompts.pop(frame, None)
        state.drop(track.fresh_prompted, frame)
        state.drop(track.fresh_tracked, frame)
        record = track.bank.prompted.pop(frame, None)
        if record is not None:
            track.passed.pop(frame, None)
            if self.policy.forget_cleared:
                state.records.drop_record(record)
                track.bank.outdate(frame, self._reach)
            else:
                state.put(track.bank.tracked, frame, record)
        result = self.result(state, frame, self._anchors(track, frame))
        track.masklet.clear(frame)
        if track.bank.at(frame) is not None:
            _note(track, object_id, result)
        return result

    def remove(self, state: TrackState, object_id: ObjectId) -> list[FrameResult]:
        """Forget an object and all that is known of it; the others stay as they are.

        Returns
        -------
        list of FrameResult
            The others on the frames that it was prompted on: without overlap they may have gained there.
        """
        track = state.track(object_id)
        del state.objects[object_id]
        for table in (track.bank.prompted, track.bank.tracked, track.fresh_prompted, track.fresh_tracked):
            for record in table.values():
                state.records.drop_record(record)
        return [self.result(state, frame) for frame in sorted(track.prompts)] if state.objects else []

    def reset(self, state: TrackState) -> None:
        """Forget all objects; the video and its encoded frames stay."""
        state.objects.clear()
        state.records.close()

    def _anchors(self, track: ObjectTrack, frame: FrameIndex) -> bool:
        """Whether a prompt on this frame becomes one that the object is followed from."""
        return frame not in track.passed or self.policy.add_all_frames_to_correct_as_cond

    @torch.inference_mode()
    def _commit(self, state: TrackState) -> None:
        """Give memories to the results of prompts and let them count (video spec 6)."""
        tracks = state.objects.values()
        # Frame by frame, so that objects prompted on the same frames never have one encoded twice.
        for frame in sorted({at for track in tracks for at in (*track.fresh_tracked, *track.fresh_prompted)}):
            for fresh in (fresh for track in tracks for fresh in (track.fresh_tracked, track.fresh_prompted)):
                if frame in fresh and fresh[frame].features is None:
                    fresh[frame] = self._frame_step.memorize(state, frame, fresh[frame])
        for track in tracks:
            for prompted, table in ((False, track.bank.tracked), (True, track.bank.prompted)):
                fresh = track.fresh(prompted)
                for frame in list(fresh):
                    state.put(table, frame, fresh.pop(frame))
                    if self.policy.clear_non_cond_mem_around_input:
                        for near in range(frame - self._reach, frame + self._reach + 1):
                            state.drop(track.bank.tracked, near)
        lost = [str(i) for i, track in state.objects.items() if not track.bank.prompted]
        if lost:
            raise PromptError(
                f"Object {', '.join(lost)} has no prompt: give it a click, a box or a mask, or remove it."
            )
        for track in tracks:
            for frame in track.bank.prompted:
                state.drop(track.bank.tracked, frame)

    @property
    def _reach(self) -> int:
        """How many frames a memory is recalled for."""
        return self.model.config.num_maskmem * self.policy.memory_temporal_stride_for_eval

    def _route(
        self, state: TrackState, route: range, direction: Direction, own: bool
    ) -> Iterator[FrameResult]:
        for frame in route:
            yield self._visit(state, frame, direction, own)

    @torch.inference_mode()
    def _visit(self, state: TrackState, frame: FrameIndex, direction: Direction, own: bool) -> FrameResult:
        """Find all objects on a frame, those of one memory layout together."""
        groups: dict[Any, list[tuple[ObjectTrack, MemorySelection]]] = {}
        seen = []
        for object_id, track in state.objects.items():
            if self._waits(track, frame, direction, own):
                continue
            seen.append((object_id, track))
            if self._ended(track, frame, direction):
                state.drop(track.bank.tracked, frame)
            elif frame not in track.bank.prompted:
                selection = self._frame_step.select(state, track, frame, direction)
                groups.setdefault(selection.layout, []).append((track, selection))
        for members in groups.values():
            for first in range(0, len(members), self.policy.objects_at_once):
                tracks, selections = zip(*members[first : first + self.policy.objects_at_once], strict=True)
                self._frame_step.follow(state, frame, tracks, selections)
        result = self.result(state, frame)
        for object_id, track in seen:
            track.passed[frame] = direction
            _note(track, object_id, result)
        self._heap.frame_done()
        return result

    def _waits(self, track: ObjectTrack, frame: FrameIndex, direction: Direction, own: bool) -> bool:
        """Whether the object is not to be followed here: no prompt of its own lies behind this frame."""
        if not self.policy.anchor_each_object:
            return False
        if own and direction is Direction.BACKWARD:
            return track.anchor is not None and frame > track.anchor
        return not track.reaches(frame, direction)

    def _ended(self, track: ObjectTrack, frame: FrameIndex, direction: Direction) -> bool:
        """Whether the object was missed on so many frames in a row that it is not looked for any more."""
        reach = self.policy.contiguous_within
        if not reach or frame in track.bank.prompted:
            return False
        behind = [frame - k * direction.step for k in range(1, reach + 1)]
        missed = [at in track.passed and at not in track.bank.prompted for at in behind]
        found = [at in track.masklet.masks and track.masklet.masks[at].area for at in behind]
        return all(missed) and not any(found)

    @torch.inference_mode()
    def result(self, state: TrackState, frame: FrameIndex, prompted: bool | None = None) -> FrameResult:
        """Return what is known of a frame; objects without a result there are absent (video spec 3.3).

        `prompted` says which results of prompts since the last propagation count: those that will anchor
        their object, the others, or none.
        """
        ids = tuple(state.objects)
        logits = torch.full((len(ids), *state.shape), NO_OBJECT, device=self.model.device)
        scores = torch.zeros(len(ids))
        for row, track in enumerate(state.objects.values()):
            key = track.bank.at(frame) if prompted is None else track.record_at(frame, prompted)
            if key is None:
                continue
            found = state.records.prediction(key, self.model.device)
            logits[row] = pixels.to_image_size(found.logits, state.shape)[0, 0]
            scores[row] = float(found.iou[0, 0] * found.object_score[0, 0].sigmoid())
        if self.policy.non_overlap_masks:
            logits = separate(logits)
        return FrameResult(frame, ids, logits, scores)


def _note(track: ObjectTrack, object_id: ObjectId, result: FrameResult) -> None:
    """Keep an object's mask of a frame."""
    row = result.object_ids.index(object_id)
    track.masklet.set(result.frame, (result.logits[row] > 0).cpu().numpy(), float(result.scores[row]))


def _merged(old: PromptSet, new: PromptSet) -> PromptSet:
    """New prompts added to old ones; clicks and masks do not mix, the newer kind stays."""
    if new.mask is not None or old.mask is not None:
        return new
    return PromptSet((*old.clicks, *new.clicks), new.box or old.box)
