"""Train the embedded model: ``python -m napari_sam2.training.nano DATA --out FOLDER``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from napari_sam2.io.checkpoints import save_model
from napari_sam2.model.config import NANO
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.clips import ClipLoader, ClipMix
from napari_sam2.training.config import TrainConfig
from napari_sam2.training.loop import train_stage

# Small crops first and balanced losses, since the focal weight of the paper hardly moves a small network from
# scratch; then larger clips, sequences, and the paper's losses.
STAGES = (
    TrainConfig(size=128, frames=1, batch=8, minutes=14, rate=6e-4),
    TrainConfig(size=256, frames=1, batch=6, minutes=18, rate=5e-4, dense=0.5),
    TrainConfig(size=256, frames=4, batch=2, minutes=18, rate=4e-4, dense=0.25, focal=5.0),
    TrainConfig(size=512, frames=1, batch=2, minutes=27, rate=4e-4, dense=0.25, focal=5.0),
    TrainConfig(
        size=512,
        frames=4,
        batch=1,
        objects=6,
        minutes=25,
        rate=2.5e-4,
        warmup=40,
        dense=0.1,
        balanced=0.25,
        focal=20.0,
    ),
)

STILLS = ClipMix(0.65, 0.1, 0.05, 0.05, 0.15)
SEQUENCES = ClipMix(0.4, 0.25, 0.05, 0.1, 0.2)


def train(
    data: Annotated[Path, typer.Argument(help="Folder with an index.json of annotated images.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, metrics and the finished weights.")],
    scale: Annotated[float, typer.Option(help="Multiplies every stage's minutes.")] = 1.0,
    first: Annotated[
        int,
        typer.Option(min=0, max=len(STAGES), help="Stage to begin with; it continues from the one before."),
    ] = 0,
    device: str = "cpu",
    workers: int = 1,
) -> None:
    """Train all stages in turn; each leaves `stageN/last.pt`, the last one `nano.safetensors`."""
    weights = None
    if first:
        last = out / f"stage{first - 1}" / "last.pt"
        weights = torch.load(last, map_location="cpu", weights_only=True)["model"]
    stages = [replace(stage, minutes=stage.minutes * scale) for stage in STAGES]
    for index, config in enumerate(stages[first:], start=first):
        clips = ClipLoader(
            config.batch,
            workers,
            seed=config.seed + index,
            folder=data,
            size=config.size,
            frames=config.frames,
            max_objects=config.objects,
            cache=out / "clips",
            mix=STILLS if config.frames == 1 else SEQUENCES,
        )
        weights = train_stage(weights, NANO, config, clips, out / f"stage{index}", device)
    assert weights is not None  # there is a stage, or one before
    model = SAM2(NANO)
    model.load_official(weights)
    notes = {"training": repr(stages)}
    save_model(model, out / "nano.safetensors", overwrite=True, half=True, metadata=notes)


if __name__ == "__main__":
    typer.run(train)
