"""``napari-sam2 train``: a network from nothing, or a trained one on one's own labels."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam2.cli.arguments import Device, Overwrite, in_a_sentence
from napari_sam2.cli.progress import load

if TYPE_CHECKING:
    from napari_sam2.training.config import Parts
    from napari_sam2.training.fine_tune import Budget
    from napari_sam2.training.run import Run
    from napari_sam2.training.sources import SplitData


class Learning(StrEnum):
    """What learns."""

    decoder = "decoder"
    all = "all"


@in_a_sentence
def train(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="With --from the weights to write (.safetensors); with --preset a folder.",
            show_default=False,
        ),
    ],
    preset: Annotated[
        str | None, typer.Option("--preset", help="Train from nothing: nano, or tiny to try it out.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", help="Train further: a name from 'models list', a .pt or a .safetensors file."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of images and labels; a preset adds made ones and needs none."),
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(
            "--frames", help="Labelled frames to learn from, as in 0,10,20; the others are held back."
        ),
    ] = None,
    train_share: Annotated[
        float,
        typer.Option("--train-share", min=0.01, max=0.99, help="Without --frames: share to learn from."),
    ] = 0.5,
    parts: Annotated[
        Learning, typer.Option("--parts", help="With --from: train the mask decoder only, or all.")
    ] = Learning.decoder,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="With --from: steps to train.")] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.01, help="With --from, without --steps: time to train.")
    ] = 5.0,
    scale: Annotated[
        float, typer.Option("--scale", min=0.0001, help="With --preset: multiplies all its steps.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed draws other clips.")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Background processes that prepare clips.")
    ] = 0,
    save_seconds: Annotated[
        float, typer.Option("--save-seconds", min=0.0, help="Time between checkpoints.")
    ] = 60.0,
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a network from nothing, or fine-tune one on a few labelled frames.

    A run that was stopped goes on when the same command is given again. With several GPUs, put
    'torchrun --nproc-per-node N' before it.
    """
    if (preset is None) == (source is None):
        raise typer.BadParameter(
            "give either --preset, to train from nothing, or --from, to train a model further.",
            param_hint="--preset",
        )
    if source is not None and data is None:
        raise typer.BadParameter("say where the labelled frames are.", param_hint="--data")
    numbers = _numbers(frames)
    if source is not None:
        _check_output(output, overwrite)
    import torch

    from napari_sam2.training.ranks import join, leave
    from napari_sam2.training.run import Run

    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    ranks = join(chosen)
    if chosen == "cuda" and ranks.count > 1:
        chosen = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    run = Run(chosen, seed, workers, save_seconds, ranks)
    try:
        if preset is not None:
            _from_nothing(preset, data, output, run, scale)
        elif source is not None and data is not None:
            from napari_sam2.training.fine_tune import Budget
            from napari_sam2.training.sources import split_data

            split = split_data(data, numbers, train_share)
            note = f"{source}, frames {numbers or train_share} of {data}"
            _further(source, split, output, parts.value, Budget(steps, minutes), run, note)
    finally:
        leave()


def _from_nothing(preset: str, data: Path | None, output: Path, run: Run, scale: float) -> None:
    from napari_sam2.training.presets import train_preset
    from napari_sam2.training.sources import load_data

    recordings = [] if data is None else load_data(data)
    path = train_preset(preset, recordings, output, run, scale)
    if run.ranks.first:
        typer.echo(f"{path}: use it with --model {path}")


def _further(
    source: str, split: SplitData, output: Path, parts: Parts, budget: Budget, run: Run, note: str
) -> None:
    from napari_sam2.training.fine_tune import clear_run, fine_tune, save_fine_tune
    from napari_sam2.training.validation import one_click_iou

    model = load(source, run.device)
    first = run.ranks.first
    before = one_click_iou(model, split.held) if first else None
    if first:
        typer.echo(
            f"{split.chosen} labelled frames to learn from, {len(split.held)} held back. "
            f"One-click IoU on those before: {_figure(before)}"
        )
    folder = output.with_suffix(".training")
    tuned = fine_tune(model, split, folder, parts, budget, run, note)
    if first:
        after = one_click_iou(tuned, split.held)
        save_fine_tune(tuned, output, {"from": note, "parts": parts, "before": before, "after": after})
        clear_run(folder)
        typer.echo(f"One-click IoU on the held-back frames after: {_figure(after)}")
        typer.echo(f"{output}: use it with --model {output}; the curve is in {folder}")


def _check_output(output: Path, overwrite: bool) -> None:
    from napari_sam2.errors import StorageError

    if output.suffix != ".safetensors":
        raise StorageError(f"Weights are written as .safetensors, but {output.name} is not: rename it.")
    if output.exists() and not overwrite:
        raise StorageError(f"{output} exists already: choose another name, or pass --overwrite.")
    if not output.parent.is_dir():
        raise StorageError(f"The folder {output.parent} does not exist: make it, or choose another.")


def _numbers(frames: str | None) -> list[int] | None:
    if frames is None:
        return None
    try:
        return [int(part) for part in frames.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"expected whole numbers as in 0,10,20, got {frames!r}.", param_hint="--frames"
        ) from None


def _figure(iou: float | None) -> str:
    return "unknown, there is no object of 30 pixels" if iou is None else f"{iou:.3f}"
