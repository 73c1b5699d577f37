"""What all commands share: options, how places are written, and how a command ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from napari_sam2.errors import Sam2Error
from napari_sam2.prompts import Box, Click

P = ParamSpec("P")

STOPPED = 130  # what shells expect after ctrl-C

Model = Annotated[
    str,
    typer.Option("--model", "-m", help="A name from 'models list', a .pt or a .safetensors file."),
]
Device = Annotated[
    str | None,
    typer.Option("--device", help="cpu, cuda, cuda:1, mps, ...; if left out, CUDA or else cpu."),
]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="The label image to write (.tif).", show_default=False)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist already.")]


def in_a_sentence(command: Callable[P, None]) -> Callable[P, None]:
    """End a command with a sentence and an exit code where it would raise: 1 for errors, 130 for ctrl-C."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except Sam2Error as error:
            typer.echo(f"napari-sam2: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as stop:
            typer.echo("napari-sam2: stopped; no half-written file was left.", err=True)
            raise typer.Exit(STOPPED) from stop

    return run


def click_at(text: str, option: str, positive: bool = True) -> Click:
    """Read ``y,x``."""
    y, x = numbers(text, ("y", "x"), option)
    return Click(y, x, positive)


def box_at(text: str, option: str) -> Box:
    """Read ``y0,x0,y1,x1``."""
    y0, x0, y1, x1 = numbers(text, ("y0", "x0", "y1", "x1"), option)
    return Box(y0, x0, y1, x1)


def frame_and_click(text: str, option: str) -> tuple[int, Click]:
    """Read ``frame,y,x``; the frame is a whole number, counted from 0."""
    frame, y, x = numbers(text, ("frame", "y", "x"), option)
    if not frame.is_integer():
        raise typer.BadParameter(f"the frame in {text!r} is not a whole number.", param_hint=option)
    return int(frame), Click(y, x)


def provenance(output: Path, notes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what to keep inside the output about its making; None where the format has no place for it."""
    import napari_sam2

    if output.suffix.lower() == ".npy":
        return None
    return {"software": f"napari-sam2 {napari_sam2.__version__}", **notes}


def numbers(text: str, names: tuple[str, ...], option: str) -> tuple[float, ...]:
    """Read as many numbers as there are names, with commas between."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != len(names) or not all(math.isfinite(number) for number in found):
        raise typer.BadParameter(
            f"expected {','.join(names)}, as in {','.join(str(40 + 7 * i) for i in range(len(names)))}, "
            f"got {text!r}.",
            param_hint=option,
        )
    return found
