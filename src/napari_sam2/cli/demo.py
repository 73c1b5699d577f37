"""``napari-sam2 demo``: the whole way, on a made time-lapse whose truth is known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sam2.cli.arguments import Device, Model, Overwrite, in_a_sentence, provenance
from napari_sam2.cli.progress import frames_bar, load
from napari_sam2.prompts import PromptSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Labels = NDArray[np.integer[Any]]


@in_a_sentence
def demo(
    out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path("napari-sam2-demo"),
    model: Model = "nano",
    device: Device = None,
    frames: Annotated[int, typer.Option("--frames", min=2, help="Length of the time-lapse.")] = 30,
    size: Annotated[int, typer.Option("--size", min=64, help="Height and width in pixels.")] = 256,
    objects: Annotated[int, typer.Option("--objects", min=1, help="Nuclei on the first frame.")] = 12,
    overwrite: Overwrite = False,
) -> None:
    """Segment and track made, dividing nuclei from one click each; print the IoU against the truth.

    Writes images.tif, truth.tif, labels.tif, overlay.png and the pictures of the movie, frames/0000.png on.
    """
    import numpy as np

    from napari_sam2.cli.pictures import draw_movie
    from napari_sam2.cli.segment import label_image
    from napari_sam2.cli.track import click_objects, follow
    from napari_sam2.imaging.intensity import IntensityMap
    from napari_sam2.imaging.phantoms import moving_nuclei
    from napari_sam2.inference.focus import FocusPredictor
    from napari_sam2.inference.simulated_user import first_click
    from napari_sam2.inference.tracker import VideoTracker
    from napari_sam2.io.folders import make_folder
    from napari_sam2.io.labels import LabelWriter

    phantom = moving_nuclei(frames, size, size, objects, divisions=min(2, objects), seed=0)
    clicks = [first_click(phantom.labels[0] == number) for number in range(1, objects + 1)]
    make_folder(out, "frames", overwrite)
    intensity = IntensityMap.for_frames(phantom.images)
    notes = {"command": "demo", "model": model}
    network = load(model, device)

    predictor = FocusPredictor(network)
    predictor.set_image(phantom.images[0])
    first = label_image(predictor, [PromptSet((click,)) for click in clicks], (size, size))
    typer.echo(
        f"Image:  mean IoU {_mean(mean_iou(phantom.labels[:1], first[None], objects).values()):.3f} "
        f"of {objects} nuclei on frame 0, one click each"
    )

    tracker = VideoTracker(network)
    state = tracker.start(phantom.images, intensity)
    click_objects(tracker, state, [(0, click) for click in clicks])
    tracked, shape = np.zeros_like(phantom.labels), (frames, size, size)
    with LabelWriter(out / "truth.tif", shape, overwrite) as writer:
        for frame in range(frames):
            writer[frame] = phantom.labels[frame]
    with LabelWriter(
        out / "labels.tif", shape, overwrite, provenance=provenance(out / "labels.tif", notes)
    ) as writer:
        with frames_bar(frames) as bar:
            follow(tracker, state, writer, both_ways=False, advance=bar.update)
        for frame in range(frames):
            tracked[frame] = writer[frame]
    scores = mean_iou(phantom.labels, tracked, objects)
    typer.echo(
        f"Movie:  mean IoU {_mean(scores.values()):.3f} of {objects} nuclei through {frames} frames, "
        "the same clicks"
    )
    for number, score in scores.items():
        seen = int((phantom.labels == number).any(axis=(1, 2)).sum())
        ending = ", then it divides" if number in phantom.parents.values() else ""
        typer.echo(f"  nucleus {number:2d}: IoU {score:.3f} over {seen} frame{'s' * (seen != 1)}{ending}")
    draw_movie(out, phantom.images, tracked, intensity)
    typer.echo(
        f"Written to {out}: images.tif, truth.tif, labels.tif, overlay.png and {frames} pictures in frames"
    )


def mean_iou(truth: Labels, labels: Labels, objects: int) -> dict[int, float]:
    """Return the IoU of objects 1 to n, each a mean over the frames in which it truly is.

    Parameters
    ----------
    truth, labels
        Integers (T, H, W), the same number for the same object.
    """
    scores = {}
    for number in range(1, objects + 1):
        true, found = truth == number, labels == number
        there = true.any(axis=(1, 2))
        common = (true & found).sum(axis=(1, 2))[there]
        either = (true | found).sum(axis=(1, 2))[there]
        scores[number] = float((common / either).mean())
    return scores


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
