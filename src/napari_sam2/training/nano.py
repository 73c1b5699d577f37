"""The recipe of the embedded model."""

from __future__ import annotations

from dataclasses import replace

from napari_sam2.training.clips import ClipMix
from napari_sam2.training.config import TrainConfig

FINAL = TrainConfig(
    objects=6,
    warmup=40,
    balanced=0.25,
    focal=20.0,
    dense=0.1,
    mask_prompts=0.3,
    prompted_frames=1,
    corrected_frames=1,
    batch_norm=False,
)

# Small crops first and balanced losses, since the focal weight of the paper hardly moves a small network from
# scratch; then larger clips, sequences, and the paper's losses. Beyond a rate of 6e-4 it falls back to one
# mask for every click. Single images and sequences at the working size come last: attention that has learned
# on small maps is too diffuse on larger ones.
STAGES = (
    TrainConfig(size=128, frames=1, batch=8, steps=2000, rate=6e-4, boxes=1 / 3),
    TrainConfig(size=256, frames=1, batch=6, steps=1300, rate=5e-4, boxes=1 / 3, dense=0.5, focal=5.0),
    replace(FINAL, size=256, frames=8, batch=1, steps=3000, rate=3e-4),
    replace(FINAL, size=384, frames=1, batch=3, steps=1000, rate=3e-4, corrections=2),
    replace(FINAL, size=384, frames=8, batch=1, steps=600, rate=2.5e-4),
)

STILLS = ClipMix(0.5, 0.12, 0.06, 0.06, 0.26)
SEQUENCES = ClipMix(0.45, 0.11, 0.06, 0.1, 0.28)
