"""One frame of a video through the network: encode, interact or follow, remember (video spec 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

import torch
from torch import Tensor

from napari_sam2.errors import ImageError
from napari_sam2.inference import pixels
from napari_sam2.inference.embeddings import read_frame
from napari_sam2.inference.memory_bank import MemorySelection
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.postprocess import drop_strays, fill_holes
from napari_sam2.inference.records import RecordKey
from napari_sam2.inference.track_state import ObjectTrack, TrackState
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import ImageEmbedding, MaskPrediction, MemorySlots
from napari_sam2.prompts import Direction, FrameIndex, PromptSet

# The object score of what was in view and has faded: as sure as a network is of what it does not see.
NO_SCORE = -5.0


class FrameStep:
    """What the network is asked for on one frame; which frames and objects those are is not decided here.

    Parameters
    ----------
    model
        The network; it is not changed.
    policy
        Thresholds and switches.
    """

    def __init__(self, model: SAM2, policy: TrackingPolicy) -> None:
        self.model = model
        self.policy = policy

    def embedding(self, state: TrackState, frame: FrameIndex) -> ImageEmbedding:
        """Return a frame's embedding; the frame is read and encoded if it is not at hand.

        Raises
        ------
        ImageError
            If the frame has another shape than the first one, or pixels that are no numbers.
        """
        embedding = state.embeddings.get(frame)
        if embedding is None:
            image = read_frame(state.frames, frame)
            if image.shape[:2] != state.shape:
                raise ImageError(f"Frame {frame} has the shape {image.shape}, the first ones {state.shape}.")

            def encode() -> ImageEmbedding:
                try:
                    rgb = state.intensity(image)
                except ImageError as error:
                    raise ImageError(f"Frame {frame} cannot be segmented. {error}") from error
                size = self.model.config.image_size
                return self.model.encode(pixels.to_model_pixels(rgb, size, self.model.device))

            shelf = state.embeddings.shelf
            embedding = encode() if shelf is None else shelf.embedding(image, encode).to(self.model.device)
            state.embeddings.put(frame, embedding)
        return embedding

    def select(
        self, state: TrackState, track: ObjectTrack, frame: FrameIndex, direction: Direction
    ) -> MemorySelection:
        """Decide what one object may look at on a frame."""
        reach = self.model.config.num_maskmem
        return track.bank.select(frame, direction, self.policy, reach, state.length)

    def interact(
        self,
        state: TrackState,
        track: ObjectTrack,
        frame: FrameIndex,
        prompt: PromptSet,
        before: RecordKey | None,
    ) -> MaskPrediction:
        """Find one object from its prompts on a frame (video spec 3.1).

        `before` is an earlier result to start from.
        """
        model = self.model
        embedding = self.embedding(state, frame)
        size = model.config.image_size
        if prompt.mask is not None:
            mask = pixels.to_model_mask(prompt.mask.mask, size).to(model.device)
            return self._filled(model.adopt(embedding, mask))
        initial = frame not in track.passed
        selection = MemorySelection((), ())
        features = model.recall(embedding, None)
        if not initial:
            selection = self.select(state, track, frame, track.passed[frame])
            if selection.maps:
                features = model.recall(embedding, self._slots(state, [track], [selection]))
        points, labels = (x.to(model.device) for x in pixels.to_model_points(prompt, state.shape, size))
        logits = None
        if before is not None:
            logits = state.records.prediction(before, model.device).logits.clamp(-32.0, 32.0)
        multimask = self.policy.multimask(points.shape[1], initial)
        tokens = model.prompt(points, labels, logits)
        decoded = model.decode(features, embedding, tokens, multimask, self.policy.mask.fallback)
        found = decoded.best().gated()
        if self.policy.drop_strays and any(click.positive for click in prompt.clicks):
            clicked = pixels.clicked_cells(prompt.clicks, state.shape, found.logits.shape[-2:])
            if selection.maps:
                clicked |= self._before(state, track, selection, frame)
            found = replace(found, logits=drop_strays(found.logits, clicked[None]))
        return self._filled(found)

    def follow(
        self,
        state: TrackState,
        frame: FrameIndex,
        tracks: Sequence[ObjectTrack],
        selections: Sequence[MemorySelection],
    ) -> None:
        """Find and remember objects that share a memory layout on a frame, together, without prompts."""
        model = self.model
        embedding = self.embedding(state, frame)
        features = model.recall(embedding, self._slots(state, tracks, selections))
        tokens = model.unprompted(len(tracks))
        multimask = self.policy.multimask(0, initial=False)
        decoded = model.decode(features, embedding, tokens, multimask, self.policy.mask.fallback)
        found = decoded.best()
        if self.policy.fades_below:
            found = self._faded(state, tracks, selections, found)
        found = found.gated()
        if self.policy.drop_strays:
            before = [
                self._before(state, track, selection, frame)
                for track, selection in zip(tracks, selections, strict=True)
            ]
            alone = self.policy.contiguous_within == 0
            found = replace(found, logits=drop_strays(found.logits, torch.stack(before), alone))
        memory = model.memorize(embedding, found, binarize=False)
        found = self._filled(found)
        for row, track in enumerate(tracks):
            record = state.records.put_prediction(_row(found, row))
            kept = self._keep(state, memory.features[row : row + 1])
            state.put(track.bank.tracked, frame, replace(record, features=kept))
            track.bank.outdated.discard(frame)

    def memorize(self, state: TrackState, frame: FrameIndex, record: RecordKey) -> RecordKey:
        """Give a prompted result its memory."""
        prediction = state.records.prediction(record, self.model.device)
        binarize = self.policy.binarize_mask_from_pts_for_mem_enc
        memory = self.model.memorize(self.embedding(state, frame), prediction, binarize)
        return replace(record, features=self._keep(state, memory.features))

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

    def _before(
        self, state: TrackState, track: ObjectTrack, selection: MemorySelection, frame: FrameIndex
    ) -> Tensor:
        """The mask, (h, w) bool, on the nearest frame that is looked at, or on all that the policy counts."""
        tables = {True: track.bank.prompted, False: track.bank.tracked}
        slots = sorted(selection.maps, key=lambda slot: abs(slot.frame - frame))
        near = [slot for slot in slots if abs(slot.frame - frame) <= self.policy.contiguous_within]
        keys = [tables[slot.prompted][slot.frame] for slot in near or slots[:1]]
        cpu = torch.device("cpu")
        return torch.stack([state.records.prediction(key, cpu).logits[0, 0] > 0 for key in keys]).any(0)

    def _faded(
        self,
        state: TrackState,
        tracks: Sequence[ObjectTrack],
        selections: Sequence[MemorySelection],
        found: MaskPrediction,
    ) -> MaskPrediction:
        """Say of objects whose score has fallen far below what it was that they are not in view."""
        score = found.object_score.clone()
        for row, (track, selection) in enumerate(zip(tracks, selections, strict=True)):
            # What lies behind the prompt was found going the other way.
            prompt = min((p.step for p in selection.pointers if p.prompted and p.step > 0), default=inf)
            own = [p.frame for p in selection.pointers if not p.prompted and p.step < prompt]
            scores = (state.records.get(track.bank.tracked[at].pointer)[1] for at in own)
            best = max(map(float, scores), default=0.0)
            if score[row] < self.policy.fades_below * best:
                score[row] = NO_SCORE
        return replace(found, object_score=score)

    def _keep(self, state: TrackState, features: Tensor) -> int:
        return state.records.put(features.to(getattr(torch, self.policy.memory_dtype)))

    def _filled(self, prediction: MaskPrediction) -> MaskPrediction:
        return replace(prediction, logits=fill_holes(prediction.logits, self.policy.fill_hole_area))


def _row(prediction: MaskPrediction, row: int) -> MaskPrediction:
    one = slice(row, row + 1)
    return MaskPrediction(
        prediction.logits[one], prediction.iou[one], prediction.object_score[one], prediction.pointer[one]
    )
