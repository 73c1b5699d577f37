"""``--everything`` of ``segment`` and ``track``: all objects, without a click."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from napari_sam2.cli.arguments import provenance
from napari_sam2.cli.progress import frames_bar, load, load_for_images
from napari_sam2.errors import ImageError

if TYPE_CHECKING:
    from napari_sam2.inference.everything import Everything
    from napari_sam2.inference.seeded import SeededEverything
    from napari_sam2.io.export_kind import ExportKind
    from napari_sam2.model.families import ImageModel


class Points(Enum):
    """Where the points come from that the network is asked about."""

    SEEDS = "seeds"
    GRID = "grid"


def refuse(prompts: dict[str, object]) -> None:
    """Raise typer.BadParameter where prompts were given beside ``--everything``."""
    given = [option for option, value in prompts.items() if value]
    if given:
        raise typer.BadParameter(
            f"--everything needs no prompts: leave out {' and '.join(given)}.", param_hint="--everything"
        )


def segment_all(
    image: Path, output: Path, points: Points, model: str, device: str | None, overwrite: bool
) -> None:
    """Write the labels of all objects of one image."""
    from napari_sam2.inference.found_masks import flatten
    from napari_sam2.io.frames import open_frames
    from napari_sam2.io.labels import LabelWriter

    with open_frames(image) as frames:
        if len(frames) != 1:
            raise ImageError(
                f"{image} has {len(frames)} frames, but this takes one image: use 'napari-sam2 track'."
            )
        pixels = frames[0]
    height, width = pixels.shape[:2]
    notes = {"command": "segment --everything", "model": model, "points": points.value}
    with LabelWriter(output, (1, height, width), overwrite, provenance=provenance(output, notes)) as writer:
        found = flatten(_finder(load_for_images(model, device), points).segment(pixels), (height, width))
        writer[0] = found
    count = int(found.max())
    typer.echo(f"{output}: {count} object{'s' * (count != 1)}, {height} x {width} pixels")


def track_all(
    stack: Path,
    output: Path,
    kind: ExportKind | None,
    every: int,
    points: Points,
    model: str,
    device: str | None,
    overwrite: bool,
) -> None:
    """Write all objects of a sequence and their lineage, in any format that results have."""
    import numpy as np

    from napari_sam2.inference.track_everything import TrackEverything
    from napari_sam2.inference.track_everything_policy import TrackEverythingPolicy
    from napari_sam2.io.export import check_export, export_results
    from napari_sam2.io.frames import open_frames
    from napari_sam2.io.results import Results

    check_export(output, kind, overwrite)
    with open_frames(stack) as frames, TemporaryDirectory() as folder:
        shape = (len(frames), frames.shape[1], frames.shape[2])
        # Formats want to know all objects before the first frame: the labels wait on disk.
        kept = np.lib.format.open_memmap(Path(folder, "labels.npy"), "w+", np.uint32, shape)
        policy = TrackEverythingPolicy(every=every)
        network = load(model, device)
        tracker = TrackEverything(network, policy, _finder(network, points))
        with frames_bar(len(frames)) as bar:
            for one in tracker.follow(frames):
                kept[one.frame] = one.labels
                bar.update()
        lives = tracker.lives
        notes = {
            "command": "track --everything",
            "model": model,
            "policy": repr(policy),
            "points": points.value,
        }
        results = Results(
            shape,
            lives.seen_ever,
            labels=lambda frame: kept[frame],
            image=lambda frame: frames[frame],
            parents=lives.parents,
            provenance=notes,
        )
        export_results(results, output, kind, overwrite)
    count, divided = len(results.objects), len(set(results.lineage.values()))
    typer.echo(
        f"{output}: {count} object{'s' * (count != 1)}, {divided} division{'s' * (divided != 1)}, "
        f"{shape[0]} frames"
    )


def _finder(model: ImageModel, points: Points) -> Everything | SeededEverything:
    from napari_sam2.inference.everything import Everything
    from napari_sam2.inference.seeded import SeededEverything

    return Everything(model) if points is Points.GRID else SeededEverything(model)
