"""``napari-sam2 segment``: objects in one image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam2.cli.arguments import (
    Device,
    Model,
    Output,
    Overwrite,
    box_at,
    click_at,
    in_a_sentence,
    provenance,
)
from napari_sam2.cli.everything import Points, refuse, segment_all
from napari_sam2.cli.progress import load_for_images
from napari_sam2.errors import ImageError, PromptError
from napari_sam2.prompts import PromptSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sam2.inference.focus import FocusPredictor


@in_a_sentence
def segment(
    image: Annotated[Path, typer.Argument(help="A TIFF, a picture or a numpy file.", show_default=False)],
    output: Output,
    click: Annotated[
        list[str] | None, typer.Option("--click", help="y,x on the object; may be repeated.")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option("--negative", help="y,x beside the object; may be repeated.")
    ] = None,
    box: Annotated[str | None, typer.Option("--box", help="y0,x0,y1,x1 round the object.")] = None,
    objects: Annotated[
        list[str] | None,
        typer.Option("--object", help="y,x on one object each, instead of the above; may be repeated."),
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All objects, without a click.")] = False,
    points: Annotated[
        Points, typer.Option("--points", help="With --everything: ask where objects are likely, or all over.")
    ] = Points.SEEDS,
    model: Model = "nano",
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Segment one object from clicks and a box, several from one click each, or everything.

    The label image is 0 outside, and 1, 2, ... in the objects in the order given.
    """
    if everything:
        refuse({"--click": click, "--negative": negative, "--box": box, "--object": objects})
        segment_all(image, output, points, model, device, overwrite)
        return
    prompts = _prompts(click or [], negative or [], box, objects or [])
    from napari_sam2.inference.focus import FocusPredictor
    from napari_sam2.io.frames import open_frames
    from napari_sam2.io.labels import LabelWriter

    with open_frames(image) as frames:
        if len(frames) != 1:
            raise ImageError(
                f"{image} has {len(frames)} frames, but this takes one image: use 'napari-sam2 track'."
            )
        pixels = frames[0]
    height, width = pixels.shape[:2]
    notes = {"command": "segment", "model": model, "prompts": [repr(prompt) for prompt in prompts]}
    with LabelWriter(output, (1, height, width), overwrite, provenance=provenance(output, notes)) as writer:
        predictor = FocusPredictor(load_for_images(model, device))
        predictor.set_image(pixels)
        writer[0] = label_image(predictor, prompts, (height, width))
    typer.echo(f"{output}: {len(prompts)} object{'s' * (len(prompts) != 1)}, {height} x {width} pixels")


def label_image(
    predictor: FocusPredictor, prompts: list[PromptSet], shape: tuple[int, int]
) -> NDArray[np.uint16]:
    """Return the labels (H, W) of the objects, 1 to n; where two overlap, the first one keeps the pixel."""
    import numpy as np

    labels = np.zeros(shape, np.uint16)
    for number, prompt in enumerate(prompts, 1):
        mask = predictor.predict(prompt.clicks, prompt.box).mask
        labels[mask & (labels == 0)] = number
    return labels


def _prompts(clicks: list[str], negative: list[str], box: str | None, objects: list[str]) -> list[PromptSet]:
    if objects and (clicks or negative or box):
        raise typer.BadParameter(
            "give either --object for several objects, or --click, --negative and --box for one.",
            param_hint="--object",
        )
    if objects:
        return [PromptSet((click_at(text, "--object"),)) for text in objects]
    if not clicks and box is None:
        raise PromptError(
            "There is nothing to go by: say where the object is, with --click y,x or --box y0,x0,y1,x1."
        )
    marks = [click_at(text, "--click") for text in clicks]
    marks += [click_at(text, "--negative", positive=False) for text in negative]
    return [PromptSet(tuple(marks), box_at(box, "--box") if box else None)]
