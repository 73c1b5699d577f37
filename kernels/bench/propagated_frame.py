"""One propagated frame, ours beside `transformers`': the same weights, the same full memory, taking turns.

A frame in the middle of a video costs an image encoding and, for each object, memory attention over 7 maps
and 16 pointers (28,736 keys at 1024 px), mask decoding and memory encoding. Both get the same random weights
under their own names, and the same random memories; their mask logits have to agree before
anything is timed (`bench.speed`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Sam2VideoInferenceSession, Sam2VideoModel

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.track_state import ObjectTrack, TrackState
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.model.config import ModelConfig
from napari_sam2.model.positions import sine_map
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import MaskPrediction

FRAME = 16
"""The frame that is timed: all before it are remembered, the first of them as a prompted one."""

TOLERANCE = 1e-3
"""Largest difference of mask logits, as a share of their standard deviation."""

# `transformers` fills no holes; this is the only thing that the default policy does differently.
POLICY = TrackingPolicy(fill_hole_area=0)


@dataclass(frozen=True, slots=True)
class Bank:
    """What the objects remember: maps (objects, frames, m, h, w) and pointers (objects, frames, c)."""

    maps: Tensor
    pointers: Tensor

    @classmethod
    def random(cls, config: ModelConfig, objects: int, seed: int) -> Bank:
        """Fill a bank with noise, different in every slot, so that no two of them can be mistaken."""
        torch.manual_seed(seed)
        maps = torch.randn(objects, FRAME, config.memory_width, config.grid, config.grid)
        return cls(maps.bfloat16(), torch.randn(objects, FRAME, config.width))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What both have to agree on: mask logits (objects, h, w) and new memories (objects, m, h, w)."""

    logits: Tensor
    memories: Tensor


def random_model(config: ModelConfig, seed: int) -> SAM2:
    """Return a network whose every parameter is random and matters, and whose objects are always in view."""
    torch.manual_seed(seed)
    model = SAM2(config).eval()
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape)
        if parameter.ndim > 1:
            parameter.data = noise / max(1, parameter[0].numel()) ** 0.5
        else:
            parameter.data = 0.1 * noise + float("norm" in name and name.endswith("weight"))
        if name == "mask_decoder.pred_obj_score_head.layers.2.bias":
            parameter.data.fill_(20.0)
    return model


class Ours:
    """The tracker, on a state whose bank is full."""

    def __init__(self, model: SAM2, image: np.ndarray[Any, Any]) -> None:
        self.tracker = VideoTracker(model, POLICY)
        self.frames = np.broadcast_to(image, (FRAME + 1, *image.shape))

    def state(self, bank: Bank) -> TrackState:
        """Return a state that remembers `bank`."""
        state = self.tracker.start(self.frames, IntensityMap.identity())
        side = self.tracker.model.config.mask_size
        mask, score = torch.zeros(1, 1, side, side), torch.ones(1, 1)
        for number, (maps, pointers) in enumerate(zip(bank.maps, bank.pointers, strict=True), start=1):
            track = ObjectTrack()
            for frame in range(FRAME):
                seen = MaskPrediction(mask, score, score, pointers[None, None, frame])
                table = track.bank.tracked if frame else track.bank.prompted
                features = state.records.put(maps[None, frame])
                table[frame] = replace(state.records.put_prediction(seen), features=features)
            state.objects[number] = track
        return state

    def run(self, state: TrackState) -> TrackState:
        """Propagate one frame."""
        (_,) = self.tracker.propagate(state, start=FRAME, length=1)
        return state

    @staticmethod
    def outcome(state: TrackState) -> Outcome:
        """Read what `run` left."""
        logits, memories, cpu = [], [], torch.device("cpu")
        for track in state.objects.values():
            key = track.bank.tracked[FRAME]
            assert key.features is not None
            logits.append(state.records.prediction(key, cpu).logits[0, 0])
            memories.append(state.records.get(key.features)[0][0])
        return Outcome(torch.stack(logits), torch.stack(memories))


class Theirs:
    """`transformers`, on an inference session whose bank is full."""

    def __init__(self, model: Sam2VideoModel, pixels: Tensor, config: ModelConfig) -> None:
        self.model, self.side, self.grid = model, config.image_size, config.grid
        self.frames = pixels.expand(FRAME + 1, -1, -1, -1)
        place = sine_map(config.memory_width, self.grid, self.grid, pixels.device)
        self.place = place.flatten(1).T[:, None]

    def state(self, bank: Bank) -> Sam2VideoInferenceSession:
        """Return a session that remembers `bank`."""
        session = Sam2VideoInferenceSession(self.frames, self.side, self.side, dtype=torch.float32)
        for number, (maps, pointers) in enumerate(zip(bank.maps, bank.pointers, strict=True), start=1):
            index = session.obj_id_to_idx(number)
            for frame in range(FRAME):
                remembered = {
                    "maskmem_features": maps[frame].flatten(1).T[:, None],
                    "maskmem_pos_enc": self.place,
                    "object_pointer": pointers[None, None, frame],
                }
                session.store_output(index, frame, output_value=remembered, is_conditioning_frame=frame == 0)
        return session

    def run(self, session: Sam2VideoInferenceSession) -> Sam2VideoInferenceSession:
        """Propagate one frame."""
        self.model(session, frame_idx=FRAME)
        return session

    def outcome(self, session: Sam2VideoInferenceSession) -> Outcome:
        """Read what `run` left."""
        outputs = [tables["non_cond_frame_outputs"][FRAME] for tables in session.output_dict_per_obj.values()]
        memories = [output["maskmem_features"][:, 0].T.unflatten(1, (self.grid, -1)) for output in outputs]
        return Outcome(torch.stack([output["pred_masks"][0, 0] for output in outputs]), torch.stack(memories))


def check(ours: Outcome, theirs: Outcome) -> str:
    """Return a line on how well both agree; raise if they do not compute the same."""
    spread = float(ours.logits.std())
    off = float((ours.logits - theirs.logits).abs().max())
    remembered = (ours.memories.float() - theirs.memories.float()).abs().max() / ours.memories.float().std()
    if spread < 0.1 or off > TOLERANCE * spread:
        raise SystemExit(f"The mask logits differ by {off:.2g} at a standard deviation of {spread:.2g}.")
    line = f"largest difference of mask logits {off:.1e} (their standard deviation is {spread:.2g})"
    if len(ours.logits) > 1:
        line += f", of two objects' logits {float((ours.logits[0] - ours.logits[1]).abs().max()):.2g}"
    return f"{line}; of new memories {float(remembered):.1e} of their standard deviation (stored as bfloat16)"
