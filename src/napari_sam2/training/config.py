"""What one stage of training is: a frozen bundle of numbers that is written beside the weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One stage: clips of one size and length, a budget of minutes, a learning rate that rises and falls.

    Attributes
    ----------
    size
        Side of the square clips in pixels, a multiple of 64.
    frames
        Frames of a clip; one trains images alone.
    batch
        Clips a step.
    objects
        At most so many objects of a clip.
    minutes
        Wall-clock budget; the schedule runs over it, whatever the machine's speed.
    rate
        Peak learning rate of AdamW; `warmup` steps up to it, then a cosine down to a hundredth.
    balanced
        Weight of class-balanced cross-entropy (from scratch, a small network hardly moves under the focal
        loss).
    focal
        Weight of the focal loss (paper appendix D.2: 20).
    dense
        Weight of the auxiliary loss on foreground and boundary, from the finest features.
    corrections
        Correction clicks after the first prompt, drawn from the error region.
    """

    size: int = 128
    frames: int = 1
    batch: int = 8
    objects: int = 8
    minutes: float = 10.0
    rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.05
    clip: float = 1.0
    ema: float = 0.998
    balanced: float = 1.0
    focal: float = 0.0
    dense: float = 1.0
    corrections: int = 1
    seed: int = 0
