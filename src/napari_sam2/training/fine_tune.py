"""A trained network learns from a few labelled frames of one's own, and shows on others whether it helped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from napari_sam2.errors import StorageError
from napari_sam2.io.checkpoints import save_model
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.checkpoint import LAST, PREVIOUS
from napari_sam2.training.clips import ClipMix
from napari_sam2.training.config import Parts, TrainConfig
from napari_sam2.training.curve import draw_curve
from napari_sam2.training.loop import METRICS, Clips, Stage, StepReport, train_stage
from napari_sam2.training.run import Run
from napari_sam2.training.sources import SplitData
from napari_sam2.training.step_clips import StepClips

PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to train: so many steps, or as many as fit into so many minutes on this machine."""

    steps: int | None = None
    minutes: float = 5.0


def recipe(parts: Parts, frames: int, size: int, seed: int = 0, steps: int = 1) -> TrainConfig:
    """Return the stage of a fine-tune: gentle rates, since the network knows its trade already.

    Parameters
    ----------
    parts
        What learns.
    frames
        Of a clip; one for stills.
    size
        The network's image size.
    seed, steps
        Of the stage.
    """
    return TrainConfig(
        size=size,
        frames=frames,
        batch=1 if frames > 1 else 2,
        objects=6,
        steps=steps,
        rate=1e-4 if parts == "all" else 2e-4,
        warmup=10,
        layer_decay=0.9,
        encoder_rate=0.5,
        weight_decay=0.01,
        ema=0.99,
        balanced=0.5,
        focal=10.0,
        dense=0.0,
        boxes=1 / 3,
        corrections=2,
        parts=parts,
        seed=seed,
    )


def fine_tune(
    model: SAM2,
    data: SplitData,
    folder: Path,
    parts: Parts = "decoder",
    budget: Budget | None = None,
    run: Run | None = None,
    origin: str = "",
    on_step: Callable[[StepReport], object] | None = None,
) -> SAM2:
    """Train a network further and return the result in evaluation mode; what came in is not changed.

    Where everything learns and labels are tracked, the second half of the steps goes through clips of four
    frames, and the memory learns, too.

    Parameters
    ----------
    model
        Where to start from.
    data
        What to learn from.
    folder
        For checkpoints and metrics; an interrupted run of the same kind in it goes on.
    parts
        Everything, or the mask decoder alone, which is quicker and forgets less.
    budget
        Steps, or minutes.
    run
        Where and how.
    origin
        In words, what model and which data: a run in the folder goes on only where it is the same.
    on_step
        Told of every step among those of all stages, in place of a bar on the terminal; an exception from it
        stops the training.

    Raises
    ------
    StorageError
        The folder holds another training, or cannot be written to.
    """
    budget, run = budget or Budget(), run or Run()
    size = model.config.image_size
    lengths = (1, 4) if parts == "all" and data.clips else (1,)
    drafts = [recipe(parts, frames, size, run.seed + k) for k, frames in enumerate(lengths)]
    clips = [_clips(data, draft, run) for draft in drafts]
    terms = {"origin": origin, "budget": asdict(budget), "drafts": [repr(draft) for draft in drafts]}
    if run.ranks.first and not (folder / PLAN).is_file():
        counts = [
            _steps(model, draft, source, folder, budget, run.device, len(drafts))
            for draft, source in zip(drafts, clips, strict=True)
        ]
        _write_plan(folder, {**terms, "steps": counts})
    run.ranks.wait()
    stages = [
        replace(draft, steps=count)
        for draft, count in zip(drafts, _planned_steps(folder, terms), strict=True)
    ]
    weights = {name: tensor.detach().float() for name, tensor in model.to_official().items()}
    names = [folder / f"stage{k}" for k in range(len(stages))]
    for k, (config, source) in enumerate(zip(stages, clips, strict=True)):
        title = "stills" if config.frames == 1 else "clips"
        weights = train_stage(
            weights,
            model.config,
            config,
            source,
            names[k],
            run.device,
            save_seconds=run.save_seconds,
            ranks=run.ranks,
            title=title,
            on_step=None if on_step is None else _of_all(on_step, stages, k),
        )
    if run.ranks.first:
        draw_curve([name / METRICS for name in names], folder / "curve.png")
    tuned = SAM2(model.config)
    tuned.load_official(weights)
    return tuned.to(run.device).eval().requires_grad_(False)


def _of_all(
    on_step: Callable[[StepReport], object], stages: Sequence[TrainConfig], stage: int
) -> Callable[[StepReport], object]:
    """Count a stage's steps among those of all."""
    before, whole = sum(one.steps for one in stages[:stage]), sum(one.steps for one in stages)
    return lambda report: on_step(replace(report, step=before + report.step, steps=whole))


def save_fine_tune(model: SAM2, path: Path, notes: dict[str, Any]) -> Path:
    """Write the weights of a fine-tune with what is to be known about its making; replaces a file."""
    return save_model(model, path, overwrite=True, metadata={"training": json.dumps(notes)})


def clear_run(folder: Path) -> None:
    """Remove the checkpoints and the plan of a finished run; metrics and curve stay."""
    for path in (folder / PLAN, *folder.glob(f"stage*/{LAST}"), *folder.glob(f"stage*/{PREVIOUS}")):
        path.unlink(missing_ok=True)


def _clips(data: SplitData, config: TrainConfig, run: Run) -> StepClips:
    return StepClips(
        data.stills if config.frames == 1 else (*data.stills, *data.clips),
        config.batch,
        run.workers,
        config.seed,
        run.ranks.rank,
        size=config.size,
        frames=config.frames,
        max_objects=config.objects,
        mix=ClipMix(still=0.4, tracked=0.6, stack=0.6, video=0.6, phantom=0.0),
    )


def _steps(
    model: SAM2, draft: TrainConfig, clips: Clips, folder: Path, budget: Budget, device: str, stages: int
) -> int:
    """Return the share of the budget that a stage gets."""
    if budget.steps is not None:
        return max(1, budget.steps // stages)
    weights = {name: tensor.detach().float() for name, tensor in model.to_official().items()}
    stage = Stage(weights, model.config, draft, folder / "trial", device)
    return max(1, int(60 * budget.minutes / stages / stage.seconds_a_step(clips)))


def _write_plan(folder: Path, plan: dict[str, Any]) -> None:
    """Write down what was decided, once and for all: a resumed run keeps to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{PLAN}.partial"
        partial.write_text(json.dumps(plan, indent=1), encoding="utf-8")
        os.replace(partial, folder / PLAN)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written to ({error}): choose another place.") from error


def _planned_steps(folder: Path, terms: dict[str, Any]) -> list[int]:
    try:
        plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        counts = [int(count) for count in plan.pop("steps")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{folder / PLAN} cannot be read ({error}): delete {folder}.") from error
    if plan != terms:
        raise StorageError(
            f"{folder} holds another training, with other data, parts, budget or seed: choose another name, "
            "or delete it to start from the beginning."
        )
    return counts
