"""The list of sub-commands."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_sam2.cli.batch import batch
from napari_sam2.cli.demo import demo
from napari_sam2.cli.evaluate import evaluate
from napari_sam2.cli.models import models
from napari_sam2.cli.replay import replay
from napari_sam2.cli.segment import segment
from napari_sam2.cli.track import track
from napari_sam2.cli.train import train

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(segment)
app.command()(track)
app.command()(replay)
app.command()(batch)
app.add_typer(models, name="models")
app.command()(demo)
app.command()(evaluate)
app.command()(train)


def _show_version(wanted: bool) -> None:
    if wanted:
        import napari_sam2

        typer.echo(f"napari-sam2 {napari_sam2.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Click an object in an image, follow it through time or depth: SAM 2 for microscopy.

    Coordinates are rows and columns, y,x, counted from 0 at the upper left.
    """
