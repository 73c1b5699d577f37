"""The recipe of the embedded model."""

from __future__ import annotations

from napari_sam2.training.clips import ClipMix
from napari_sam2.training.config import TrainConfig

# Small crops first and balanced losses, since the focal weight of the paper hardly moves a small network from
# scratch; then larger clips, sequences, and the paper's losses. Beyond a rate of 6e-4 it falls back to one
# mask for every click.
STAGES = (
    TrainConfig(size=128, frames=1, batch=8, steps=2000, rate=6e-4, boxes=1 / 3),
    TrainConfig(size=256, frames=1, batch=6, steps=1200, rate=5e-4, boxes=1 / 3, dense=0.5),
    TrainConfig(size=256, frames=8, batch=2, steps=1200, rate=4e-4, dense=0.25, focal=5.0),
    TrainConfig(size=512, frames=1, batch=2, steps=1200, rate=4e-4, boxes=1 / 3, dense=0.25, focal=5.0),
    TrainConfig(
        size=512,
        frames=8,
        batch=1,
        objects=6,
        steps=600,
        rate=2.5e-4,
        warmup=40,
        dense=0.1,
        balanced=0.25,
        focal=20.0,
    ),
)

STILLS = ClipMix(0.65, 0.1, 0.05, 0.05, 0.15)
SEQUENCES = ClipMix(0.4, 0.25, 0.05, 0.1, 0.2)
