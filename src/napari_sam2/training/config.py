"""What one stage of training is: a frozen bundle of numbers that is written beside the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Parts = Literal["all", "decoder"]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One stage: clips of one size and length, a number of steps, a learning rate that rises and falls.

    The defaults of the prompts are those of the paper (appendix D.2).

    Attributes
    ----------
    size
        Side of the square clips in pixels, a multiple of 64.
    frames
        Frames of a clip; one trains images alone.
    batch
        Clips a step (and a process, with several GPUs).
    objects
        At most so many objects of a clip.
    steps
        Length of the stage; the schedule runs over it.
    rate
        Peak learning rate of AdamW; `warmup` steps up to it, then a cosine down to a hundredth.
    layer_decay
        Each trunk block learns by this factor slower than the one behind it.
    encoder_rate
        Learning rate of the image encoder, as a share of the others'.
    weight_decay
        Of everything with more than one dimension.
    clip
        Largest norm of all gradients.
    ema
        How much of the averaged weights is kept a step.
    balanced
        Weight of class-balanced cross-entropy (from scratch, a small network hardly moves under the focal
        loss).
    focal
        Weight of the focal loss (paper appendix D.2: 20).
    dense
        Weight of the auxiliary loss on foreground and boundary, from the finest features.
    mask_prompts
        Of clips longer than one frame, the share whose prompts are true masks.
    boxes
        Of the others, the share whose prompts are boxes; the rest are clicks.
    prompted_frames, corrected_frames
        At most so many frames of a clip are prompted, and so many corrected.
    corrections
        Clicks on every corrected frame, drawn from the error region.
    parts
        What learns: everything, or the mask decoder alone.
    batch_norm
        Whether the stem's norm follows each batch. The frames of one clip are too much alike for that.
    bfloat16
        Compute in bfloat16 where that is safe; weights and losses stay float32.
    seed
        Together with the number of a step it decides everything that is drawn.
    report
        Steps that one row of the metrics sums up.
    warm_start, warm_rate
        Steps and learning rate of what fresh weights learn before: where a click is.
    """

    size: int = 128
    frames: int = 1
    batch: int = 8
    objects: int = 8
    steps: int = 1000
    rate: float = 6e-4
    warmup: int = 100
    layer_decay: float = 1.0
    encoder_rate: float = 1.0
    weight_decay: float = 0.05
    clip: float = 1.0
    ema: float = 0.998
    balanced: float = 1.0
    focal: float = 0.0
    dense: float = 1.0
    mask_prompts: float = 0.5
    boxes: float = 0.5
    prompted_frames: int = 2
    corrected_frames: int = 2
    corrections: int = 1
    parts: Parts = "all"
    batch_norm: bool = True
    bfloat16: bool = True
    seed: int = 0
    report: int = 20
    warm_start: int = 220
    warm_rate: float = 2e-4
