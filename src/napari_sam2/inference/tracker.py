"""Prompt objects in a video and follow them through it (video spec 2 to 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_sam2.errors import ImageError, PromptError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference import pixels
from napari_sam2.inference.embeddings import EmbeddingCache, FrameSource, read_frame
from napari_sam2.inference.frame_result import FrameResult
from napari_sam2.inference.memory_bank import MemorySelection
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.postprocess import fill_holes, separate
from napari_sam2.inference.records import RecordKey, RecordStore
from napari_sam2.inference.track_state import ObjectTrack, TrackState
from napari_sam2.model.prompt_encoder import PADDING
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import NO_OBJECT, ImageEmbedding, MaskPrediction, MemorySlots
from napari_sam2.prompts import Box, Click, Direction, FrameIndex, MaskPrompt, ObjectId, PromptSet


class VideoTracker:
    """Follows objects through a sequence of frames: time, or the slices of a stack.

    Parameters
    ----------
    model
        The network; it is not changed.
    policy
        Thresholds and switches.
    """

    def __init__(self, model: SAM2, policy: TrackingPolicy | None = None) -> None:
        self.model = model
        self.policy = policy or TrackingPolicy()

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
        embedding = self._embedding(state, frame)
        object_id = int(object_id)
        track = state.objects.setdefault(object_id, ObjectTrack())
        if not replace and frame in track.prompts:
            given = _merged(track.prompts[frame], given)
        prediction = self._interact(state, track, frame, embedding, given, added=not replace)
        prompted = self._anchors(track, frame)
        state.put(track.fresh(prompted), frame, self._keep(state, prediction, None))
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

        Yields
        ------
        FrameResult
            One a frame. Closing the generator stops after the current frame and keeps what is done.

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
        own_anchor = start is None and self.policy.anchor_each_object
        if start is None:
            anchors = [anchor for track in state.objects.values() if (anchor := track.anchor) is not None]
            start = max(anchors) if own_anchor and direction is Direction.BACKWARD else min(anchors)
        stop = state.length if direction is Direction.FORWARD else -1
        route = range(start, stop, direction.step)[:length]
        for frame in route:
            yield self._step(state, frame, direction, own_anchor)

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

    def _embedding(self, state: TrackState, frame: FrameIndex) -> ImageEmbedding:
        embedding = state.embeddings.get(frame)
        if embedding is None:
            image = read_frame(state.frames, frame)
            if image.shape[:2] != state.shape:
                raise ImageError(f"Frame {frame} has the shape {image.shape}, the first ones {state.shape}.")
            size = self.model.config.image_size
            try:
                rgb = state.intensity(image)
            except ImageError as error:
                raise ImageError(f"Frame {frame} cannot be segmented. {error}") from error
            x = pixels.to_model_pixels(rgb, size, self.model.device)
            embedding = self.model.encode(x)
            state.embeddings.put(frame, embedding)
        return embedding

    def _anchors(self, track: ObjectTrack, frame: FrameIndex) -> bool:
        """Whether a prompt on this frame becomes one that the object is followed from."""
        return frame not in track.passed or self.policy.add_all_frames_to_correct_as_cond

    def _interact(
        self,
        state: TrackState,
        track: ObjectTrack,
        frame: FrameIndex,
        embedding: ImageEmbedding,
        prompt: PromptSet,
        added: bool,
    ) -> MaskPrediction:
        """One object, one prompted frame (video spec 3.1 and 5)."""
        model, policy = self.model, self.policy
        size = model.config.image_size
        if prompt.mask is not None:
            mask = pixels.to_model_mask(prompt.mask.mask, size).to(model.device)
            prediction = model.adopt(embedding, mask)
            return replace(prediction, logits=fill_holes(prediction.logits, policy.fill_hole_area))
        initial = frame not in track.passed
        features = model.recall(embedding, None)
        if not initial:
            direction = track.passed[frame]
            reach, length = model.config.num_maskmem, state.length
            selection = track.bank.select(frame, direction, policy, reach, length)
            if selection.maps:
                features = model.recall(embedding, self._slots(state, [track], [selection]))
        before = track.record_at(frame, self._anchors(track, frame))
        # What a replaced prompt gave is not what the user wants to start from; what tracking gave may be.
        if before is not None and not (policy.keep_replaced_mask or added or frame not in track.prompts):
            before = None
        logits = None if before is None else state.records.prediction(before).logits.clamp(-32.0, 32.0)
        points, labels = pixels.to_model_points(prompt, state.shape, size)
        tokens = model.prompt(
            points.to(model.device),
            labels.to(model.device),
            None if logits is None else logits.to(model.device),
        )
        multimask = policy.multimask(points.shape[1], initial)
        decoded = model.decode(features, embedding, tokens, multimask, policy.mask.fallback)
        prediction = decoded.best().gated()
        return replace(prediction, logits=fill_holes(prediction.logits, policy.fill_hole_area))

    @torch.inference_mode()
    def _commit(self, state: TrackState) -> None:
        """Give memories to the results of prompts and let them count (video spec 6)."""
        reach = self.model.config.num_maskmem * self.policy.memory_temporal_stride_for_eval
        binarize = self.policy.binarize_mask_from_pts_for_mem_enc
        tracks = state.objects.values()
        # Frame by frame, so that objects prompted on the same frames never have one encoded twice.
        for frame in sorted({at for track in tracks for at in (*track.fresh_tracked, *track.fresh_prompted)}):
            for fresh in (fresh for track in tracks for fresh in (track.fresh_tracked, track.fresh_prompted)):
                if frame in fresh and fresh[frame].features is None:
                    prediction = self._at_work(state.records.prediction(fresh[frame]))
                    memory = self.model.memorize(self._embedding(state, frame), prediction, binarize)
                    kept = self._keep_features(state, memory.features)
                    fresh[frame] = replace(fresh[frame], features=kept)
        for track in tracks:
            for prompted, table in ((False, track.bank.tracked), (True, track.bank.prompted)):
                fresh = track.fresh(prompted)
                for frame in list(fresh):
                    state.put(table, frame, fresh.pop(frame))
                    if self.policy.clear_non_cond_mem_around_input:
                        for near in range(frame - reach, frame + reach + 1):
                            state.drop(track.bank.tracked, near)
        lost = [str(i) for i, track in state.objects.items() if not track.bank.prompted]
        if lost:
            raise PromptError(
                f"Object {', '.join(lost)} has no prompt: give it a click, a box or a mask, or remove it."
            )
        for track in state.objects.values():
            for frame in track.bank.prompted:
                state.drop(track.bank.tracked, frame)

    @torch.inference_mode()
    def _step(
        self, state: TrackState, frame: FrameIndex, direction: Direction, own_anchor: bool
    ) -> FrameResult:
        groups: dict[Any, list[tuple[ObjectTrack, MemorySelection]]] = {}
        seen = []
        for object_id, track in state.objects.items():
            if self._waits(track, frame, direction, own_anchor):
                continue
            seen.append((object_id, track))
            if frame not in track.bank.prompted:
                reach, length = self.model.config.num_maskmem, state.length
                selection = track.bank.select(frame, direction, self.policy, reach, length)
                groups.setdefault(selection.layout, []).append((track, selection))
        if groups:
            embedding = self._embedding(state, frame)
            for members in groups.values():
                most = self.policy.objects_at_once
                for first in range(0, len(members), most):
                    self._follow(state, frame, embedding, members[first : first + most])
        result = self.result(state, frame)
        for object_id, track in seen:
            track.passed[frame] = direction
            _note(track, object_id, result)
        return result

    def _waits(self, track: ObjectTrack, frame: FrameIndex, direction: Direction, own_anchor: bool) -> bool:
        """Whether the object is not to be followed here: no prompt of its own lies behind this frame."""
        if not self.policy.anchor_each_object:
            return False
        if own_anchor and direction is Direction.BACKWARD:
            return track.anchor is not None and frame > track.anchor
        return not track.reaches(frame, direction)

    def _follow(
        self,
        state: TrackState,
        frame: FrameIndex,
        embedding: ImageEmbedding,
        members: list[tuple[ObjectTrack, MemorySelection]],
    ) -> None:
        """Find objects of one memory layout on a frame, together (video spec 5)."""
        model, policy = self.model, self.policy
        tracks = [track for track, _ in members]
        selections = [selection for _, selection in members]
        features = model.recall(embedding, self._slots(state, tracks, selections))
        count = len(members)
        nothing = torch.full((count, 1), PADDING, device=model.device)
        tokens = model.prompt(torch.zeros(count, 1, 2, device=model.device), nothing, None)
        multimask = policy.multimask(0, initial=False)
        decoded = model.decode(features, embedding, tokens, multimask, policy.mask.fallback)
        prediction = decoded.best().gated()
        memory = model.memorize(embedding, prediction, binarize=False)
        filled = replace(prediction, logits=fill_holes(prediction.logits, policy.fill_hole_area))
        for row, track in enumerate(tracks):
            one = _row(filled, row)
            state.put(track.bank.tracked, frame, self._keep(state, one, memory.features[row : row + 1]))

    def _slots(
        self, state: TrackState, tracks: Sequence[ObjectTrack], selections: Sequence[MemorySelection]
    ) -> MemorySlots:
        """Collect the selected memories of objects that share a layout."""
        # What comes back from disk is on the CPU, whatever the network computes on.
        device = self.model.device
        ages, steps = selections[0].layout
        features, pointers = [], []
        for track, selection in zip(tracks, selections, strict=True):
            tables = {True: track.bank.prompted, False: track.bank.tracked}
            maps = []
            for slot in selection.maps:
                key = tables[slot.prompted][slot.frame].features
                assert key is not None
                maps.append(state.records.get(key)[0].to(device))
            features.append(torch.stack(maps, dim=1))
            keys = [tables[p.prompted][p.frame].pointer for p in selection.pointers]
            rows = [state.records.get(key)[0].to(device) for key in keys]
            width = self.model.config.width
            pointers.append(torch.cat(rows, dim=1) if rows else torch.zeros(1, 0, width, device=device))
        return MemorySlots(torch.cat(features), ages, torch.cat(pointers), steps)

    def _keep(self, state: TrackState, prediction: MaskPrediction, features: Tensor | None) -> RecordKey:
        record = state.records.put_prediction(prediction, None)
        return record if features is None else replace(record, features=self._keep_features(state, features))

    def _keep_features(self, state: TrackState, features: Tensor) -> int:
        return state.records.put(features.to(getattr(torch, self.policy.memory_dtype)))

    def _at_work(self, prediction: MaskPrediction) -> MaskPrediction:
        device = self.model.device
        return MaskPrediction(
            prediction.logits.to(device),
            prediction.iou.to(device),
            prediction.object_score.to(device),
            prediction.pointer.to(device),
        )

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
            found = state.records.prediction(key)
            logits[row] = pixels.to_image_size(found.logits.to(logits.device), state.shape)[0, 0]
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


def _row(prediction: MaskPrediction, row: int) -> MaskPrediction:
    one = slice(row, row + 1)
    return MaskPrediction(
        prediction.logits[one], prediction.iou[one], prediction.object_score[one], prediction.pointer[one]
    )
