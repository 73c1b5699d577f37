"""Networks trained from nothing, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_sam2.errors import Sam2Error
from napari_sam2.io.checkpoints import save_model
from napari_sam2.model.config import NANO, HieraConfig, ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.clips import ClipMix
from napari_sam2.training.config import TrainConfig
from napari_sam2.training.curve import draw_curve
from napari_sam2.training.loop import METRICS, Weights, train_stage
from napari_sam2.training.nano import SEQUENCES, STAGES, STILLS
from napari_sam2.training.recordings import Recording, phantom_recordings
from napari_sam2.training.run import Run
from napari_sam2.training.step_clips import StepClips

CURVE = "curve.png"


@dataclass(frozen=True, slots=True)
class Preset:
    """A network, its stages, and how often each kind of data is drawn."""

    network: ModelConfig
    stages: tuple[TrainConfig, ...]
    stills: ClipMix = STILLS
    sequences: ClipMix = SEQUENCES
    phantoms: int = 60


# As small as all parts of the network allow: shows in a minute that training works, on phantoms alone.
TINY = ModelConfig(
    trunk=HieraConfig(16, 1, (1, 1, 2, 1), (3,), (8, 4, 4, 4), (7, 7)),
    image_size=64,
    width=64,
    memory_width=16,
    memory_layers=1,
    memory_hidden=64,
    fuser_layers=1,
)
TINY_STILLS = TrainConfig(
    size=64,
    batch=8,
    objects=2,
    steps=150,
    rate=1e-3,
    warmup=20,
    ema=0.99,
    boxes=0.0,
    corrections=0,
    bfloat16=False,
    report=5,
    warm_start=200,
    warm_rate=5e-4,
)

PRESETS = {
    "nano": Preset(NANO, STAGES),
    "tiny": Preset(
        TINY,
        (TINY_STILLS, replace(TINY_STILLS, frames=3, batch=2, steps=30, rate=5e-4, corrections=1)),
        phantoms=6,
    ),
}


def train_preset(
    name: str,
    recordings: Sequence[Recording],
    out: Path,
    run: Run | None = None,
    scale: float = 1.0,
) -> Path:
    """Train all stages of a preset in turn, or what is left of them, and return the file of weights.

    Parameters
    ----------
    name
        One of `PRESETS`.
    recordings
        Data beside the phantoms that every preset adds; may be empty.
    out
        Gets ``stageN/last.pt``, ``stageN/metrics.csv``, ``curve.png``, and ``NAME.safetensors`` in the end.
    run
        Where and how.
    scale
        Multiplies the steps of every stage; below one, those of the warm start, too.

    Raises
    ------
    Sam2Error
        There is no such preset.
    StorageError
        The folder holds another training, or cannot be written to.
    """
    if name not in PRESETS:
        raise Sam2Error(f"There is no preset {name!r}, but {', '.join(PRESETS)}.")
    preset, run = PRESETS[name], run or Run()
    everything = [*recordings, *phantom_recordings(preset.phantoms)]
    stages = [
        replace(
            stage,
            steps=max(1, round(stage.steps * scale)),
            warm_start=max(1, round(stage.warm_start * min(scale, 1.0))),
            seed=run.seed + index,
        )
        for index, stage in enumerate(preset.stages)
    ]
    folders = [out / f"stage{index}" for index in range(len(stages))]
    weights: Weights | None = None
    for index, (config, folder) in enumerate(zip(stages, folders, strict=True)):
        clips = StepClips(
            everything,
            config.batch,
            run.workers,
            config.seed,
            run.ranks.rank,
            size=config.size,
            frames=config.frames,
            max_objects=config.objects,
            mix=preset.stills if config.frames == 1 else preset.sequences,
        )
        title = f"stage {index + 1} of {len(stages)}"
        weights = train_stage(
            weights,
            preset.network,
            config,
            clips,
            folder,
            run.device,
            save_seconds=run.save_seconds,
            ranks=run.ranks,
            title=title,
        )
    assert weights is not None  # every preset has a stage
    path = out / f"{name}.safetensors"
    if run.ranks.first:
        model = SAM2(preset.network)
        model.load_official(weights)
        save_model(model, path, overwrite=True, half=True, metadata={"training": repr(stages)})
        draw_curve([folder / METRICS for folder in folders], out / CURVE)
    return path
